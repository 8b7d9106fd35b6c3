"""What the evaluations ask of an encoder, a data set and a view: nothing but shapes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from clapp_snn.stimuli.augment import centre_view, training_view


class FeatureEncoder(Protocol):
    """A frozen encoder: images in, one feature map per layer out, without gradients."""

    @property
    def channels(self) -> Sequence[int]:
        """Number of features of each layer."""

    def features(
        self, images: Float[Tensor, "image 1 row col"]
    ) -> list[Float[Tensor, "image gridrow gridcol channel"]]:
        """Activity of every layer, averaged over the positions inside each patch."""


class ImageSplit(Protocol):
    """A part of a data set, read by index."""

    @property
    def labels(self) -> Int64[Tensor, "image"] | None:
        """Class of every image, counted from 0; None if the split has no labels."""

    def __len__(self) -> int: ...

    def read(self, indices: Int64[Tensor, "image"]) -> UInt8[Tensor, "image 3 row col"]:
        """Raw images at `indices`."""


class ImageDataset(Protocol):
    """Labelled train and test images with a name."""

    @property
    def train(self) -> ImageSplit: ...

    @property
    def test(self) -> ImageSplit: ...

    @property
    def class_names(self) -> Sequence[str]: ...

    @property
    def name(self) -> str: ...

    @property
    def chance(self) -> float: ...


@dataclass(frozen=True)
class Views:
    """How raw images become network input: randomly for training, fixed for test."""

    training: Callable[
        [UInt8[Tensor, "image 3 row col"], torch.Generator], Float[Tensor, "image channel r c"]
    ]
    centre: Callable[[UInt8[Tensor, "image 3 row col"]], Float[Tensor, "image channel r c"]]


def standard_views(crop: int = 64, grey: bool = True) -> Views:
    """The paper's views: random crop and flip for training, centre crop for test."""
    return Views(
        training=partial(training_view, crop=crop, grey=grey),
        centre=partial(centre_view, crop=crop, grey=grey),
    )


def labels_of(split: ImageSplit, what: str) -> Int64[Tensor, "image"]:
    """Labels of a split that must have them and must not be empty.

    Raises:
        ValueError: if the split holds no images or no labels.
    """
    if len(split) == 0:
        raise ValueError(f"The {what} split is empty; a probe needs labelled images in it.")
    if split.labels is None:
        raise ValueError(f"The {what} split has no labels; a probe needs labelled images.")
    return split.labels
