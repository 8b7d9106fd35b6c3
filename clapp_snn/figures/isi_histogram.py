"""Histogram of inter-spike intervals with the limit below which spikes form a burst."""

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from clapp_snn.figures import style


def isi_histogram(
    edges_ms: Float[np.ndarray, "bins+1"],
    counts: Int[np.ndarray, "bins"],
    burst_isi_ms: float = 16.0,
    logarithmic: bool = True,
    title: str = "",
) -> Figure:
    """Counts of intervals, coloured where a bin ends at or below `burst_isi_ms`; a line marks this limit.

    Args:
        edges_ms: of the bins; positive for a logarithmic axis.
        counts: of each bin.
        burst_isi_ms: longest interval within a burst.
        logarithmic: time axis.
    """
    with style.house_style():
        figure = style.new_figure(6.4, 3.6)
        axes = figure.add_subplot()
        within = edges_ms[1:] <= burst_isi_ms * (1 + 1e-9)
        for mask, colour, name in (
            (within, style.VERMILION, "within bursts"),
            (~within, style.BLUE, "longer"),
        ):
            axes.stairs(np.where(mask, counts, 0), edges_ms, color=colour, fill=True, alpha=0.75,
                        label=name)  # fmt: skip
        axes.axvline(
            burst_isi_ms, color=style.BLACK, linestyle="--", linewidth=1.2,
            label=f"{burst_isi_ms:g} ms",
        )  # fmt: skip
        if logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.set_xlim(float(edges_ms[0]), float(edges_ms[-1]))
        axes.set_ylim(bottom=0)
        axes.set_xlabel("inter-spike interval (ms)")
        axes.set_ylabel("number of intervals")
        style.heading(figure, title)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return figure
