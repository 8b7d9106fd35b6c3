"""Glances at photographs: a fixation is another crop of the same image, a saccade goes to another image.

To be told apart, an image is seen through all windows that tile its centre, side by side. Rate mode lets the
patches of the same centre overlap by half.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from clapp_snn.stimuli.augment import centre_view
from clapp_snn.stimuli.record import Split

CENTRE = 64
"""Side of the centre that is inspected, in pixels, as in rate mode; smaller images are seen whole."""


@dataclass(frozen=True, eq=False)
class ImageGlances:
    """The images of a split, each seen through a square window that lands anywhere in it.

    Unlike augmentation of whole images, a glance never mirrors the world.

    Attributes:
        images: a split of a `Dataset`, read from disk or memory glance by glance.
        size: side of the window, in pixels.
        grey: one channel instead of red, green and blue; both normalised as in rate mode.

    Raises ValueError if the window is larger than the images or has no pixels.
    """

    images: Split
    size: int = 16
    grey: bool = True

    def __post_init__(self) -> None:
        rows, cols = self.images.image_size
        if not 1 <= self.size <= min(rows, cols):
            raise ValueError(
                f"a glance of {self.size}x{self.size} pixels does not fit into images of {rows}x{cols}"
            )

    @property
    def labels(self) -> Int64[Tensor, "image"] | None:
        """Class of every image, or None."""
        return self.images.labels

    def __len__(self) -> int:
        return len(self.images)

    def views(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float32[Tensor, "sample channel size size"]:
        """One crop of each image, its place uniform; one random stream a sample."""
        rows, cols = self.images.image_size
        row, col = (
            torch.cat([torch.randint(side - self.size + 1, (1,), generator=g) for g in generators])
            for side in (rows, cols)
        )
        # Cut out first: windows are small, and their images need not be normalised as a whole.
        images = self.images.read(indices)
        corners = zip(images, row.tolist(), col.tolist(), strict=True)
        seen = [each[:, r : r + self.size, c : c + self.size] for each, r, c in corners]
        return centre_view(torch.stack(seen), self.size, self.grey)

    @property
    def tiles(self) -> int:
        """Windows side by side in the centre."""
        return max(1, min(CENTRE, *self.images.image_size) // self.size)

    @property
    def looks(self) -> int:
        """Windows in the centre: 16 of 16 x 16 pixels."""
        return self.tiles**2

    def inspect(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float32[Tensor, "sample look channel size size"]:
        """The centre of each image in windows, row by row; nothing is random."""
        view = centre_view(self.images.read(indices), self.tiles * self.size, self.grey)
        windows = view.unfold(2, self.size, self.size).unfold(3, self.size, self.size)
        return windows.permute(0, 2, 3, 1, 4, 5).flatten(1, 2)

    def raw(
        self, seen: Float32[Tensor, "sample look channel size size"]
    ) -> Float32[Tensor, "sample pixel"]:
        """All pixels of the centre."""
        return seen.flatten(1)
