"""Patches that excite single channels most, framed on their images (paper, Figs. 3a and 8)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from clapp_snn.figures import style

GAP = 8
"""Pixels between images."""


@dataclass(frozen=True)
class PatchPanel:
    """Preferred patches of some channels of one layer of one encoder, best first.

    `row` and `col` are cells of the patch grid; `silent` marks channels that never answer.
    """

    title: str
    channels: Sequence[int]
    images: UInt8[np.ndarray, "channel top row col 3"]
    row: Int[np.ndarray, "channel top"]
    col: Int[np.ndarray, "channel top"]
    silent: Sequence[bool]


def preferred_patches(
    panels: Sequence[PatchPanel], patch: int = 16, stride: int = 8, title: str = ""
) -> Figure:
    """One block a panel (for instance trained and random), one row a channel, one column a rank.

    Frames are yellow on black, which stands out from any photograph and for any colour vision.
    """
    with style.house_style():
        tops = [panel.images.shape[1] for panel in panels]
        rows = [panel.images.shape[0] for panel in panels]
        height = 0.62 * max(rows) + 0.75
        figure = style.new_figure(0.6 * sum(tops) + 0.7 * len(panels), height)
        blocks = figure.subfigures(1, len(panels), width_ratios=tops, squeeze=False)[0]
        for block, panel in zip(blocks, panels, strict=True):
            block.suptitle(panel.title, fontsize=10, fontweight="bold")
            _block(block.add_subplot(), panel, patch, stride)
        style.heading(figure, title)
        return figure


def _block(axes: Axes, panel: PatchPanel, patch: int, stride: int) -> None:
    """All images of a panel as one picture, with the frames drawn over it."""
    side = panel.images.shape[2]
    step = side + GAP
    axes.imshow(mosaic(panel), interpolation="nearest")
    for index in range(len(panel.channels)):
        if panel.silent[index]:
            continue
        for rank in range(panel.images.shape[1]):
            x = rank * step + stride * int(panel.col[index, rank]) - 0.5
            y = index * step + stride * int(panel.row[index, rank]) - 0.5
            for colour, width in ((style.BLACK, 2.6), (style.YELLOW, 1.2)):
                axes.add_patch(
                    Rectangle((x, y), patch, patch, fill=False, edgecolor=colour, linewidth=width)
                )
    labels = [
        f"{channel}\nsilent" if silent else f"{channel}"
        for channel, silent in zip(panel.channels, panel.silent, strict=True)
    ]
    axes.set_yticks([index * step + side / 2 for index in range(len(labels))], labels, fontsize=8)
    axes.set_xticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_ylabel("channel")
    axes.set_xlabel("images, most preferred first")


def mosaic(panel: PatchPanel) -> UInt8[np.ndarray, "height width 3"]:
    """One row a channel on white; the images of silent channels are faded."""
    rows, tops, side = panel.images.shape[:3]
    step = side + GAP
    canvas = np.full((rows * step - GAP, tops * step - GAP, 3), 255, dtype=np.uint8)
    for index in range(rows):
        for rank in range(tops):
            image = panel.images[index, rank]
            y, x = index * step, rank * step
            canvas[y : y + side, x : x + side] = 191 + image // 4 if panel.silent[index] else image
    return canvas
