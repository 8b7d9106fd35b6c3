"""STL-10 and other data in its binary format (A. Coates, H. Lee, A. Y. Ng, AISTATS 2011).

`train_X.bin`, `test_X.bin`, `unlabeled_X.bin`: images of 3 x 96 x 96 bytes, each colour plane column by
column. `train_y.bin`, `test_y.bin`: one byte an image, classes counted from 1. `class_names.txt`: one
name a line. `fold_indices.txt`: ten lines of image numbers of the training split, counted from 0.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from clapp_snn.stimuli.download import RemoteFile, download, extract_tar
from clapp_snn.stimuli.record import ArraySplit, Dataset, unofficial_name
from clapp_snn.stimuli.splits import Absent

IMAGE_SIZE = 96
IMAGE_BYTES = 3 * IMAGE_SIZE**2
IMAGE_FILES = ("train_X.bin", "test_X.bin", "unlabeled_X.bin")
OFFICIAL_IMAGES = {"train": 5000, "test": 8000, "unlabeled": 100_000}

# Checksums as published by torchvision (datasets/stl10.py).
ARCHIVE = RemoteFile(
    url="http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
    checksum="md5:91f7769df0f17e558f3565bffb0c7dfb",
    size=2_640_397_119,
)
OFFICIAL_LABELS_MD5 = {
    "train": "5a34089d4802c674881badbb80307741",
    "test": "36f9794fa4beb8a2c72628de14fa638e",
}


OFFICIAL_NAME = "STL-10"
"""Name of the data set whose sizes and labels are the official ones."""


def find_stl10(folder: str | Path) -> Path | None:
    """The folder that holds the binaries: `folder`, or `stl10_binary` once or twice below it."""
    root = Path(folder)
    for candidate in (root, root / "stl10_binary", root / "stl10_binary" / "stl10_binary"):
        if any((candidate / name).is_file() for name in IMAGE_FILES):
            return candidate
    return None


def open_stl10(folder: str | Path) -> Dataset:
    """Open a folder in STL-10 format without reading the images (they are memory-mapped).

    The data set is called STL-10 only if the numbers of images and the labels are the official ones,
    otherwise after its folder. Raises FileNotFoundError if a file of the labelled splits is missing and
    ValueError if a file is truncated or does not fit the others. A missing `unlabeled_X.bin` is an error
    only when the split is asked for.
    """
    home = find_stl10(folder)
    if home is None:
        raise FileNotFoundError(
            f"no STL-10 binaries in {folder}: expected train_X.bin, train_y.bin, test_X.bin, test_y.bin, "
            "class_names.txt and unlabeled_X.bin there or in stl10_binary/; `clapp-snn train --download` "
            "fetches STL-10"
        )
    names = _read_class_names(home)
    splits: dict[str, ArraySplit | Absent] = {
        key: _labelled_split(home, key, len(names)) for key in ("train", "test")
    }
    pool = home / "unlabeled_X.bin"
    splits["unlabeled"] = (
        ArraySplit(_map_images(pool), column_major=True)
        if pool.is_file()
        else Absent(
            f"{pool} is missing, so there are no unlabelled images to learn from; put the file there or "
            f"choose to learn from the images of the training split (unlabeled_from_train)"
        )
    )
    counts = ", ".join(
        f"{len(split)} {key}" for key, split in splits.items() if isinstance(split, ArraySplit)
    )
    if _is_official(home, splits):
        return Dataset(OFFICIAL_NAME, f"STL-10 ({counts} images).", names, splits)
    name = _folder_name(home)
    note = f"{name}: images in STL-10's file format, but not STL-10 ({counts} images)."
    return Dataset(name, note, names, splits)


def read_folds(folder: str | Path) -> list[Int64[Tensor, "image"]]:
    """The predefined folds of the training split: image numbers, counted from 0.

    Raises FileNotFoundError without `fold_indices.txt`, ValueError for an impossible image number.
    """
    home = find_stl10(folder) or Path(folder)
    file = home / "fold_indices.txt"
    _require(file, "it lists the images of each fold, one fold a line")
    images = len(_map_images(home / "train_X.bin"))
    folds = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        words = line.split()
        if not all(word.isdecimal() and int(word) < images for word in words):
            raise ValueError(
                f"{file}, line {number}: fold indices must be whole numbers from 0 to {images - 1}"
            )
        folds.append(torch.tensor([int(word) for word in words], dtype=torch.int64))
    return folds


def download_stl10(folder: str | Path, archive: RemoteFile = ARCHIVE) -> None:
    """Fetch and unpack STL-10 into `folder`/stl10_binary, unless its binaries are there already.

    An interrupted download continues where it stopped. The archive stays in `folder`; it may be deleted.
    """
    root = Path(folder)
    if find_stl10(root) is None:
        target = root / "stl10_binary.tar.gz"
        download(archive, target)
        extract_tar(target, root)


def _map_images(file: Path) -> np.ndarray:
    """Memory map (image, 3, col, row) of one image file."""
    _require(file, "it holds the images")
    size = file.stat().st_size
    if size == 0 or size % IMAGE_BYTES:
        raise ValueError(
            f"{file} has {size} bytes, not a whole number of images of {IMAGE_BYTES} bytes "
            f"(3 x 96 x 96): it is truncated or of another format; {_repair(file)}"
        )
    return np.memmap(
        file, np.uint8, mode="r", shape=(size // IMAGE_BYTES, 3, IMAGE_SIZE, IMAGE_SIZE)
    )


def _labelled_split(home: Path, key: str, classes: int) -> ArraySplit:
    images = _map_images(home / f"{key}_X.bin")
    file = home / f"{key}_y.bin"
    _require(file, "it holds one label (a byte, classes counted from 1) for every image")
    labels = np.fromfile(file, np.uint8)
    if len(labels) != len(images):
        raise ValueError(
            f"{file} has {len(labels)} labels for the {len(images)} images of {key}_X.bin: "
            f"one of the two files is truncated or belongs to other data; {_repair(file)}"
        )
    if labels.min() < 1 or labels.max() > classes:
        raise ValueError(
            f"{file} has labels from {labels.min()} to {labels.max()}, but class_names.txt names "
            f"{classes} classes, so labels must be from 1 to {classes}"
        )
    return ArraySplit(images, torch.from_numpy(labels.astype(np.int64) - 1), column_major=True)


def _read_class_names(home: Path) -> list[str]:
    file = home / "class_names.txt"
    _require(file, "it names the classes, one a line")
    names = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not names:
        raise ValueError(
            f"{file} is empty; it should name the classes, one a line; {_repair(file)}"
        )
    return names


def _require(file: Path, purpose: str) -> None:
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing; {purpose}. To go on, {_repair(file)}")


def _repair(file: Path) -> str:
    """What to do about a file that is missing or bad: the download never touches binaries that are there."""
    advice = "put a complete file there"
    home = file.parent
    if home.name == "stl10_binary":
        advice += (
            f"; if this is STL-10 itself, remove {home} instead and run `clapp-snn train` with "
            f"--data stl10:{home.parent} --download"
        )
    return advice


def _is_official(home: Path, splits: dict[str, ArraySplit | Absent]) -> bool:
    counts_agree = all(
        isinstance(split, Absent) or len(split) == OFFICIAL_IMAGES[key]
        for key, split in splits.items()
    )
    return counts_agree and all(
        hashlib.md5((home / f"{key}_y.bin").read_bytes(), usedforsecurity=False).hexdigest() == md5
        for key, md5 in OFFICIAL_LABELS_MD5.items()
    )


def _folder_name(home: Path) -> str:
    """Name of the nearest folder, here or above, that is not just called stl10_binary."""
    here = home.resolve()
    while here.name == "stl10_binary":
        here = here.parent
    return unofficial_name(here, OFFICIAL_NAME, "data")
