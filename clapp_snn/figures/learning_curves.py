"""Probe accuracy against the number of learning steps."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from clapp_snn.figures import style


@dataclass(frozen=True)
class LearningCurve:
    """Accuracy in percent at a number of steps; `baseline` (random init) is drawn as a dashed level."""

    label: str
    steps: Sequence[float]
    accuracy: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    baseline: float | None = None


def learning_curves(
    curves: Sequence[LearningCurve],
    title: str = "",
    readout: str = "linear probe",
    band: str = "95 % interval",
    ordered: bool = False,
) -> Figure:
    """One line a method, or (with `ordered`) one line a layer, coloured by depth."""
    with style.house_style():
        figure = style.new_figure(6.4, 4.0)
        axes = figure.add_subplot()
        colours = style.depth_colours(len(curves))
        for number, curve in enumerate(curves):
            colour = colours[number] if ordered else style.CYCLE[number % 7]
            marker = style.MARKERS[number % 7]
            axes.plot(curve.steps, curve.accuracy, color=colour, marker=marker, label=curve.label)
            if curve.low is not None and curve.high is not None:
                axes.fill_between(
                    curve.steps, curve.low, curve.high, color=colour, alpha=0.16, linewidth=0
                )
            if curve.baseline is not None:
                axes.axhline(curve.baseline, color=colour, linestyle="--", linewidth=1)
        if any(curve.baseline is not None for curve in curves):
            axes.plot([], [], "--", color=style.GREY, linewidth=1, label="random init")
        axes.set_xlim(left=0)
        style.step_axis(axes)
        axes.set_xlabel("learning steps")
        axes.set_ylabel(f"test accuracy of a {readout} (%)")
        axes.set_title(title)
        style.light_grid(axes)
        banded = any(curve.low is not None for curve in curves)
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="outside right center",
            title=f"band: {band}" if banded else None,
            title_fontsize=8,
        )
        return figure
