"""Reading the arrays of an `.npz` file, never pickled objects."""

import zlib
from pathlib import Path
from zipfile import BadZipFile, is_zipfile

import numpy as np


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of the file by name.

    Raises FileNotFoundError if it is not there and ValueError if it is truncated, damaged or of another kind.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing")
    problem = "it is no whole zip archive"
    if is_zipfile(file):
        try:
            with np.load(file, allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
        except (BadZipFile, EOFError, ValueError, zlib.error) as error:
            problem = str(error)
    raise ValueError(f"{file} is truncated or no .npz file ({problem}); fetch it again")
