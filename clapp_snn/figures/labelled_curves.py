"""Learning curves of many methods in one panel, each named where it ends."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from clapp_snn.figures import style
from clapp_snn.figures.learning_curves import LearningCurve

LINES = ("-", "--", ":")
GAP = 0.036
"""Least distance of two names, as a share of the height."""


def labelled_curves(
    curves: Sequence[LearningCurve],
    title: str = "",
    readout: str = "linear probe",
    bars: str = "lowest to highest of all seeds",
) -> Figure:
    """Test accuracy in percent against steps; curves of one point are levels, drawn across the panel.

    The name of a curve stands at its right end in its colour; every seventh curve repeats a colour with
    another dash. Names that would overlap are moved apart, with a thin line to their curve.
    """
    with style.house_style():
        figure = style.new_figure(7.6, 5.0)
        axes = figure.add_subplot()
        end = max((max(curve.steps) for curve in curves), default=1) or 1
        for number, curve in enumerate(curves):
            colour, line = style.CYCLE[number % 7], LINES[number // 7 % 3]
            if len(curve.steps) == 1:
                axes.axhline(curve.accuracy[0], color=colour, linestyle=line, linewidth=1)
                continue
            axes.plot(
                curve.steps, curve.accuracy, color=colour, linestyle=line, linewidth=1.5,
                marker=style.MARKERS[number % 7], markersize=4, clip_on=False,
            )  # fmt: skip
            if curve.low is not None and curve.high is not None:
                axes.vlines(curve.steps, curve.low, curve.high, color=colour, linewidth=0.8)
        axes.set_xlim(0, end)
        low, high = axes.get_ylim()
        ends = [(curve.accuracy[-1] - low) / (high - low) for curve in curves]
        for number, (curve, at, place) in enumerate(
            zip(curves, ends, spread(ends, GAP), strict=True)
        ):
            axes.annotate(
                curve.label, xy=(1, at), xytext=(1.04, place), xycoords="axes fraction",
                color=style.CYCLE[number % 7], fontsize=8, va="center", annotation_clip=False,
                arrowprops={
                    "arrowstyle": "-", "color": style.CYCLE[number % 7], "linewidth": 0.6,
                    "relpos": (0, 0.5), "shrinkA": 1,
                },
            )  # fmt: skip
        style.step_axis(axes)
        barred = any(curve.low is not None for curve in curves)
        axes.set_xlabel(f"learning steps (bars: {bars})" if barred else "learning steps")
        axes.set_ylabel(f"test accuracy of a {readout} (%)")
        axes.set_title(title)
        style.light_grid(axes)
        return figure


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Places in the same order that are at least `gap` apart and, as a group, stay where they were."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    groups: list[list[float]] = []
    for index in order:
        group = [places[index]]
        while groups and _start(group, gap) < _start(groups[-1], gap) + gap * len(groups[-1]):
            group = groups.pop() + group
        groups.append(group)
    moved = [_start(group, gap) + gap * rank for group in groups for rank in range(len(group))]
    found = [0.0] * len(places)
    for index, place in zip(order, moved, strict=True):
        found[index] = place
    return found


def _start(group: Sequence[float], gap: float) -> float:
    """Lowest place of a group that is spread around its mean."""
    return sum(group) / len(group) - gap * (len(group) - 1) / 2
