"""Features of clips: every layer's output, averaged over time and flattened over place and channel."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from tqdm import tqdm

from clapp_snn.encoders.video import VideoEncoder
from clapp_snn.evaluation.cache import CachedFeatures
from clapp_snn.evaluation.features import index_batches
from clapp_snn.randomness import generator
from clapp_snn.stimuli.clip_views import central_view, classifier_view
from clapp_snn.stimuli.clips import (
    ClipDataset,
    ClipSplit,
    draw_windows,
    middle_windows,
    without_short,
)


@dataclass(frozen=True)
class ClipSettings:
    """Which part of a recording a probe looks at.

    Attributes:
        frames: of a clip.
        side: of the frames that the encoder sees, in pixels.
        published_test: True tests on augmented clips at random times and leaves out recordings that are too
            short, as the published code does; False takes the central crop in the middle of every recording
            and plays short ones in a loop, so that none is missing.
        batch: clips encoded at a time.
    """

    frames: int = 72
    side: int = 128
    published_test: bool = False
    batch: int = 8


def require_labels(split: ClipSplit, what: str) -> Int64[Tensor, "clip"]:
    """Labels of a split; raises ValueError if it has none."""
    if split.labels is None:
        raise ValueError(f"The {what} clips have no labels; a probe needs labelled clips.")
    return split.labels


def test_clips(
    dataset: ClipDataset, settings: ClipSettings, seed: int, device: torch.device
) -> Iterator[tuple[Float[Tensor, "clip time row col 3"], Int64[Tensor, "clip"]]]:
    """Views and labels of the test recordings, in order."""
    split: ClipSplit = dataset.test
    if settings.published_test:
        split, _ = without_short(split, settings.frames, dataset.every, "test")
    labels = require_labels(split, "test")
    for number, indices in enumerate(index_batches(len(split), settings.batch)):
        if settings.published_test:
            stream = generator(seed, "clip test", number)
            clips = _read(split, indices, settings, dataset.every, stream)
            yield (
                classifier_view(clips, settings.side, stream, device, test=True),
                labels[indices],
            )
        else:
            clips = _read(split, indices, settings, dataset.every, None)
            yield central_view(clips, settings.side, device), labels[indices]


def train_clips(
    dataset: ClipDataset, settings: ClipSettings, device: torch.device
) -> Iterator[tuple[Float[Tensor, "clip time row col 3"], Int64[Tensor, "clip"]]]:
    """Central views and labels of the training recordings that are long enough, in order."""
    split, _ = without_short(dataset.train, settings.frames, dataset.every, "train")
    labels = require_labels(split, "train")
    for indices in index_batches(len(split), settings.batch):
        clips = _read(split, indices, settings, dataset.every, None)
        yield central_view(clips, settings.side, device), labels[indices]


def augmented_clips(
    split: ClipSplit,
    indices: Int64[Tensor, "clip"],
    settings: ClipSettings,
    every: int,
    stream: torch.Generator,
    device: torch.device,
) -> Float[Tensor, "clip time row col 3"]:
    """Classifier views of these recordings at random times."""
    clips = _read(split, indices, settings, every, stream)
    return classifier_view(clips, settings.side, stream, device)


@torch.no_grad()
def features_of(
    encoder: VideoEncoder | None,
    clips: Iterator[tuple[Tensor, Tensor]],
    progress: str | None = None,
) -> tuple[dict[int, Float[Tensor, "clip feature"]], Int64[Tensor, "clip"]]:
    """Features by layer (from 1), or time-averaged pixels (layer 0) without an encoder, and the labels."""
    parts: list[list[Tensor]] = []
    labels = []
    for view, known in tqdm(
        clips, desc=progress, unit=" batches", disable=None if progress else True
    ):
        parts.append([view.mean(1).flatten(1)] if encoder is None else encoder.features(view))
        labels.append(known)
    first = 0 if encoder is None else 1
    layers = [torch.cat(layer) for layer in zip(*parts, strict=True)]
    return dict(enumerate(layers, start=first)), torch.cat(labels)


def cache_clips(
    encoder: VideoEncoder | None,
    dataset: ClipDataset,
    settings: ClipSettings,
    seed: int,
    device: torch.device,
    progress: str | None = None,
) -> CachedFeatures:
    """Features of all training and test recordings, each seen once.

    Raises ValueError for splits without labels or recordings that are all too short.
    """
    train, train_labels = features_of(
        encoder, train_clips(dataset, settings, device), progress and f"{progress} train"
    )
    test, test_labels = features_of(
        encoder, test_clips(dataset, settings, seed, device), progress and f"{progress} test"
    )
    return CachedFeatures(
        train, train_labels, test, test_labels, len(dataset.class_names), extra_views=0
    )


def _read(
    split: ClipSplit,
    indices: Int64[Tensor, "clip"],
    settings: ClipSettings,
    every: int,
    stream: torch.Generator | None,
) -> list[UInt8[Tensor, "frame row col 3"]]:
    lengths = split.lengths[indices]
    if stream is None:
        return split.read(indices, middle_windows(lengths, settings.frames, every))
    return split.read(indices, draw_windows(lengths, settings.frames, every, stream))
