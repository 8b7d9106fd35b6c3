"""The project in one picture: the task on two photographs, the circuit, and what it has learned."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle
from matplotlib.patheffects import withStroke

from clapp_snn.figures import style
from clapp_snn.figures.accuracy_per_layer import LayerCurve, draw_accuracy
from clapp_snn.figures.circuit_sketch import draw_circuit

PATCH = 16
STRIDE = 8


def first_screen(
    seen: UInt8[np.ndarray, "row col 3"],
    other: UInt8[np.ndarray, "row col 3"],
    curves: Sequence[LayerCurve],
    pixels: float | None = None,
    chance: float | None = None,
    data: str = "",
    context: tuple[int, int] = (1, 3),
    target: tuple[int, int] = (5, 3),
    elsewhere: tuple[int, int] = (3, 3),
) -> Figure:
    """Left: fixation and saccade on photographs; middle: the circuit; right: accuracy per layer.

    `seen` and `other` are 64x64 photographs. `context`, `target` and `elsewhere` are patches (row, column
    of the patch grid): the first two in `seen`, the last in `other`. `data` says what the accuracies are of.
    """
    with style.house_style():
        figure = style.new_figure(12.0, 5.0)
        left, middle, right = figure.subfigures(1, 3, squeeze=False, width_ratios=(4.0, 4.3, 3.7))[
            0
        ]
        _heading(left, "1  Predict the next glance")
        _photographs(left, seen, other, context, target, elsewhere)
        _heading(middle, "2  Each area learns with local signals")
        draw_circuit(middle.add_subplot())
        _heading(right, "3  What a linear readout finds")
        axes = right.add_subplot()
        raw = {} if pixels is None else {"raw pixels": pixels}
        draw_accuracy(axes, curves, raw, chance)
        axes.set_ylabel("test accuracy (%)", fontsize=12.5)
        axes.set_ylim(bottom=0)
        axes.legend(loc="best", fontsize=12)
        axes.set_xlabel(f"layer\n{data}" if data else "layer", fontsize=10.5)
        axes.tick_params(labelsize=12)
        return figure


def _heading(figure: Figure, text: str) -> None:
    figure.suptitle(text, x=0.02, ha="left", fontsize=13.5, fontweight="bold")


def _photographs(
    figure: Figure,
    seen: np.ndarray,
    other: np.ndarray,
    context: tuple[int, int],
    target: tuple[int, int],
    elsewhere: tuple[int, int],
) -> None:
    grid = figure.subplots(2, 2, width_ratios=(1.0, 0.9))
    captions = (
        "fixation (y = +1)\n\nThe same scene:\nprediction and\nactivity attract.",
        "saccade (y = −1)\n\nAnother scene:\nprediction and\nactivity repel.",
    )
    for (axes, beside), image, caption, colour in zip(
        grid, (seen, other), captions, (style.FIXATION, style.SACCADE), strict=True
    ):
        axes.imshow(image, interpolation="bilinear")
        axes.set_axis_off()
        beside.set_axis_off()
        beside.text(0.0, 0.5, caption, color=colour, fontsize=12.5, va="center", linespacing=1.3)
    (first, _), (second, _) = grid
    start = _patch(first, context, style.GREEN, "c")
    end = _patch(first, target, style.FIXATION, "x")
    away = _patch(second, elsewhere, style.SACCADE, "x")
    half = PATCH / 2
    left = (start[0] - half, start[1])
    _jump(figure, (first, (start[0], start[1] + half)), (first, (end[0], end[1] - half)),
          style.FIXATION)  # fmt: skip
    _jump(figure, (first, left), (second, (away[0] - half, away[1])), style.SACCADE, bend=0.35)


def _patch(axes: Axes, cell: tuple[int, int], colour: str, name: str) -> tuple[float, float]:
    """Frame a patch, name it, and return its centre (x, y) in pixels."""
    y, x = (STRIDE * index - 0.5 for index in cell)
    for shade, width in (("white", 5.5), (colour, 2.8)):
        axes.add_patch(Rectangle((x, y), PATCH, PATCH, fill=False, edgecolor=shade, lw=width))
    axes.text(
        x + PATCH + 2.2, y + PATCH / 2, name, va="center", fontsize=14, style="italic",
        color=colour, bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none"},
    )  # fmt: skip
    return x + PATCH / 2, y + PATCH / 2


def _jump(
    figure: Figure,
    start: tuple[Axes, tuple[float, float]],
    end: tuple[Axes, tuple[float, float]],
    colour: str,
    bend: float = 0.0,
) -> None:
    """An arrow with a white halo from one point to another."""
    figure.add_artist(
        ConnectionPatch(
            start[1], end[1], "data", "data", axesA=start[0], axesB=end[0], arrowstyle="-|>",
            mutation_scale=17, color=colour, linewidth=2.6, shrinkA=0, shrinkB=2,
            connectionstyle=f"arc3,rad={bend}",
            path_effects=[withStroke(linewidth=5.5, foreground="white")],
        )
    )  # fmt: skip
