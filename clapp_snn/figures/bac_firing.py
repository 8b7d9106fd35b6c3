"""Coincidence of soma and dendrite: potentials in each condition, time window, critical frequency."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clapp_snn.figures import style
from clapp_snn.figures.voltage_traces import DENDRITE, SOMA

PEAK_MV = 20.0


@dataclass(frozen=True)
class Condition:
    """Potentials and injected currents of one condition.

    Attributes:
        title: above the column.
        v_s, v_d: mV.
        soma, apical: pA.
        spikes: times in ms.
    """

    title: str
    v_s: Float[np.ndarray, "time"]
    v_d: Float[np.ndarray, "time"]
    soma: Float[np.ndarray, "time"]
    apical: Float[np.ndarray, "time"]
    spikes: Float[np.ndarray, "spikes"]


@dataclass(frozen=True)
class SpikeCount:
    """Number of action potentials against what was varied."""

    title: str
    xlabel: str
    label: str
    x: Float[np.ndarray, "points"]
    spikes: Float[np.ndarray, "points"]


def bac_firing(
    time_ms: Float[np.ndarray, "time"],
    conditions: Sequence[Condition],
    counts: Sequence[SpikeCount],
    title: str = "",
) -> Figure:
    """Top: one column a condition, with currents, soma and dendrite. Bottom: action potentials in the sweeps.

    Counts with one `title` share a panel.
    """
    with style.house_style():
        figure = style.new_figure(2.5 * len(conditions) + 0.6, 6.6)
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.75, 1])[:, 0]
        panels = above.subplots(
            3, len(conditions), sharex=True, sharey="row", height_ratios=[1, 2, 2]
        )
        for number, condition in enumerate(conditions):
            _column(panels[:, number], time_ms, condition)
        for axes, label in zip(
            panels[:, 0], ("current (nA)", "soma (mV)", "dendrite (mV)"), strict=True
        ):
            axes.set_ylabel(label)
        panels[0, 0].legend(fontsize=8, loc="upper right", handlelength=1.2, borderaxespad=0)
        titles = list(dict.fromkeys(count.title for count in counts))
        for axes, name in zip(below.subplots(1, len(titles), sharey=True), titles, strict=True):
            shown = [count for count in counts if count.title == name]
            for number, count in enumerate(shown):
                axes.step(
                    count.x, count.spikes, where="mid", color=style.CYCLE[number], label=count.label
                )
            axes.set_title(name)
            axes.set_xlabel(shown[0].xlabel)
            axes.set_yticks([0, 1, 2, 3])
            style.light_grid(axes)
            if len(shown) > 1:
                axes.legend(loc="upper left")
            if name == titles[0]:
                axes.set_ylabel("action potentials")
        style.heading(figure, title)
        return figure


def _column(column: Sequence[Axes], time_ms: np.ndarray, condition: Condition) -> None:
    currents, soma, dendrite = column
    currents.plot(time_ms, condition.soma / 1000, color=SOMA, linewidth=1.3, label="soma")
    currents.plot(time_ms, condition.apical / 1000, color=DENDRITE, linewidth=1.3, label="apical")
    currents.set_title(condition.title)
    soma.plot(time_ms, condition.v_s, color=SOMA, linewidth=1.3)
    foot = np.interp(condition.spikes, time_ms, condition.v_s)
    soma.vlines(condition.spikes, foot, PEAK_MV, color=SOMA, linewidth=1.3)
    dendrite.plot(time_ms, condition.v_d, color=DENDRITE, linewidth=1.3)
    dendrite.set_xlabel("time (ms)")
    dendrite.set_xlim(time_ms[0], time_ms[-1])
    for axes in (soma, dendrite):
        style.light_grid(axes)


@dataclass(frozen=True)
class Train:
    """Dendritic potential (mV) during a train of somatic pulses."""

    label: str
    v_d: Float[np.ndarray, "time"]


def critical_frequency(
    time_ms: Float[np.ndarray, "time"],
    trains: Sequence[Train],
    frequency_hz: Float[np.ndarray, "points"],
    above_ms: Float[np.ndarray, "points"],
    critical_hz: float,
    reported_hz: tuple[float, float],
    title: str = "",
) -> Figure:
    """Left: the dendrite during a few trains. Right: its time above threshold against frequency.

    Args:
        time_ms: of the trains.
        trains: a few frequencies.
        frequency_hz, above_ms: all frequencies, and the time of the dendrite above E_d.
        critical_hz: where the plateau appears.
        reported_hz: range of the experiment, shaded.
    """
    with style.house_style():
        figure = style.new_figure(9.0, 3.6)
        left, right = figure.subplots(1, 2)
        for train, colour in zip(trains, style.depth_colours(len(trains)), strict=True):
            left.plot(time_ms, train.v_d, color=colour, linewidth=1.4, label=train.label)
        left.set_xlabel("time (ms)")
        left.set_ylabel("dendrite (mV)")
        left.set_xlim(time_ms[0], time_ms[-1])
        left.legend(title="five pulses at", title_fontsize=9)
        style.light_grid(left)
        right.axvspan(*reported_hz, color=style.PALE, alpha=0.5, label="reported range")
        right.plot(frequency_hz, above_ms, color=DENDRITE, marker="o", markersize=3, linewidth=1.2)
        right.axvline(
            critical_hz, color=style.VERMILION, linestyle="--", linewidth=1.4,
            label=f"plateau from {critical_hz:.0f} Hz",
        )  # fmt: skip
        right.set_xlabel("frequency of the somatic pulses (Hz)")
        right.set_ylabel(r"dendrite above $E_d$ (ms)")
        right.legend(
            loc="lower right", frameon=True, facecolor="white", framealpha=1, edgecolor="none"
        )
        style.light_grid(right)
        style.heading(figure, title)
        return figure
