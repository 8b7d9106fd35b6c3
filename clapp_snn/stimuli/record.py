"""What every data set looks like to the rest of the project: splits, and a record that names them."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from clapp_snn.stimuli.splits import SplitSet


def unofficial_name(folder: Path, official: str, content: str) -> str:
    """Name of data that are not those published: that of their folder, but never the official one."""
    name = folder.resolve().name or f"unnamed {content}"
    return f"unofficial {official}" if name == official else name


@runtime_checkable
class Split(Protocol):
    """Images that are read by number, with a class each or without."""

    @property
    def labels(self) -> Int64[Tensor, "image"] | None:
        """Class of every image, counted from 0, or None."""

    @property
    def image_size(self) -> tuple[int, int]:
        """Rows and columns of every image, in pixels."""

    def __len__(self) -> int:
        """Number of images."""

    def read(self, indices: Int64[Tensor, "n"]) -> UInt8[Tensor, "n 3 row col"]:
        """Copy of the images with these numbers, in this order, contiguous, in CPU memory."""


@dataclass(frozen=True, eq=False)
class ArraySplit:
    """A split over one array, which may be a memory map: only images that are read are copied.

    `images` is uint8 (image, 3, row, col), or (image, 3, col, row) if `column_major`.
    """

    images: np.ndarray
    labels: Int64[Tensor, "image"] | None = None
    column_major: bool = False

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4 or self.images.shape[1] != 3:
            raise ValueError(
                f"images must be uint8 (image, 3, row, col), "
                f"not {self.images.dtype} {self.images.shape}"
            )
        if self.labels is not None and len(self.labels) != len(self.images):
            raise ValueError(f"{len(self.labels)} labels for {len(self.images)} images")

    @property
    def image_size(self) -> tuple[int, int]:
        """Rows and columns of every image, in pixels."""
        first, second = self.images.shape[2:]
        return (second, first) if self.column_major else (first, second)

    def __len__(self) -> int:
        return len(self.images)

    def read(self, indices: Int64[Tensor, "n"]) -> UInt8[Tensor, "n 3 row col"]:
        """Copy of the images with these numbers, in this order, contiguous, in CPU memory.

        Raises IndexError for a number outside 0..len-1.
        """
        numbers = indices.cpu().numpy()
        if numbers.size and (numbers.min() < 0 or numbers.max() >= len(self)):
            raise IndexError(
                f"image numbers {numbers.min()}..{numbers.max()} asked for, "
                f"but the split has {len(self)} images"
            )
        images = torch.from_numpy(np.asarray(self.images[numbers]))
        return images.transpose(2, 3).contiguous() if self.column_major else images


@dataclass(frozen=True, eq=False)
class Dataset(SplitSet[Split]):
    """Labelled train and test images and unlabelled images for learning, with what they are."""

    def trace(self, key: str, split: Split, digest: hashlib.blake2b) -> None:
        """Sizes, all labels, and eight evenly spaced images."""
        digest.update(f"|{key} {len(split)} {split.image_size}".encode())
        if split.labels is not None:
            digest.update(split.labels.numpy().tobytes())
        sample = torch.linspace(0, len(split) - 1, min(8, len(split))).round().long()
        digest.update(split.read(sample).numpy().tobytes())

    def learning_from_train(self) -> "Dataset":
        """The same data, where self-supervised learning uses the images (not the labels) of train."""
        return replace(
            self,
            note=f"{self.note} Learning without labels uses the images of the training split.",
            splits={**self.splits, "unlabeled": WithoutLabels(self.train)},
        )


@dataclass(frozen=True, eq=False)
class WithoutLabels:
    """A split whose labels are hidden."""

    split: Split

    @property
    def labels(self) -> None:
        """Always None."""
        return None

    @property
    def image_size(self) -> tuple[int, int]:
        """Rows and columns of every image, in pixels."""
        return self.split.image_size

    def __len__(self) -> int:
        return len(self.split)

    def read(self, indices: Int64[Tensor, "n"]) -> UInt8[Tensor, "n 3 row col"]:
        """The images of the split beneath."""
        return self.split.read(indices)
