"""Features of a whole data set, computed once and shared by the fast and the few-shot probe."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.evaluation.features import View, pixel_features, pooled_features
from clapp_snn.evaluation.interfaces import (
    FeatureEncoder,
    ImageDataset,
    ImageSplit,
    Views,
    labels_of,
)
from clapp_snn.randomness import generator


@dataclass(frozen=True)
class CachedFeatures:
    """Features by layer (0 = pixels, 1... = areas).

    `train` holds the centre crop of every training image in order, then `extra_views` times one random
    view of every training image; `train_labels` has the same length.
    """

    train: dict[int, Float[Tensor, "view channel"]]
    train_labels: Int64[Tensor, "view"]
    test: dict[int, Float[Tensor, "test channel"]]
    test_labels: Int64[Tensor, "test"]
    classes: int
    extra_views: int

    @property
    def centre_count(self) -> int:
        """Number of training images, each of them once as its centre crop."""
        return len(self.train_labels) // (1 + self.extra_views)


def cache_features(
    encoder: FeatureEncoder | None,
    dataset: ImageDataset,
    views: Views,
    seed: int = 0,
    extra_views: int = 0,
    batch: int = 250,
    device: torch.device | str = "cpu",
    progress: str | None = None,
) -> CachedFeatures:
    """Pooled features of all layers of `encoder`, or the raw pixels (layer 0) if it is None.

    Raises:
        ValueError: if a split is empty or has no labels.
    """
    train_labels = labels_of(dataset.train, "train")
    test_labels = labels_of(dataset.test, "test")

    def read(split: ImageSplit, view: View, part: str) -> dict[int, Tensor]:
        if encoder is None:
            return {0: pixel_features(split, view, batch, device)}
        bar = f"{progress} {part}" if progress else None
        layers = pooled_features(encoder, split, view, batch, device, bar)
        return dict(enumerate(layers, start=1))

    parts = [read(dataset.train, views.centre, "train")]
    for number in range(extra_views):
        view = _random_view(views, generator(seed, "probe view", number))
        parts.append(read(dataset.train, view, f"view {number + 1}"))
    return CachedFeatures(
        train={layer: torch.cat([part[layer] for part in parts]) for layer in parts[0]},
        train_labels=train_labels.repeat(1 + extra_views),
        test=read(dataset.test, views.centre, "test"),
        test_labels=test_labels,
        classes=len(dataset.class_names),
        extra_views=extra_views,
    )


def _random_view(views: Views, stream: torch.Generator) -> View:
    return lambda images: views.training(images, stream)
