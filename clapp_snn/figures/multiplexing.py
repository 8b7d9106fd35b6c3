"""Two messages in one spike train: events and burst probability under constant and switching currents."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from clapp_snn.figures import style
from clapp_snn.figures.voltage_traces import DENDRITE, SOMA


@dataclass(frozen=True)
class GridLine:
    """One curve of a grid of constant currents: measured points and the line to compare with."""

    label: str
    current_pa: Float[np.ndarray, "points"]
    value: Float[np.ndarray, "points"]
    expected: Float[np.ndarray, "points"]


@dataclass(frozen=True)
class Response:
    """A population under switching drives.

    Attributes:
        label: model.
        events: rate in Hz, in every bin.
        probability: bursts per event, in every bin.
    """

    label: str
    events: Float[np.ndarray, "bin"]
    probability: Float[np.ndarray, "bin"]


def multiplexing(
    events: Sequence[GridLine],
    probability: Sequence[GridLine],
    time_ms: Float[np.ndarray, "bin"],
    soma: Float[np.ndarray, "bin"],
    apical: Float[np.ndarray, "bin"],
    responses: Sequence[Response],
    title: str = "",
) -> Figure:
    """Top: event rate and burst probability at constant currents. Below: models under switching currents.

    Args:
        events: event rate against somatic current, one line a dendritic current.
        probability: burst probability against dendritic current, one line a somatic current.
        time_ms: middle of each bin.
        soma, apical: 1 where the current is high; shaded behind its own channel.
        responses: of each model.
    """
    with style.house_style():
        rows = len(responses)
        figure = style.new_figure(10.0, 3.6 + 1.9 * rows)
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[3.4, 1.9 * rows])[:, 0]
        panels = above.subplots(1, 2)
        for axes, lines, xlabel, ylabel, legend in (
            (panels[0], events, "somatic current (pA)", "event rate (Hz)", "dendritic current"),
            (
                panels[1],
                probability,
                "dendritic current (pA)",
                "burst probability",
                "somatic current",
            ),
        ):
            for line, colour in zip(lines, style.depth_colours(len(lines)), strict=True):
                axes.plot(line.current_pa, line.expected, color=colour, linewidth=1.1)
                axes.plot(
                    line.current_pa, line.value, "o", color=colour, markersize=4, label=line.label
                )
            axes.set_xlabel(xlabel)
            axes.set_ylabel(ylabel)
            axes.set_ylim(bottom=0)
            axes.legend(title=legend, fontsize=8, title_fontsize=8)
            style.light_grid(axes)
        panels[0].set_title("L1, constant currents: points ours, lines Brian2")
        width = time_ms[1] - time_ms[0]
        for (left, right), response in zip(
            below.subplots(rows, 2, sharex=True, squeeze=False), responses, strict=True
        ):
            for axes, drive, values, shade, label in (
                (left, soma, response.events, SOMA, "events (Hz)"),
                (right, apical, response.probability, DENDRITE, "bursts/event"),
            ):
                axes.fill_between(
                    time_ms, 0, 1, where=drive > 0, step="mid", color=style.PALE, alpha=0.6,
                    linewidth=0, transform=axes.get_xaxis_transform(),
                )  # fmt: skip
                axes.step(time_ms, values, where="mid", color=shade, linewidth=1.1)
                axes.set_ylabel(label)
                axes.set_ylim(bottom=0)
                axes.set_xlim(time_ms[0] - width / 2, time_ms[-1] + width / 2)
            left.set_title(f"{response.label}: events; shaded: soma driven")
            right.set_title(f"{response.label}: burst probability; shaded: dendrite driven")
        for axes in (left, right):
            axes.set_xlabel("time (ms)")
        style.heading(figure, title)
        return figure
