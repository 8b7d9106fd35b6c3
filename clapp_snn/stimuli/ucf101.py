"""UCF-101: 13 320 videos of 101 actions (Soomro, Zamir and Shah 2012, arXiv:1212.0402).

Needed in one folder: the videos, as CLASS/v_CLASS_gXX_cXX.avi (below UCF-101/ or directly), and the official
lists classInd.txt, trainlist01.txt and testlist01.txt (below ucfTrainTestlist/ or directly), or instead of
the latter two the tables train_split01.csv and test_split01.csv of the reference implementation (path, frame
count). Split 1 of three is what the paper uses.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch

from clapp_snn.randomness import generator
from clapp_snn.stimuli.clips import ChosenClips, ClipDataset, ClipSplit, FileClips, without_short
from clapp_snn.stimuli.record import unofficial_name
from clapp_snn.stimuli.splits import Absent
from clapp_snn.stimuli.video_index import decoding_workers, index_videos, listed

OFFICIAL_NAME = "UCF-101"
LISTS, VIDEOS = ("ucfTrainTestlist", "."), ("UCF-101", ".")
OFFICIAL_CLASSES = 101
OFFICIAL_LISTS = {1: (9537, 3783), 2: (9586, 3734), 3: (9624, 3696)}
"""Videos of the train and test list of each split."""

SHORT_SIDE = 240
EVERY = 3
SHARE = 0.3
"""Part of the test list that the published code measures on."""


@dataclass(frozen=True)
class Entry:
    """One line of a split list: the video as CLASS/FILE and its class."""

    video: str
    action: str


def open_ucf101(
    folder: str | Path,
    frames: int,
    *,
    every: int = EVERY,
    split: int = 1,
    subset: bool = False,
    seed: int = 0,
    skip_unreadable: bool = False,
    short_side: int = SHORT_SIDE,
    cache: Path | None = None,
) -> ClipDataset:
    """Open the videos of a split for clips of `frames` frames, every `every`-th of a video.

    Videos that are too short for a clip are left out of learning and counted in the note; tests use the
    whole list. With `subset`, tests use 30 % of it, drawn once from `seed`, as the published code does. The
    data are called UCF-101 where classes and lists are as long as there and every listed video can be read;
    else they have the folder's name.

    Raises FileNotFoundError for a missing folder, list or video and ValueError for a damaged list or for
    videos that cannot be read; with `skip_unreadable` missing and unreadable videos are left out and counted.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(
            f"{root} is no folder; it should hold the videos of UCF-101 and their official lists."
        )
    actions = read_classes(_find(root, "classInd.txt"))
    lists = {key: read_list(_list_of(root, key, split), actions) for key in ("train", "test")}
    label = {action: number for number, action in enumerate(actions)}
    counts = (len(lists["train"]), len(lists["test"]))
    official = len(actions) == OFFICIAL_CLASSES and OFFICIAL_LISTS.get(split) == counts
    notes = [
        f"UCF-101's layout, split {split}: clips of {frames} frames, one frame in {every}, short side "
        f"{short_side} pixels"
    ]
    found: dict[str, FileClips] = {}
    for key, entries in lists.items():
        clips, bad = _recordings(root, entries, label, short_side, skip_unreadable, cache)
        counted = f"{len(clips)} of {len(entries)} videos of the {key} list"
        if bad:
            official = False
            counted += f" ({len(bad)} left out because missing or unreadable: {listed(bad)})"
        notes.append(counted)
        found[key] = clips
    train, short = without_short(found["train"], frames, every, "train")
    notes.append(f"{short} of the train videos are too short for a clip and are left out")
    test: ClipSplit = found["test"]
    if subset:
        chosen = test_subset(len(test), seed)
        test = ChosenClips(test, chosen)
        notes.append(
            f"tests use {len(chosen)} videos of the test list, drawn once (the published subset protocol)"
        )
    splits: dict[str, ClipSplit | Absent] = {"train": train, "unlabeled": train, "test": test}
    name = OFFICIAL_NAME if official else unofficial_name(root, OFFICIAL_NAME, "videos")
    notes += [] if official else [f"not {OFFICIAL_NAME} as it is distributed"]
    return ClipDataset(name, "; ".join(notes) + ".", actions, splits, every)


def test_subset(count: int, seed: int) -> torch.Tensor:
    """Sorted numbers of a random 30 % of the test list."""
    order = torch.randperm(count, generator=generator(seed, "test subset"))
    return order[: max(1, round(SHARE * count))].sort().values


def read_classes(path: Path) -> list[str]:
    """Actions in the order of classInd.txt, whose lines read "NUMBER ACTION" from 1 on.

    Raises ValueError for anything else.
    """
    names = []
    for number, line in enumerate(_lines(path), start=1):
        parts = line.split()
        if len(parts) != 2 or parts[0] != str(number):
            raise ValueError(f"{path}: line {number} should read '{number} ACTION', not {line!r}")
        names.append(parts[1])
    if not names:
        raise ValueError(f"{path} names no class")
    return names


def read_list(path: Path, actions: Sequence[str]) -> list[Entry]:
    """The entries of trainlistNN.txt, testlistNN.txt or of a CSV file with a path in its first column.

    Raises ValueError for a line without CLASS/VIDEO, with an unknown class, or for a list without any.
    """
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            paths = [row[0].strip() for row in csv.reader(file) if row and row[0].strip()]
    else:
        paths = [line.split()[0] for line in _lines(path)]
    entries = []
    for number, text in enumerate(paths, start=1):
        parts = PurePosixPath(text.replace("\\", "/")).parts
        if len(parts) < 2 or parts[-2] not in actions:
            raise ValueError(
                f"{path}: entry {number} ({text!r}) does not name a video as CLASS/VIDEO with a class of "
                "classInd.txt"
            )
        name = parts[-1] if parts[-1].endswith(".avi") else f"{parts[-1]}.avi"
        entries.append(Entry(f"{parts[-2]}/{name}", parts[-2]))
    if not entries:
        raise ValueError(f"{path} names no video")
    return entries


def _recordings(
    root: Path,
    entries: Sequence[Entry],
    label: dict[str, int],
    short_side: int,
    skip: bool,
    cache: Path | None,
) -> tuple[FileClips, list[str]]:
    """The readable videos of a list, and why the others are not among them."""
    videos = next((root / name for name in VIDEOS if (root / name).is_dir()), root)
    files = [videos / entry.video for entry in entries]
    missing = [f"{file} is missing" for file in files if not file.is_file()]
    if missing and not skip:
        raise FileNotFoundError(
            f"{len(missing)} of {len(files)} videos are not there: {listed(missing)}. Fetch them, or leave "
            "them out with skip_unreadable."
        )
    there = [i for i, file in enumerate(files) if file.is_file()]
    index = index_videos([files[i] for i in there], cache)
    if index.problems and not skip:
        raise ValueError(
            f"{len(index.problems)} of {len(files)} videos cannot be read: {listed(index.problems)}. Fetch "
            "them again, or leave them out with skip_unreadable."
        )
    kept = [(i, count) for i, count in zip(there, index.frames, strict=True) if count > 0]
    if not kept:
        raise ValueError(
            f"None of the {len(files)} videos of a list can be read: "
            f"{listed([*missing, *index.problems])}."
        )
    clips = FileClips(
        [files[i] for i, _ in kept],
        torch.tensor([count for _, count in kept]),
        torch.tensor([label[entries[i].action] for i, _ in kept]),
        short_side,
        decoding_workers(),
    )
    return clips, [*missing, *index.problems]


def _list_of(root: Path, key: str, split: int) -> Path:
    official, table = f"{key}list{split:02d}.txt", f"{key}_split{split:02d}.csv"
    for name in (official, table):
        for folder in LISTS:
            if (root / folder / name).is_file():
                return root / folder / name
    raise FileNotFoundError(
        f"{root} has neither {LISTS[0]}/{official} nor {table}; the official lists come with the videos."
    )


def _find(root: Path, name: str) -> Path:
    for folder in LISTS:
        if (root / folder / name).is_file():
            return root / folder / name
    raise FileNotFoundError(
        f"{root} has no {LISTS[0]}/{name}; the official lists come with the videos of UCF-101."
    )


def _lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip()]
