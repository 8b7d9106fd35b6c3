"""Cells: the pooled activity of one patch, arranged so that every prediction step is a view.

An image is read as a 7 x 7 grid of patches from top to bottom; row `r` (earlier) predicts row `r + d`
(later) in the same column. With the layout (group, row, image, column, channel) the contexts and the
targets of any distance `d` are plain slices: nothing is copied.
"""

from jaxtyping import Float
from torch import Tensor


def to_cells(
    feature: Float[Tensor, "patch channel"], images: int, group: int, grid: int
) -> Float[Tensor, "groups row image col channel"]:
    """Arrange patch features, ordered (image, row, col), as cells in groups of `group` images.

    Raises ValueError when the number of patches or the grouping does not fit.
    """
    if feature.shape[0] != images * grid * grid:
        raise ValueError(
            f"{feature.shape[0]} patches are not {images} images of {grid} x {grid} patches; "
            "pass the grid the images were cut into."
        )
    if images % group:
        raise ValueError(
            f"A batch of {images} images does not split into groups of {group}; "
            "choose a batch size that is a multiple of the group size."
        )
    grouped = feature.view(images // group, group, grid, grid, feature.shape[1])
    return grouped.transpose(1, 2).contiguous()


def from_cells(
    cells: Float[Tensor, "groups row image col channel"],
) -> Float[Tensor, "patch channel"]:
    """Inverse of `to_cells`."""
    return cells.transpose(1, 2).reshape(-1, cells.shape[-1])


def context_cells(
    cells: Float[Tensor, "groups row image col channel"], distance: int
) -> Float[Tensor, "groups cell channel"]:
    """Cells of the rows that predict: all but the last `distance` rows (a view)."""
    return cells[:, : cells.shape[1] - distance].flatten(1, 3)


def target_cells(
    cells: Float[Tensor, "groups row image col channel"], distance: int
) -> Float[Tensor, "groups cell channel"]:
    """Cells of the rows that are predicted: all but the first `distance` rows (a view)."""
    return cells[:, distance:].flatten(1, 3)
