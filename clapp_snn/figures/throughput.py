"""Training speed as bars."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from clapp_snn.figures import style


@dataclass(frozen=True)
class ThroughputBar:
    """Images per second of one way to train (`label`) in one setting (`group`); low and high if known."""

    group: str
    label: str
    images_per_second: float
    low: float | None = None
    high: float | None = None


def throughput(
    bars: Sequence[ThroughputBar], title: str = "", reference: str | None = None
) -> Figure:
    """Horizontal bars, grouped by setting, one colour a way to train, the value at the end of each.

    With `reference`, the label of one way, the others also tell their ratio to it in the same group.
    """
    with style.house_style():
        groups = list(dict.fromkeys(bar.group for bar in bars))
        labels = list(dict.fromkeys(bar.label for bar in bars))
        figure = style.new_figure(7.0, 0.32 * len(bars) + 0.35 * len(groups) + 1.3)
        axes = figure.add_subplot()
        longest = max(bar.high or bar.images_per_second for bar in bars)
        position = 0.0
        ticks, named = [], set()
        for group in groups:
            members = [bar for bar in bars if bar.group == group]
            base = next((b.images_per_second for b in members if b.label == reference), None)
            ticks.append(position + (len(members) - 1) / 2)
            for bar in members:
                name = bar.label if bar.label not in named else None
                named.add(bar.label)
                axes.barh(
                    position, bar.images_per_second, 0.82, label=name,
                    color=style.CYCLE[labels.index(bar.label) % 7],
                )  # fmt: skip
                if bar.low is not None and bar.high is not None:
                    axes.hlines(position, bar.low, bar.high, color=style.BLACK, linewidth=1.2)
                value = bar.images_per_second
                axes.text(
                    (bar.high or value) + 0.01 * longest, position,
                    _value(value, base if bar.label != reference else None), va="center", fontsize=9,
                )  # fmt: skip
                position += 1
            position += 0.7
        axes.set_yticks(ticks, groups)
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xlim(0, (1.1 if reference is None else 1.2) * longest)
        axes.set_xlabel("training speed (images per second)")
        axes.set_title(title)
        style.light_grid(axes, "x")
        figure.legend(
            *axes.get_legend_handles_labels(), loc="outside lower center", ncols=min(3, len(labels))
        )
        return figure


def _value(value: float, base: float | None) -> str:
    text = f"{value:.0f}" if value >= 10 else f"{value:.2g}"
    return text if base is None else f"{text}  ({value / base:.1f}×)"
