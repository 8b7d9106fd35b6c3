"""What every data set looks like to the rest of the project: splits, and a record that names them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor


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


@dataclass(frozen=True)
class Absent:
    """Stands for a split that a data set does not have; `reason` says what is missing and what to do."""

    reason: str


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled train and test images and unlabelled images for learning, with what they are.

    `note` says in plain words what the data are and what they are not. `splits` has the keys
    "train", "test" and "unlabeled"; asking for one that is `Absent` raises FileNotFoundError.
    """

    name: str
    note: str
    class_names: list[str]
    splits: Mapping[str, Split | Absent]

    @property
    def train(self) -> Split:
        """Labelled images on which a readout is trained."""
        return self._split("train")

    @property
    def test(self) -> Split:
        """Labelled images on which a readout is tested."""
        return self._split("test")

    @property
    def unlabeled(self) -> Split:
        """Images for self-supervised learning."""
        return self._split("unlabeled")

    @property
    def chance(self) -> float:
        """Accuracy of guessing among equally frequent classes, in percent."""
        return 100.0 / len(self.class_names)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change with the classes, sizes, labels or sampled images.

        Eight evenly spaced images of each split are hashed, so this costs the same for any size. The
        name is left out: a folder may be renamed.
        """
        digest = hashlib.blake2b(digest_size=8)
        digest.update("\x1f".join(self.class_names).encode())
        for key in ("train", "test", "unlabeled"):
            split = self.splits[key]
            if isinstance(split, Absent):
                digest.update(f"|{key} absent".encode())
                continue
            digest.update(f"|{key} {len(split)} {split.image_size}".encode())
            if split.labels is not None:
                digest.update(split.labels.numpy().tobytes())
            sample = torch.linspace(0, len(split) - 1, min(8, len(split))).round().long()
            digest.update(split.read(sample).numpy().tobytes())
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """What the data are, as plain values for a run's `data.json`."""
        return {
            "name": self.name,
            "note": self.note,
            "classes": list(self.class_names),
            "chance": self.chance,
            "fingerprint": self.fingerprint,
        }

    def learning_from_train(self) -> "Dataset":
        """The same data, where self-supervised learning uses the images (not the labels) of train."""
        return replace(
            self,
            note=f"{self.note} Learning uses the images of the training split, without labels.",
            splits={**self.splits, "unlabeled": WithoutLabels(self.train)},
        )

    def _split(self, key: str) -> Split:
        split = self.splits[key]
        if isinstance(split, Absent):
            raise FileNotFoundError(split.reason)
        return split


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
