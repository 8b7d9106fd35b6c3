"""A study: conditions times seeds, measured one cell after another and kept, then compared in pairs.

    rows = run_cells(out, [("rate", 1), ("spiking", 1)], measure)
    print(summary_table(rows, ["accuracy"], reference="rate"))

Each cell is a file of its own, so a study that was interrupted goes on where it stopped. Conditions share
their seeds (data, initial weights, glances), so they are compared by the differences between cells of equal
seed, with the interval of Student's t for their mean.
"""

import json
import math
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from scipy.stats import t as student

from clapp_snn.files import write_text
from clapp_snn.training.environment import describe_environment

CELLS, RUNS, SETTINGS = "cells", "runs", "study.json"
Measure = Callable[[str, int, Path], Mapping[str, float]]
"""From condition, seed and a folder of its own (for runs, logs and checkpoints) to named numbers."""


@dataclass(frozen=True)
class Row:
    """What was measured in one cell; seconds: wall clock."""

    condition: str
    seed: int
    values: Mapping[str, float]
    seconds: float


class Interval(NamedTuple):
    """Mean of paired differences and its confidence interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


def run_cells(
    out: Path,
    cells: Sequence[tuple[str, int]],
    measure: Measure,
    settings: Mapping[str, object] | None = None,
    command: str = "benchmarks.study",
) -> list[Row]:
    """Measure every cell that is not there yet; prints progress and the time left.

    Writes out/cells/CONDITION-sSEED.json (values, seconds, versions and machine). `measure` gets the folder
    out/runs/CONDITION-sSEED.

    Args:
        out: folder of the study.
        cells: condition and seed; conditions of letters, digits and "._=+-".
        measure: what is done in a cell.
        settings: of the study, JSON-able, kept in out/study.json; cells of other settings are not mixed in.
        command: kept with every cell.

    Raises ValueError for a cell that is named twice or cannot name a file, for settings other than those of
    the cells that are there, and for values that are not finite.
    """
    if len(set(cells)) != len(cells):
        raise ValueError("A cell is named twice; name each condition and seed once.")
    for condition, _ in cells:
        if not re.fullmatch(r"[\w.=+-]+", condition):
            raise ValueError(f"{condition!r} is no name of a condition: letters, digits, '._=+-'.")
    _keep_settings(out / SETTINGS, dict(settings or {}))
    paths = {cell: out / CELLS / f"{cell[0]}-s{cell[1]}.json" for cell in cells}
    missing = [cell for cell in cells if not paths[cell].exists()]
    began = time.monotonic()
    for number, (condition, seed) in enumerate(missing):
        start = time.monotonic()
        values = {
            k: float(v) for k, v in measure(condition, seed, _folder(out, condition, seed)).items()
        }
        seconds = time.monotonic() - start
        if not all(map(math.isfinite, values.values())):
            raise ValueError(
                f"{condition}, seed {seed}: {values} holds values that are not finite."
            )
        record = asdict(Row(condition, seed, values, round(seconds, 3)))
        record["environment"] = describe_environment(seed, command)
        write_text(paths[condition, seed], json.dumps(record, indent=2) + "\n")
        left = (time.monotonic() - began) / (number + 1) * (len(missing) - number - 1)
        print(
            f"{number + 1}/{len(missing)} {condition} seed {seed}: {seconds:.0f} s, {left / 60:.0f} min left",
            flush=True,
        )
    return [read_cell(path) for path in paths.values()]


def _folder(out: Path, condition: str, seed: int) -> Path:
    return out / RUNS / f"{condition}-s{seed}"


def _keep_settings(path: Path, settings: dict[str, object]) -> None:
    """Write them, or compare them with those that are there."""
    text = json.dumps(settings, indent=2, sort_keys=True, default=str) + "\n"
    if not path.exists():
        write_text(path, text)
    elif path.read_text(encoding="utf-8") != text:
        raise ValueError(f"{path} holds other settings; choose another folder for these.")


def read_cell(path: Path) -> Row:
    """A cell that was measured; raises ValueError for a file that is none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Row(record["condition"], record["seed"], record["values"], record["seconds"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} holds no cell of a study; delete it to measure it again."
        ) from error


def paired_interval(
    a: Sequence[float], b: Sequence[float], confidence: float = 0.95, overlap: float = 0.0
) -> Interval:
    """Mean of a - b over pairs, and its interval after Student.

    Args:
        a, b: paired values.
        confidence: of the interval.
        overlap: test samples over training samples where the pairs are folds of one data set; the variance
            of the mean is then s^2 (1/n + overlap) instead of s^2 / n, since folds share most of what they
            learn from (Nadeau and Bengio 2003, doi:10.1023/A:1024068626366).

    Raises ValueError for fewer than two pairs, or sequences of unequal length.
    """
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"Pairs need two or more values on both sides: {len(a)} and {len(b)}.")
    differences = [x - y for x, y in zip(a, b, strict=True)]
    mean = statistics.fmean(differences)
    error = statistics.stdev(differences) * math.sqrt(1 / len(a) + overlap)
    half = float(student.ppf((1 + confidence) / 2, len(a) - 1)) * error
    return Interval(mean, mean - half, mean + half)


def values_of(rows: Sequence[Row], condition: str, column: str) -> dict[int, float]:
    """A column of one condition, by seed."""
    return {
        r.seed: r.values[column] for r in rows if r.condition == condition and column in r.values
    }


def compare(
    rows: Sequence[Row],
    column: str,
    condition: str,
    reference: str,
    confidence: float = 0.95,
    overlap: float = 0.0,
) -> Interval:
    """Condition minus reference over the seeds that both have; raises ValueError for fewer than two."""
    a, b = (values_of(rows, name, column) for name in (condition, reference))
    seeds = sorted(a.keys() & b.keys())
    return paired_interval([a[s] for s in seeds], [b[s] for s in seeds], confidence, overlap)


def summary_table(
    rows: Sequence[Row], columns: Sequence[str], reference: str | None, overlap: float = 0.0
) -> str:
    """Markdown: mean and standard deviation over seeds, and the difference to the reference condition.

    Args:
        rows: of a study, in the order of conditions wanted.
        columns: of the values; where a condition has none, the cell says "-".
        reference: condition that all others are compared with in pairs; None for no comparison.
        overlap: of folds (`paired_interval`).
    """
    versus = [] if reference is None else [f"{name} - {reference} (95 %)" for name in columns]
    lines = [f"| condition | seeds | {' | '.join([*columns, *versus])} |"]
    lines.append("|---" * (2 + len(columns) + len(versus)) + "|")
    for condition in dict.fromkeys(row.condition for row in rows):
        seeds = sum(row.condition == condition for row in rows)
        cells = [condition, str(seeds)]
        cells += [_spread(list(values_of(rows, condition, name).values())) for name in columns]
        if reference is not None:
            cells += [_difference(rows, name, condition, reference, overlap) for name in columns]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean = f"{statistics.fmean(values):.1f}"
    return f"{mean} ± {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def _difference(
    rows: Sequence[Row], column: str, condition: str, reference: str, overlap: float
) -> str:
    shared = values_of(rows, condition, column).keys() & values_of(rows, reference, column).keys()
    if condition == reference or len(shared) < 2:
        return "-"
    return str(compare(rows, column, condition, reference, overlap=overlap))
