"""Train and test recordings of an event camera from a folder, by its own split or by folds."""

from pathlib import Path

import torch

from clapp_snn.stimuli.event_camera import open_nmnist, read_events
from clapp_snn.stimuli.event_glances import EventGlances
from clapp_snn.stimuli.event_recordings import Recordings, join
from clapp_snn.stimuli.folds import is_test

LAYOUT = "`Train` and `Test` as N-MNIST has them, or one file `*train.npz` and one `*test.npz`"


def open_recordings(
    folder: str | Path, fold: int | None = None, folds: int = 5
) -> tuple[Recordings, Recordings]:
    """Recordings to learn from, and to test on.

    Args:
        folder: holds `Train` and `Test` with the files of N-MNIST, or one `*train.npz` and one `*test.npz`.
        fold: None keeps the folder's split; else this one of `folds` parts of all recordings is the test.
        folds: number of parts, each with its share of every class (`clapp_snn.stimuli.folds`).

    Raises FileNotFoundError for a folder without such data, and ValueError for recordings without labels,
    that end inside a fixation, and as the readers do.
    """
    parts = [_part(Path(folder).expanduser(), name) for name in ("train", "test")]
    for part in parts:
        EventGlances(part)
    if fold is None:
        return parts[0], parts[1]
    both = join(parts)
    assert both.labels is not None
    chosen = is_test(both.labels, None, fold, folds, str(folder))
    numbers = torch.arange(len(both))
    return both.select(numbers[~chosen]), both.select(numbers[chosen])


def _part(root: Path, name: str) -> Recordings:
    packs = sorted(root.glob(f"*{name}.npz"))
    folders = [each for each in (root / name.capitalize(), root / name) if each.is_dir()]
    if len(packs) == 1:
        found = read_events(packs[0])
    elif not packs and folders:
        found = open_nmnist(folders[0])
    else:
        problem = f"{len(packs)} files *{name}.npz" if packs else f"no {name} recordings"
        raise FileNotFoundError(f"{root} holds {problem}; expected are {LAYOUT}")
    if found.labels is None:
        raise ValueError(f"{found.source} has no labels; a probe needs them")
    return found
