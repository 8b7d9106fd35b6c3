"""Accuracy of a run's checkpoints: the rows of `probe_curve.csv`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clapp_snn.tables import read_table, write_table


@dataclass(frozen=True)
class CurveRow:
    """Test accuracy (percent, with a 95 % interval) of a layer after a step, with a protocol."""

    step: int
    protocol: str
    layer: int
    accuracy: float
    low: float
    high: float


def read_curve(path: Path) -> list[CurveRow]:
    """The rows of a learning curve; empty where there is none. Raises ValueError for a damaged file."""
    return read_table(path, CurveRow) if path.exists() else []


def write_curve(path: Path, rows: Iterable[CurveRow]) -> None:
    """Write `probe_curve.csv` atomically."""
    write_table(path, CurveRow, rows)
