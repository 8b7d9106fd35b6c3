"""A folder of images: `train/<class>/...`, `test/<class>/...` and `unlabeled/...`, at any depth.

Every image becomes RGB, upright (EXIF orientation), its centre square resized with Lanczos. The result is
kept in a cache of raw bytes, found again from the list of files, their sizes and times of change.
"""

import hashlib
import json
import os
import struct
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from tqdm import tqdm

from clapp_snn.files import atomic_path, write_text
from clapp_snn.stimuli.record import ArraySplit, Dataset, Split
from clapp_snn.stimuli.splits import Absent

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
CACHE_VARIABLE = "CLAPP_SNN_CACHE"
LAYOUT = "train/<class>/, test/<class>/ and unlabeled/ with image files in them"
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)


def is_image_folder(folder: str | Path) -> bool:
    """Whether `folder` looks like an image folder: it has train/ or unlabeled/."""
    return (Path(folder) / "train").is_dir() or (Path(folder) / "unlabeled").is_dir()


def open_image_folder(
    folder: str | Path, size: int = 96, skip_unreadable: bool = False, cache: Path | None = None
) -> Dataset:
    """Open a folder of images as squares of `size` pixels.

    Classes are the sub-folders of train/, in alphabetical order. Files are told by their suffix; hidden
    ones are ignored. Raises FileNotFoundError without train/<class>/ images, ValueError if test/ has a
    class that train/ has not, or for image files that cannot be read: these are named, or with
    `skip_unreadable` left out and counted in the note. A missing test/ or unlabeled/ is an error only when
    it is asked for.
    """
    root = Path(folder)
    names = sorted(entry.name for entry in _subfolders(root / "train"))
    if not names:
        raise FileNotFoundError(f"{root}/train/ has no class folders; needed are {LAYOUT}")
    unknown = sorted({entry.name for entry in _subfolders(root / "test")} - set(names))
    if unknown:
        raise ValueError(f"{root}/test/ has classes that train/ has not: {', '.join(unknown)}")
    store = cache or default_cache()
    skipped: list[Path] = []
    splits: dict[str, Split | Absent] = {}
    for key in ("train", "test", "unlabeled"):
        files = _labelled_files(root / key, names) if key != "unlabeled" else _pool(root / key)
        if key == "train":
            _require_every_class(root / key, names, files)
        if files:
            images, bad = decoded([file for file, _ in files], size, skip_unreadable, store)
            skipped += bad
            left_out = set(bad)
            labels = [label for file, label in files if file not in left_out]
            splits[key] = ArraySplit(
                images, None if key == "unlabeled" else torch.tensor(labels, dtype=torch.int64)
            )
        else:
            splits[key] = Absent(_reason(root, key))
    name = root.resolve().name
    counts = ", ".join(
        f"{len(split)} {key}" for key, split in splits.items() if isinstance(split, ArraySplit)
    )
    note = f"{name}: a folder of images ({counts}), centre squares resized to {size}x{size} pixels."
    if skipped:
        note += f" {len(skipped)} unreadable files were left out: {_some(skipped)}."
    return Dataset(name, note, names, splits)


def decode(file: Path, size: int) -> UInt8[np.ndarray, "3 row col"]:
    """One image file as RGB, upright, centre square, Lanczos-resized; transparent parts become white.

    Raises ValueError naming the file if it cannot be read.
    """
    try:
        with Image.open(file) as opened:
            image = _to_rgb(ImageOps.exif_transpose(opened))
    except _UNREADABLE as error:
        raise ValueError(f"{file}: {error}") from error
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    # Resizing with a box would let the filter see pixels outside the square.
    square = image.crop((left, top, left + side, top + side))
    resized = square.resize((size, size), Image.Resampling.LANCZOS)
    return np.ascontiguousarray(np.asarray(resized).transpose(2, 0, 1))


def decoded(
    files: list[Path], size: int, skip_unreadable: bool, cache: Path
) -> tuple[np.ndarray, list[Path]]:
    """Memory map (image, 3, size, size) of the readable files, in order, and the unreadable ones.

    Decodes in threads what the cache does not hold. Raises ValueError if files are unreadable (all are if
    none remains), unless `skip_unreadable`, and OSError if the cache cannot be written.
    """
    key = _cache_key(files, size)
    data, index = cache / f"{key}.bin", cache / f"{key}.json"
    known = data.is_file() and index.is_file()
    # What could not be read then (a lost disk, a missing permission) may be readable now.
    if not known or any(_decode_or_none(files[i], size) is not None for i in _unreadable(index)):
        try:
            _build(files, size, data, index)
        except OSError as error:
            raise OSError(
                error.errno,
                f"cannot keep decoded images in {cache}: {error.strerror or error}. It needs "
                f"{len(files) * 3 * size**2 / 1e6:.0f} MB; set {CACHE_VARIABLE} to a folder with room",
            ) from error
    bad = [files[i] for i in _unreadable(index)]
    if len(bad) == len(files) or (bad and not skip_unreadable):
        raise ValueError(
            f"{len(bad)} of {len(files)} image files cannot be read: {_some(bad)}. Repair or remove them"
            + ("" if len(bad) == len(files) else ", or leave them out with skip_unreadable")
        )
    shape = (len(files) - len(bad), 3, size, size)
    return np.memmap(data, np.uint8, mode="r", shape=shape), bad


def default_cache() -> Path:
    """Where decoded images are kept: $CLAPP_SNN_CACHE or the system's cache folder for this user."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "clapp_snn" / "images"


def _build(files: list[Path], size: int, data: Path, index: Path) -> None:
    """Decode all files into `data`, one after the other, and note the unreadable ones in `index`."""
    unreadable = []
    with atomic_path(data) as temporary, temporary.open("wb") as out:
        for number, image in enumerate(_decode_all(files, size)):
            if image is None:
                unreadable.append(number)
            else:
                out.write(image.tobytes())
    write_text(index, json.dumps({"unreadable": unreadable}))


def _unreadable(index: Path) -> list[int]:
    """Numbers of the files that could not be read."""
    numbers: list[int] = json.loads(index.read_text(encoding="utf-8"))["unreadable"]
    return numbers


def _decode_all(files: list[Path], size: int) -> Iterator[np.ndarray | None]:
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        results = pool.map(partial(_decode_or_none, size=size), files)
        yield from tqdm(results, total=len(files), desc="decoding", unit=" images", disable=None)


def _decode_or_none(file: Path, size: int) -> np.ndarray | None:
    try:
        return decode(file, size)
    except ValueError:
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        high_byte = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return Image.fromarray(high_byte).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of type {image.mode} have no agreed range of brightness")
    if "A" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _cache_key(files: list[Path], size: int) -> str:
    digest = hashlib.blake2b(f"size {size}".encode(), digest_size=16)
    for file in files:
        status = file.stat()
        digest.update(f"\n{file.absolute()}\x1f{status.st_size}\x1f{status.st_mtime_ns}".encode())
    return digest.hexdigest()


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [e for e in folder.iterdir() if e.is_dir() and not e.name.startswith(".")]


def _image_files(folder: Path) -> list[Path]:
    """Image files below `folder`, in the order of their paths, the same on every system."""
    found = (
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def _labelled_files(folder: Path, names: list[str]) -> list[tuple[Path, int]]:
    return [
        (file, label) for label, name in enumerate(names) for file in _image_files(folder / name)
    ]


def _pool(folder: Path) -> list[tuple[Path, int]]:
    return [(file, -1) for file in _image_files(folder)]


def _require_every_class(folder: Path, names: list[str], files: list[tuple[Path, int]]) -> None:
    empty = sorted(set(range(len(names))) - {label for _, label in files})
    if empty:
        listed = ", ".join(names[label] for label in empty[:5])
        raise FileNotFoundError(f"{folder} has classes without images: {listed}")


def _reason(root: Path, key: str) -> str:
    if key == "test":
        return (
            f"{root} has no test images, so nothing can be tested; put labelled images that are not in "
            f"train/ into {root}/test/<class>/, with the class names of train/"
        )
    return (
        f"{root} has no unlabelled images to learn from; put images into {root}/unlabeled/ or choose to "
        f"learn from the images of the training split (unlabeled_from_train)"
    )


def _some(files: list[Path]) -> str:
    listed = ", ".join(str(file) for file in files[:5])
    return listed + (f" and {len(files) - 5} more" if len(files) > 5 else "")
