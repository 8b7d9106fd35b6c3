"""The rule of all runs: a new one needs a folder without a run, one that goes on needs its own."""

import platform
from pathlib import Path


def require_run_folder(folder: Path, file: str, *, resume: bool, alone: bool = True) -> None:
    """Refuse a folder in which a run can neither begin nor go on.

    Args:
        folder: of the run; need not exist.
        file: name of the configuration, which a folder with a run has.
        resume: whether the run is to be continued.
        alone: whether no other process learns with this one, perhaps on a machine that has the folder.

    Raises:
        FileExistsError: the folder holds a run and `resume` is off.
        FileNotFoundError: `resume` is on and there is no run.
    """
    exists = (folder / file).exists()
    if resume and not exists:
        where = (
            ""
            if alone
            else f" on {platform.node()}, the machine of the first process, which keeps it"
        )
        raise FileNotFoundError(f"{folder} holds no run to resume{where}; leave out --resume.")
    if exists and not resume:
        raise FileExistsError(
            f"{folder} already holds a run; continue it with --resume, or choose another --out."
        )
