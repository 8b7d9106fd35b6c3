"""t-SNE maps of several layers (paper, Fig. 3b)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from clapp_snn.figures import style

MOST_CLASSES = 16
LINE = {"o": 0.0, "x": 1.0}


@dataclass(frozen=True)
class EmbeddingPanel:
    """A two-dimensional map of images with the class of each."""

    title: str
    points: Float[np.ndarray, "image 2"]
    labels: Int[np.ndarray, "image"]


def tsne(
    panels: Sequence[EmbeddingPanel], class_names: Sequence[str], columns: int = 3, title: str = ""
) -> Figure:
    """One scatter a layer, one colour and marker a class. Axes of t-SNE have no unit and no meaning.

    Raises ValueError for more classes than can be told apart.
    """
    if len(class_names) > MOST_CLASSES:
        raise ValueError(
            f"{len(class_names)} classes cannot be told apart; choose at most {MOST_CLASSES}."
        )
    with style.house_style():
        columns = min(columns, len(panels))
        rows = -(-len(panels) // columns)
        figure = style.new_figure(2.9 * columns + 1.6, 2.9 * rows + 0.2)
        drawn = figure.subplots(rows, columns, squeeze=False).flatten()
        looks = style.class_styles(len(class_names))
        for axes, panel in zip(drawn, panels, strict=False):
            for number, (colour, marker) in enumerate(looks):
                chosen = panel.points[panel.labels == number]
                axes.scatter(
                    chosen[:, 0], chosen[:, 1], color=colour, linewidths=LINE[marker],
                    s=max(3.0, min(16.0, 6000 / len(panel.points))),
                    marker=marker,
                )  # fmt: skip
            axes.set_title(panel.title)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_box_aspect(1)
        for axes in drawn[len(panels) :]:
            axes.set_axis_off()
        handles = [
            drawn[0].scatter(
                [], [], color=colour, marker=marker, s=30, linewidths=1.6 * LINE[marker]
            )
            for colour, marker in looks
        ]
        figure.legend(handles, [short(name) for name in class_names], loc="outside right center")
        style.heading(figure, title)
        figure.supxlabel("t-SNE 1 (no unit)", fontsize=9)
        figure.supylabel("t-SNE 2 (no unit)", fontsize=9)
        return figure


def short(name: str, length: int = 22) -> str:
    """A class name cut to fit a legend."""
    return name if len(name) <= length else f"{name[: length - 1]}…"
