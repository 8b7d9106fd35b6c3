"""The project in one picture: the task on two photographs, the circuit, and what it has learned."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle

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
    context: tuple[int, int] = (0, 2),
    target: tuple[int, int] = (4, 2),
    elsewhere: tuple[int, int] = (4, 3),
) -> Figure:
    """Left: fixation and saccade on photographs; middle: the circuit; right: accuracy per layer.

    `seen` and `other` are 64x64 photographs. `context`, `target` and `elsewhere` are patches (row, column
    of the patch grid): the first two in `seen`, the last in `other`. `data` says what the accuracies are of.
    """
    with style.house_style():
        figure = style.new_figure(12.0, 5.0)
        left, middle, right = figure.subfigures(1, 3, width_ratios=(4.0, 4.3, 3.7))
        _heading(left, "1  Predict what the next glance shows")
        _photographs(left, seen, other, context, target, elsewhere)
        _heading(middle, "2  Each area learns with local signals")
        draw_circuit(middle.add_subplot())
        _heading(right, "3  What a linear readout finds")
        axes = right.add_subplot()
        draw_accuracy(axes, curves, pixels, chance)
        axes.set_ylabel("test accuracy (%)")
        axes.set_ylim(bottom=0)
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.06), fontsize=10)
        axes.set_xlabel(f"layer\n{data}" if data else "layer")
        return figure


def _heading(figure: Figure, text: str) -> None:
    figure.suptitle(text, x=0.02, ha="left", fontsize=12.5, fontweight="bold")


def _photographs(
    figure: Figure,
    seen: np.ndarray,
    other: np.ndarray,
    context: tuple[int, int],
    target: tuple[int, int],
    elsewhere: tuple[int, int],
) -> None:
    first, second = figure.subplots(1, 2)
    captions = (
        "fixation: same scene\nprediction and activity\nare pulled together",
        "saccade: another scene\nprediction and activity\nare pushed apart",
    )
    for axes, image, caption, colour in zip(
        (first, second), (seen, other), captions, (style.FIXATION, style.SACCADE), strict=True
    ):
        axes.imshow(image, interpolation="bilinear")
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set_xlabel(caption, color=colour, fontsize=10.5, labelpad=8)
    start = _patch(first, context, style.GREEN, "c")
    end = _patch(first, target, style.FIXATION, "x")
    away = _patch(second, elsewhere, style.SACCADE, "x")
    _jump(figure, (first, start), (first, end), style.FIXATION)
    _jump(figure, (first, start), (second, away), style.SACCADE, bend=-0.2)


def _patch(axes: Axes, cell: tuple[int, int], colour: str, name: str) -> tuple[float, float]:
    """Frame a patch, name it, and return its centre (x, y) in pixels."""
    y, x = (STRIDE * index - 0.5 for index in cell)
    for shade, width in (("white", 5.5), (colour, 2.8)):
        axes.add_patch(Rectangle((x, y), PATCH, PATCH, fill=False, edgecolor=shade, lw=width))
    axes.text(
        x + PATCH + 2.2, y + PATCH / 2, name, va="center", fontsize=12, style="italic",
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
    """An arrow with a white halo from the centre of one patch towards that of another."""
    for shade, width in (("white", 5.5), (colour, 2.6)):
        figure.add_artist(
            ConnectionPatch(
                start[1], end[1], "data", "data", start[0], end[0], arrowstyle="-|>",
                mutation_scale=17, color=shade, linewidth=width, shrinkA=2, shrinkB=24,
                connectionstyle=f"arc3,rad={bend}",
            )
        )  # fmt: skip
