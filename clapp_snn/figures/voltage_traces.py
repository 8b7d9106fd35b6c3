"""Somatic and dendritic membrane potential of one neuron, with its spikes and bursts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clapp_snn.figures import style

SOMA = style.BLUE
DENDRITE = style.GREEN

PEAK_MV = 20.0

ABOVE: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.1}
"""Place of a legend: above the right end of its panel."""


def voltage_traces(
    time_ms: Float[np.ndarray, "time"],
    soma_mv: Float[np.ndarray, "time"],
    dendrite_mv: Float[np.ndarray, "time"],
    spike_ms: Float[np.ndarray, "spikes"],
    burst_ms: Float[np.ndarray, "bursts"] | None = None,
    currents_pa: Mapping[str, Float[np.ndarray, "time"]] | None = None,
    levels_mv: Mapping[str, tuple[float | None, float | None]] | None = None,
    title: str = "",
) -> Figure:
    """Panels above each other: injected currents (if given), somatic and dendritic potential.

    The model resets the potential within a step, so every spike is drawn as a stroke from the potential up to
    +20 mV; bursts get a mark above their stroke.

    Args:
        time_ms: of the samples, at least two.
        soma_mv, dendrite_mv: potentials.
        spike_ms: spike times, among the samples' times or between them.
        burst_ms: times of burst labels.
        currents_pa: by name; "soma" and "apical" have the colours of their compartments.
        levels_mv: horizontal lines by name, (value in the somatic panel, in the dendritic panel); None: none.
    """
    with style.house_style():
        rows = 2 if currents_pa is None else 3
        figure = style.new_figure(7.2, 1.6 * rows + 0.5)
        panels = list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])
        if currents_pa is not None:
            _currents(panels.pop(0), time_ms, currents_pa)
        soma, dendrite = panels
        soma.plot(time_ms, soma_mv, color=SOMA, linewidth=1.3)
        foot = np.interp(spike_ms, time_ms, soma_mv)
        soma.vlines(spike_ms, foot, PEAK_MV, color=SOMA, linewidth=1.3, label="spikes")
        if burst_ms is not None and len(burst_ms):
            soma.plot(
                burst_ms, np.full(len(burst_ms), PEAK_MV + 7), "v", color=style.VERMILION,
                markersize=6, label="burst (at its second spike)", clip_on=False,
            )  # fmt: skip
            soma.legend(handles=soma.lines[-1:], **ABOVE)
        soma.set_ylabel("$V_s$ (mV)")
        soma.set_title("soma")
        dendrite.plot(time_ms, dendrite_mv, color=DENDRITE, linewidth=1.3)
        dendrite.set_ylabel("$V_d$ (mV)")
        dendrite.set_title("apical dendrite")
        for name, values in (levels_mv or {}).items():
            for axes, value in zip((soma, dendrite), values, strict=True):
                if value is not None:
                    _level(axes, value, name)
        dendrite.set_xlabel("time (ms)")
        # A sample is taken at the end of its time step; the first step began one interval earlier.
        dendrite.set_xlim(float(2 * time_ms[0] - time_ms[1]), float(time_ms[-1]))
        figure.align_ylabels()
        style.heading(figure, title)
        return figure


def _currents(
    axes: Axes, time_ms: np.ndarray, currents_pa: Mapping[str, Float[np.ndarray, "time"]]
) -> None:
    others = iter(style.CYCLE[3:])
    for name, values in currents_pa.items():
        colour = {"soma": SOMA, "apical": DENDRITE}.get(name) or next(others)
        axes.plot(time_ms, values, color=colour, linewidth=1.3, label=name)
    axes.set_ylabel("I (pA)")
    axes.set_title("injected current")
    axes.legend(ncols=len(currents_pa), **ABOVE)


def _level(axes: Axes, value: float, name: str) -> None:
    axes.axhline(value, color=style.GREY, linestyle=":", linewidth=1, label=name)
    axes.annotate(
        name, (1.0, value), xycoords=("axes fraction", "data"), xytext=(4, 0),
        textcoords="offset points", ha="left", va="center", fontsize=8, color=style.GREY,
    )  # fmt: skip
