"""Stored results of Lava."""

from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]
FOLDER = Path(__file__).parent.parent / "golden"


def golden(name: str, folder: Path = FOLDER) -> Arrays:
    """Arrays of loihi2_NAME.npz."""
    with np.load(folder / f"loihi2_{name}.npz", allow_pickle=False) as file:
        return dict(file)
