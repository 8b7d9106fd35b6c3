"""Differences between conditions and their reference, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from clapp_snn.figures import style


@dataclass(frozen=True)
class PairedDifference:
    """Condition minus reference, in points of a percentage.

    Attributes:
        condition: what was changed.
        quantity: what was measured; bars of a quantity share a colour.
        mean: of the differences over pairs.
        low, high: interval of the mean.
    """

    condition: str
    quantity: str
    mean: float
    low: float
    high: float


def paired_differences(
    bars: Sequence[PairedDifference], title: str = "", band: str = "95 % interval"
) -> Figure:
    """One group of bars a condition, one bar a quantity, from top to bottom as given."""
    with style.house_style():
        conditions = list(dict.fromkeys(bar.condition for bar in bars))
        quantities = list(dict.fromkeys(bar.quantity for bar in bars))
        figure = style.new_figure(7.2, 0.9 + 0.45 * len(conditions))
        axes = figure.add_subplot()
        height = 0.8 / len(quantities)
        for number, quantity in enumerate(quantities):
            mine = [bar for bar in bars if bar.quantity == quantity]
            places = [
                conditions.index(bar.condition) + (number + 0.5) * height - 0.4 for bar in mine
            ]
            means = [bar.mean for bar in mine]
            errors = [[b.mean - b.low for b in mine], [b.high - b.mean for b in mine]]
            axes.barh(
                places, means, 0.9 * height, xerr=errors, color=style.CYCLE[number % 7],
                error_kw={"elinewidth": 1, "capsize": 2}, label=quantity,
            )  # fmt: skip
        axes.axvline(0, color=style.BLACK, linewidth=1)
        axes.set_yticks(range(len(conditions)), conditions)
        axes.invert_yaxis()
        axes.set_xlabel("difference to the reference (points)")
        axes.set_title(title)
        style.light_grid(axes, "x")
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="outside right center",
            title=f"whiskers: {band}",
            title_fontsize=8,
        )
        return figure
