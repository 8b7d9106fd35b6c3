"""Accuracy of a readout on each layer (paper, Fig. 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from clapp_snn.figures import style

RAW_MARKERS = ("*", "P", "X")


@dataclass(frozen=True)
class LayerCurve:
    """Accuracy in percent of one encoder by layer; `low` and `high` are drawn as a band."""

    label: str
    layers: Sequence[int]
    accuracy: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


def accuracy_per_layer(
    curves: Sequence[LayerCurve],
    raw: Mapping[str, float] | None = None,
    chance: float | None = None,
    paper: Mapping[str, float] | None = None,
    title: str = "",
    readout: str = "linear probe",
    band: str = "95 % interval",
    published: str = "STL-10",
    stage: str = "layer",
) -> Figure:
    """One line an encoder over the layers; raw stimuli (name: accuracy) and chance as levels.

    A curve called "random" is drawn dashed and grey. `paper` puts the paper's numbers as grey marks at the
    right: they are for the `published` data, one a method, and only for orientation. `band` says what low
    and high are. `stage` names what is counted along the axis.
    """
    with style.house_style():
        figure = style.new_figure(6.4, 4.0)
        axes = figure.add_subplot()
        draw_accuracy(axes, curves, raw, chance)
        if paper:
            _paper_marks(axes, curves, paper, published)
        axes.set_ylabel(f"test accuracy of a {readout} (%)")
        axes.set_xlabel(stage)
        axes.set_title(title)
        axes.set_ylim(bottom=0)
        banded = any(curve.low is not None for curve in curves)
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="outside right center",
            title=f"band: {band}" if banded else None,
            title_fontsize=8,
        )
        return figure


def draw_accuracy(
    axes: Axes,
    curves: Sequence[LayerCurve],
    raw: Mapping[str, float] | None,
    chance: float | None,
) -> None:
    """Draw the lines and levels on existing axes, with a handle for each in the legend."""
    number = untrained = 0
    for curve in curves:
        if curve.label.startswith("random"):
            colour, marker, line = style.GREY, style.MARKERS[untrained % 7], "--"
            untrained += 1
        else:
            colour, marker, line = style.CYCLE[number % 7], style.MARKERS[number % 7], "-"
            number += 1
        axes.plot(
            curve.layers, curve.accuracy, line, color=colour, marker=marker, label=curve.label
        )
        if curve.low is not None and curve.high is not None:
            axes.fill_between(
                curve.layers, curve.low, curve.high, color=colour, alpha=0.16, linewidth=0
            )
    for place, (name, level) in enumerate((raw or {}).items()):
        axes.axhline(
            level, color=style.BLACK, linestyle=":", marker=RAW_MARKERS[place % 3], markevery=[0],
            markersize=11, linewidth=1.2, label=name, clip_on=False,
        )  # fmt: skip
    if chance is not None:
        axes.axhline(chance, color=style.GREY, linestyle="-.", linewidth=1, label="chance")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("layer")
    style.light_grid(axes)


def _paper_marks(
    axes: Axes, curves: Sequence[LayerCurve], paper: Mapping[str, float], published: str
) -> None:
    layers = sorted({layer for curve in curves for layer in curve.layers}) or [1]
    for number, (name, value) in enumerate(paper.items()):
        axes.plot(
            [layers[-1] + 0.5], [value], style.MARKERS[-1 - number % 7], color=style.GREY,
            markersize=8, linestyle="none", label=f"paper, {published}, width 1: {name} {value:g}",
        )  # fmt: skip
    axes.set_xlim(right=layers[-1] + 0.8)
    axes.set_xticks(layers)
