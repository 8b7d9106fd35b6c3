"""Clips packed into two .npz files, NAME_train.npz and NAME_test.npz.

Each holds `data` (uint8, encoded images back to back), `offsets` (int64, one more than there are images),
`n_frames` (T; clip i is images i T to (i + 1) T), `labels`, `class_names` and optionally `meta` (JSON with
what the images are). Nothing in them is executed: arrays are read without pickle, images with Pillow.
"""

import io
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from clapp_snn.stimuli.clips import ClipDataset, ClipSplit, without_short
from clapp_snn.stimuli.npz import read_arrays
from clapp_snn.stimuli.splits import Absent

KEYS = ("data", "offsets", "n_frames", "labels", "class_names")


@dataclass(frozen=True, eq=False)
class ArrayClips:
    """Recordings in memory."""

    recordings: list[UInt8[Tensor, "frame row col 3"]]
    labels: Int64[Tensor, "clip"] | None

    @property
    def lengths(self) -> Int64[Tensor, "clip"]:
        """Frames of every recording."""
        return torch.tensor([len(each) for each in self.recordings])

    def __len__(self) -> int:
        return len(self.recordings)

    def read(
        self, indices: Int64[Tensor, "n"], frames: Int64[Tensor, "n frame"]
    ) -> list[UInt8[Tensor, "frame row col 3"]]:
        """Copies of the frames of these recordings."""
        return [
            self.recordings[i][chosen] for i, chosen in zip(indices.tolist(), frames, strict=True)
        ]


def open_clip_pack(folder: str | Path, frames: int, every: int = 1) -> ClipDataset:
    """The one pair of packs in a folder, for clips of `frames` frames; learning uses the training clips.

    Clips that are too short are left out of learning and counted in the note.

    Raises FileNotFoundError if there is no pair, ValueError if there are several or one is damaged.
    """
    root = Path(folder).expanduser()
    names = sorted(path.name.removesuffix("_train.npz") for path in root.glob("*_train.npz"))
    if not names:
        raise FileNotFoundError(
            f"{root} holds no clip pack: NAME_train.npz and NAME_test.npz are expected there."
        )
    if len(names) > 1:
        raise ValueError(
            f"{root} holds several clip packs ({', '.join(names)}); give each a folder."
        )
    name = names[0]
    train, classes, about = read_pack(root / f"{name}_train.npz")
    test, test_classes, _ = read_pack(root / f"{name}_test.npz")
    if classes != test_classes:
        raise ValueError(
            f"{root}: {name}_train.npz and {name}_test.npz name different classes; they are no pair."
        )
    kept, short = without_short(train, frames, every, "train")
    rows, cols = train.recordings[0].shape[1:3]
    note = (
        f"{name}: a clip pack, {len(train)} train and {len(test)} test clips of "
        f"{int(train.lengths.max())} frames of {rows}x{cols} pixels; clips of {frames} frames are taken, "
        f"one frame in {every}; {short} too short ones are left out of learning."
    )
    if about:
        note += f" {about}"
    splits: dict[str, ClipSplit | Absent] = {"train": kept, "unlabeled": kept, "test": test}
    return ClipDataset(name, note, classes, splits, every)


def read_pack(path: Path) -> tuple[ArrayClips, list[str], str]:
    """Clips, class names and a description of one pack; all images are decoded at once, in threads.

    Raises FileNotFoundError if it is not there, ValueError, naming what is wrong, if it is damaged.
    """
    arrays = read_arrays(path)
    missing = [key for key in KEYS if key not in arrays]
    if missing:
        raise ValueError(f"{path} is no clip pack: it has no {', '.join(missing)}.")
    data, offsets, labels = arrays["data"], arrays["offsets"], arrays["labels"]
    length, classes = int(arrays["n_frames"]), [str(each) for each in arrays["class_names"]]
    clips = len(labels)
    if length < 1 or len(offsets) != clips * length + 1:
        raise ValueError(
            f"{path}: {len(offsets) - 1} images do not make {clips} clips of {length} frames."
        )
    if offsets[0] != 0 or offsets[-1] != len(data) or (np.diff(offsets) <= 0).any():
        raise ValueError(f"{path}: the offsets do not cut its {len(data)} bytes into images.")
    if clips == 0 or labels.min() < 0 or labels.max() >= len(classes):
        raise ValueError(f"{path}: its labels do not name {len(classes)} classes.")

    def clip(number: int) -> Tensor:
        places = range(number * length, (number + 1) * length)
        images = [_decode(data[offsets[i] : offsets[i + 1]], path, i) for i in places]
        if len({image.shape for image in images}) > 1:
            raise ValueError(f"{path}: the frames of clip {number} differ in size.")
        return torch.from_numpy(np.stack(images))

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        recordings = list(pool.map(clip, range(clips)))
    return (
        ArrayClips(recordings, torch.from_numpy(labels.astype(np.int64))),
        classes,
        _about(arrays),
    )


def _decode(encoded: np.ndarray, path: Path, number: int) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(encoded.tobytes())) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise ValueError(f"{path}: image {number} cannot be decoded ({error}).") from error


def _about(arrays: Mapping[str, np.ndarray]) -> str:
    """Source and codec from `meta`, where there is one that can be read."""
    if "meta" not in arrays:
        return ""
    try:
        record = json.loads(str(arrays["meta"]))
    except json.JSONDecodeError:
        return ""
    known = (str(record[key]) for key in ("source", "frame") if key in record)
    return "; ".join(known)
