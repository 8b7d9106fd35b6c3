"""What spikes cost: accuracy and errors of the gate against the number of spikes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from clapp_snn.figures import style


@dataclass(frozen=True)
class BudgetPoint:
    """One budget; `spread` are standard deviations over seeds.

    Attributes:
        n: expected events per unit of activity.
        kind: how the spikes were made; points of a kind share colour and marker.
        accuracy: percent.
        spread: of the accuracy.
        gate_error: percent of wrong gammas of each area.
    """

    n: float
    kind: str
    accuracy: float
    spread: float
    gate_error: Sequence[float]


def spike_budget(
    points: Sequence[BudgetPoint],
    rate: float,
    rate_spread: float = 0.0,
    title: str = "",
    readout: str = "linear probe",
) -> Figure:
    """Left: accuracy against n, with rate mode as a level. Right: gate errors, and 30 % / sqrt(n).

    In the right panel areas are drawn with full markers (first area) and open ones (others).
    """
    with style.house_style():
        figure = style.new_figure(8.0, 3.4)
        left, right = figure.subplots(1, 2)
        for number, kind in enumerate(dict.fromkeys(point.kind for point in points)):
            mine = sorted((point for point in points if point.kind == kind), key=lambda p: p.n)
            colour, marker = style.CYCLE[number % 7], style.MARKERS[number % 7]
            n = [point.n for point in mine]
            left.errorbar(
                n, [p.accuracy for p in mine], yerr=[p.spread for p in mine], color=colour,
                marker=marker, markersize=5, linewidth=1.4, capsize=2, label=kind,
            )  # fmt: skip
            for area in range(max(len(point.gate_error) for point in mine)):
                right.plot(
                    n, [point.gate_error[area] for point in mine], marker, color=colour,
                    markersize=5, fillstyle="none" if area else "full",
                )  # fmt: skip
        left.axhline(rate, color=style.GREY, linestyle="--", linewidth=1.2, label="rate mode")
        if rate_spread:
            left.axhspan(
                rate - rate_spread, rate + rate_spread, color=style.GREY, alpha=0.16, linewidth=0
            )
        reach = np.geomspace(min(p.n for p in points), max(p.n for p in points), 50)
        right.plot(
            reach, 30 / np.sqrt(reach), "--", color=style.BLACK, linewidth=1.2,
            label="30 % / sqrt(n)",
        )  # fmt: skip
        left.set_ylabel(f"test accuracy of a {readout} (%)")
        right.set_ylabel("wrong gammas (%)")
        right.set_yscale("log")
        for axes in (left, right):
            axes.set_xscale("log")
            axes.set_xlabel("events per unit of activity, n")
            axes.set_xticks(sorted({point.n for point in points}))
            axes.xaxis.set_major_formatter(ScalarFormatter())
            axes.minorticks_off()
            style.light_grid(axes)
        handles = [each.get_legend_handles_labels() for each in (left, right)]
        figure.legend(
            [h for pair in handles for h in pair[0]],
            [label for pair in handles for label in pair[1]],
            loc="outside right center",
        )
        style.heading(figure, title)
        return figure
