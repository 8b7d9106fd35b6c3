"""Glances at photographs: a fixation is another crop of the same image, a saccade goes to another image."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from clapp_snn.stimuli.augment import CropDraw, apply_view
from clapp_snn.stimuli.record import Split


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
        draw = CropDraw(row, col, torch.zeros(len(row), dtype=torch.bool))
        return apply_view(self.images.read(indices), draw, self.size, self.grey)
