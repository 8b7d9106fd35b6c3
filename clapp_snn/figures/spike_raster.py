"""Spikes of many neurons over time, with bursts marked."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from clapp_snn.figures import style


def spike_raster(
    spike_ms: Float[np.ndarray, "spikes"],
    spike_neuron: Int[np.ndarray, "spikes"],
    burst_ms: Float[np.ndarray, "bursts"],
    burst_neuron: Int[np.ndarray, "bursts"],
    neurons: int,
    span_ms: tuple[float, float],
    bursts: str = "bursts",
    spikes: str = "spikes",
    title: str = "",
) -> Figure:
    """One row a neuron, one stroke a spike; what counts as burst is drawn over it in colour.

    Args:
        spike_ms, spike_neuron: time in ms and row (from 0) of every spike.
        burst_ms, burst_neuron: the same for what is marked: burst labels, or all spikes that lie in bursts.
        neurons: number of rows, silent ones included.
        span_ms: time shown.
        bursts, spikes: names in the legend.
    """
    with style.house_style():
        figure = style.new_figure(7.2, min(6.0, 1.6 + 0.07 * neurons))
        axes = figure.add_subplot()
        _strokes(axes, spike_ms, spike_neuron, style.BLACK, 0.9, spikes)
        _strokes(axes, burst_ms, burst_neuron, style.VERMILION, 1.6, bursts)
        axes.set_xlim(*span_ms)
        axes.set_ylim(-0.8, neurons - 0.2)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, steps=[1, 2, 5, 10]))
        axes.set_xlabel("time (ms)")
        axes.set_ylabel("neuron")
        style.heading(figure, title)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return figure


def _strokes(
    axes: Axes,
    times: Sequence[float] | np.ndarray,
    rows: Sequence[int] | np.ndarray,
    colour: str,
    width: float,
    label: str,
) -> None:
    strokes = [
        [(time, row - 0.42), (time, row + 0.42)] for time, row in zip(times, rows, strict=True)
    ]
    axes.add_collection(LineCollection(strokes, colors=[colour], linewidths=width), autolim=False)
    axes.plot([], [], "|", color=colour, markersize=9, markeredgewidth=width, label=label)
