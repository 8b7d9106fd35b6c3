"""Recordings that are read a few frames at a time, and which frames a clip takes."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from clapp_snn.stimuli.splits import SplitSet
from clapp_snn.stimuli.video_file import read_frames


@runtime_checkable
class ClipSplit(Protocol):
    """Recordings that are read by number and frame, with a class each or without."""

    @property
    def labels(self) -> Int64[Tensor, "clip"] | None:
        """Class of every recording, counted from 0, or None."""

    @property
    def lengths(self) -> Int64[Tensor, "clip"]:
        """Frames of every recording."""

    def __len__(self) -> int:
        """Number of recordings."""

    def read(
        self, indices: Int64[Tensor, "n"], frames: Int64[Tensor, "n frame"]
    ) -> list[UInt8[Tensor, "frame row col 3"]]:
        """The frames of these recordings, in this order; recordings may differ in size."""


@dataclass(frozen=True, eq=False)
class FileClips:
    """Recordings in video files, resized when they are read, by `workers` threads.

    Attributes:
        files: one a recording.
        lengths: frames of each.
        labels: class of each, or None.
        short_side: of the resized frames, in pixels.
        workers: threads that decode.
    """

    files: list[Path]
    lengths: Int64[Tensor, "clip"]
    labels: Int64[Tensor, "clip"] | None
    short_side: int
    workers: int = 1

    def __len__(self) -> int:
        return len(self.files)

    def read(
        self, indices: Int64[Tensor, "n"], frames: Int64[Tensor, "n frame"]
    ) -> list[UInt8[Tensor, "frame row col 3"]]:
        """Decode the frames of these recordings, one thread a file.

        Raises ValueError naming a file that cannot be decoded any more.
        """
        files = [self.files[index] for index in indices.tolist()]
        with ThreadPoolExecutor(self.workers) as pool:
            found = pool.map(self._one, files, frames.numpy())
            return [torch.from_numpy(images) for images in found]

    def _one(self, file: Path, numbers: np.ndarray) -> np.ndarray:
        return read_frames(file, numbers, self.short_side)


@dataclass(frozen=True, eq=False)
class ChosenClips:
    """Some recordings of another split."""

    split: ClipSplit
    chosen: Int64[Tensor, "clip"]

    @property
    def labels(self) -> Int64[Tensor, "clip"] | None:
        """Class of every recording, counted from 0, or None."""
        labels = self.split.labels
        return None if labels is None else labels[self.chosen]

    @property
    def lengths(self) -> Int64[Tensor, "clip"]:
        """Frames of every recording."""
        return self.split.lengths[self.chosen]

    def __len__(self) -> int:
        return len(self.chosen)

    def read(
        self, indices: Int64[Tensor, "n"], frames: Int64[Tensor, "n frame"]
    ) -> list[UInt8[Tensor, "frame row col 3"]]:
        """The frames of these recordings of the split beneath."""
        return self.split.read(self.chosen[indices], frames)


@dataclass(frozen=True, eq=False)
class ClipDataset(SplitSet[ClipSplit]):
    """Labelled train and test recordings and some for learning without labels, with what they are.

    Attributes:
        every: which frame of a recording a clip takes: all (1), every third (3), ...
    """

    every: int

    def trace(self, key: str, split: ClipSplit, digest: hashlib.blake2b) -> None:
        """Lengths, labels, which frames are taken, and the middle frames of four evenly spaced recordings."""
        digest.update(f"|{key} {len(split)} {self.every}".encode())
        digest.update(split.lengths.numpy().tobytes())
        if split.labels is not None:
            digest.update(split.labels.numpy().tobytes())
        sample = torch.linspace(0, len(split) - 1, min(4, len(split))).round().long()
        for images in split.read(sample, split.lengths[sample, None] // 2):
            digest.update(images.numpy().tobytes())


def span(frames: int, every: int) -> int:
    """Frames of a recording from the first to the last frame of a clip."""
    return (frames - 1) * every + 1


def long_enough(lengths: Int64[Tensor, "clip"], frames: int, every: int) -> Bool[Tensor, "clip"]:
    """Which recordings hold a whole clip."""
    return lengths >= span(frames, every)


def without_short(split: ClipSplit, frames: int, every: int, what: str) -> tuple[ClipSplit, int]:
    """The recordings that hold a whole clip, and how many do not.

    Raises ValueError, naming the split as `what`, if none does.
    """
    chosen = long_enough(split.lengths, frames, every).nonzero().squeeze(1)
    if len(chosen) == 0:
        raise ValueError(
            f"None of the {len(split)} {what} recordings is long enough for clips of {frames} frames, every "
            f"{every}. of the recording ({span(frames, every)} frames; the longest has "
            f"{int(split.lengths.max())}); take shorter clips."
        )
    short = len(split) - len(chosen)
    return (ChosenClips(split, chosen) if short else split), short


def draw_windows(
    lengths: Int64[Tensor, "n"], frames: int, every: int, generator: torch.Generator
) -> Int64[Tensor, "n frame"]:
    """Frame numbers of one clip a recording, its start uniform over all that fit; short ones are looped."""
    room = (lengths - span(frames, every)).clamp_min(0) + 1
    # Uniform doubles times at most a few thousand starts: no start is favoured noticeably.
    drawn = torch.rand(len(lengths), generator=generator, dtype=torch.float64)
    return _frames((drawn * room).long(), lengths, frames, every)


def middle_windows(
    lengths: Int64[Tensor, "n"], frames: int, every: int
) -> Int64[Tensor, "n frame"]:
    """Frame numbers of the clip in the middle of each recording; short ones are looped from their start."""
    return _frames((lengths - span(frames, every)).clamp_min(0) // 2, lengths, frames, every)


def _frames(start: Tensor, lengths: Tensor, frames: int, every: int) -> Tensor:
    return (start[:, None] + every * torch.arange(frames)) % lengths[:, None]
