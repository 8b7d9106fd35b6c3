"""Peri-stimulus time histograms of events and bursts under the currents that caused them."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clapp_snn.figures import style
from clapp_snn.figures.voltage_traces import ABOVE, DENDRITE, SOMA


def psth(
    edges_ms: Float[np.ndarray, "bins+1"],
    event_rate: Float[np.ndarray, "bins"],
    burst_rate: Float[np.ndarray, "bins"],
    burst_probability: Float[np.ndarray, "bins"],
    drives: Mapping[str, Float[np.ndarray, "bins"]] | None = None,
    unit: str = "pA",
    title: str = "",
) -> Figure:
    """Panels above each other: drives (if given), event rate, burst rate, burst probability.

    Args:
        edges_ms: of the time bins.
        event_rate, burst_rate: Hz per neuron.
        burst_probability: share of events that become bursts; bins with NaN (no event) stay empty.
        drives: mean of each bin, by name; "soma" and "apical" have the colours of their compartments.
        unit: of the drives.
    """
    with style.house_style():
        rows = 3 if drives is None else 4
        figure = style.new_figure(7.2, 1.25 * rows + 0.6)
        panels = list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])
        if drives is not None:
            _drives(panels.pop(0), edges_ms, drives, unit)
        for axes, values, colour, name, label in (
            (panels[0], event_rate, SOMA, "events", "rate (Hz)"),
            (panels[1], burst_rate, style.VERMILION, "bursts", "rate (Hz)"),
            (panels[2], burst_probability, DENDRITE, "burst probability", "bursts/event"),
        ):
            axes.stairs(values, edges_ms, color=colour, fill=True, alpha=0.35)
            axes.stairs(values, edges_ms, color=colour, linewidth=1.2, label=name)
            axes.set_title(name)
            axes.set_ylabel(label)
            axes.set_ylim(bottom=0)
        panels[-1].set_xlim(float(edges_ms[0]), float(edges_ms[-1]))
        panels[-1].set_xlabel("time (ms)")
        figure.align_ylabels()
        style.heading(figure, title)
        return figure


def _drives(axes: Axes, edges_ms: np.ndarray, drives: Mapping[str, np.ndarray], unit: str) -> None:
    others = iter(style.CYCLE[3:])
    for name, values in drives.items():
        colour = {"soma": SOMA, "apical": DENDRITE}.get(name) or next(others)
        axes.stairs(values, edges_ms, color=colour, linewidth=1.5, baseline=None, label=name)
    axes.set_title("drive")
    axes.set_ylabel(f"input ({unit})" if unit else "input")
    axes.legend(ncols=len(drives), **ABOVE)
