"""Patches that excite single channels most, framed on their images (paper, Figs. 3a and 8)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from clapp_snn.figures import style


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
            grid = block.subplots(*panel.images.shape[:2], squeeze=False)
            for index, channel in enumerate(panel.channels):
                for rank, axes in enumerate(grid[index]):
                    axes.imshow(panel.images[index, rank], interpolation="nearest")
                    axes.set_xticks([])
                    axes.set_yticks([])
                    for spine in axes.spines.values():
                        spine.set_visible(False)
                    if panel.silent[index]:
                        axes.images[0].set_alpha(0.25)
                        continue
                    corner = (stride * panel.col[index, rank], stride * panel.row[index, rank])
                    _frame(axes, (corner[0] - 0.5, corner[1] - 0.5), patch)
                label = f"{channel}\nsilent" if panel.silent[index] else f"{channel}"
                grid[index, 0].set_ylabel(
                    label, rotation=0, ha="right", va="center", fontsize=8, labelpad=4
                )
            block.supxlabel("one channel a row, most preferred image first", fontsize=8)
        style.heading(figure, title)
        return figure


def _frame(axes: Axes, corner: tuple[float, float], side: int) -> None:
    for colour, width in ((style.BLACK, 2.6), (style.YELLOW, 1.2)):
        axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=colour, linewidth=width))
