"""Read-outs of a run on a stream, area by area: the rows of `stream_probe.csv`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clapp_snn.tables import read_table, write_table


@dataclass(frozen=True)
class AreaAccuracy:
    """Test accuracies (percent) of the activity of an area, area 0 being the raw input.

    Attributes:
        weights: "trained" or "untrained".
        area: counted from 1.
        linear: of logistic regression.
        five_shot: of the nearest class mean of five examples.
        local: of a read-out learned with local factors.
    """

    weights: str
    area: int
    linear: float
    five_shot: float
    local: float


def read_accuracies(path: Path) -> list[AreaAccuracy]:
    """What the read-outs measured; empty where none has run. Raises ValueError for a damaged file."""
    return read_table(path, AreaAccuracy) if path.exists() else []


def write_accuracies(path: Path, rows: Iterable[AreaAccuracy]) -> None:
    """Write `stream_probe.csv` atomically."""
    write_table(path, AreaAccuracy, rows)
