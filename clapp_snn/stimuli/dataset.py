"""Opening a data set from one line of text."""

from pathlib import Path

from clapp_snn.stimuli.folder import LAYOUT, is_image_folder, open_image_folder
from clapp_snn.stimuli.photographs import open_photographs
from clapp_snn.stimuli.record import ArraySplit, Dataset, Split
from clapp_snn.stimuli.spec import EMBEDDED, PREFIXES
from clapp_snn.stimuli.splits import Absent
from clapp_snn.stimuli.stl10 import download_stl10, find_stl10, open_stl10

__all__ = ["Absent", "ArraySplit", "Dataset", "Split", "open_dataset"]

PHOTOGRAPHS = "photographs"
STL10_PREFIX = "stl10:"


def open_dataset(
    spec: str,
    download: bool = False,
    seed: int = 0,
    unlabeled_from_train: bool = False,
    skip_unreadable: bool = False,
) -> Dataset:
    """Open the data that `spec` names.

    "photographs": the embedded stand-in, whose crops depend on `seed`. "stl10:FOLDER": binaries in STL-10
    format, fetched into the folder first if `download`. Any other text is the path of such a folder or of
    a folder of images; `skip_unreadable` leaves out image files that cannot be read.
    With `unlabeled_from_train`, self-supervised learning uses the images of the training split.

    Raises ValueError for an impossible combination and FileNotFoundError for a path that holds no data,
    besides what the readers raise.
    """
    if download and not spec.startswith(STL10_PREFIX):
        raise ValueError(
            f"of images only STL-10 can be downloaded: write {STL10_PREFIX}FOLDER instead of {spec!r}, "
            f"or leave the download out"
        )
    dataset = _open(spec, download, seed, skip_unreadable)
    return dataset.learning_from_train() if unlabeled_from_train else dataset


def _open(spec: str, download: bool, seed: int, skip_unreadable: bool) -> Dataset:
    if spec == PHOTOGRAPHS:
        return open_photographs(seed)
    if spec.startswith(STL10_PREFIX):
        folder = _path(spec.removeprefix(STL10_PREFIX))
        if download:
            download_stl10(folder)
        return open_stl10(folder)
    folder = _path(spec)
    if find_stl10(folder) is not None:
        return open_stl10(folder)
    if is_image_folder(folder):
        return open_image_folder(folder, skip_unreadable=skip_unreadable)
    found = (
        "is a folder without such data"
        if folder.is_dir()
        else f"is no folder, seen from {Path.cwd()}"
    )
    raise FileNotFoundError(
        f"no data: {spec!r} {found}. Accepted are {PHOTOGRAPHS!r} (embedded), '{STL10_PREFIX}FOLDER' or "
        f"the path of a folder with STL-10 binaries (train_X.bin, ...) or with images ({LAYOUT}); "
        f"speech and video are called {', '.join(_other_modalities())}"
    )


def _other_modalities() -> list[str]:
    embedded = [repr(name) for name, kind in EMBEDDED.items() if kind != "images"]
    return embedded + [f"'{name}FOLDER'" for name, kind in PREFIXES.items() if kind != "images"]


def _path(text: str) -> Path:
    if not text.strip():
        raise ValueError(f"{STL10_PREFIX!r} needs a folder: {STL10_PREFIX}FOLDER")
    return Path(text).expanduser()
