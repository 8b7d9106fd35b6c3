"""The numbers of a run while it trains: rows of a CSV file and curves for TensorBoard."""

import csv
import errno
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from jaxtyping import Float64
from torch.utils.tensorboard import SummaryWriter

from clapp_snn.files import atomic_path, read_text
from clapp_snn.run_files import METRICS, TENSORBOARD


class Logbook:
    """Writes `folder/metrics.csv` and `folder/tensorboard`, one row a step, ascending.

    `columns` must start with "step". A column `loss_3` becomes the TensorBoard curve `loss/3`, others
    `run/<column>`. With `resume_step` the rows and curves after that step are dropped first, so no
    step is there twice. Processes of `rank` above 0 write nothing.

    Raises:
        ValueError: bad or changed columns, a damaged row, or a row that does not fit the columns.
        FileExistsError: there are rows already and `resume_step` is not given.
    """

    def __init__(
        self,
        folder: str | Path,
        columns: Sequence[str],
        *,
        resume_step: int | None = None,
        rank: int = 0,
    ) -> None:
        if not columns or columns[0] != "step" or len(set(columns)) != len(columns):
            raise ValueError(f"columns must differ and start with 'step', got {list(columns)}")
        self.columns = tuple(columns)
        self.path = Path(folder) / METRICS
        self._last_step = -1 if resume_step is None else resume_step
        self._file: io.FileIO | None = None
        if rank > 0:
            return
        self._prepare(resume_step)
        # Unbuffered: a row is on its way to the disk when `write` returns, whatever happens next.
        self._file = io.FileIO(self.path, "a")
        self._curves = SummaryWriter(
            str(Path(folder) / TENSORBOARD),
            purge_step=None if resume_step is None else resume_step + 1,
        )

    def write(self, row: Mapping[str, float]) -> None:
        """Append one row: a number for every column, `step` above that of the row before."""
        if set(row) != set(self.columns):
            raise ValueError(
                f"row does not fit the columns: missing {sorted(set(self.columns) - set(row))}, "
                f"unknown {sorted(set(row) - set(self.columns))}"
            )
        step = int(row["step"])
        if step <= self._last_step:
            raise ValueError(f"row of step {step} after that of step {self._last_step}")
        self._last_step = step
        if self._file is None:
            return
        line = _line([short(row[column]) for column in self.columns])
        if self._file.write(line) != len(line):
            raise OSError(
                errno.ENOSPC, f"disk full while writing {self.path}; free some space and resume"
            )
        for column in self.columns[1:]:
            self._curves.add_scalar(_curve(column), row[column], step)

    def sync(self) -> None:
        """Force all rows to the disk; call it before a checkpoint that counts on them."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._curves.flush()

    def close(self) -> None:
        """Close the files; writing afterwards does nothing but check the row."""
        if self._file is not None:
            self._file.close()
            self._curves.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _prepare(self, resume_step: int | None) -> None:
        rows = self._existing_rows()
        if rows and resume_step is None:
            raise FileExistsError(
                f"{self.path} already holds {len(rows)} rows; resume that run or choose a new folder"
            )
        kept = [row for row in rows if resume_step is not None and int(row[0]) <= resume_step]
        with atomic_path(self.path) as temporary:
            temporary.write_bytes(b"".join(map(_line, [self.columns, *kept])))

    def _existing_rows(self) -> list[list[str]]:
        """Complete rows of an earlier session; a last line cut off by a crash is left out."""
        if not self.path.exists():
            return []
        table = _complete_lines(self.path)
        if not table:
            return []
        if tuple(table[0]) != self.columns:
            raise ValueError(
                f"{self.path} has the columns {table[0]}, this run has {list(self.columns)}; resume "
                "with the configuration of the run"
            )
        for number, row in enumerate(table[1:], start=2):
            if len(row) != len(self.columns) or not row[0].isdecimal():
                raise ValueError(f"line {number} of {self.path} is damaged; repair or remove it")
        return table[1:]


def read_metrics(path: Path) -> dict[str, Float64[np.ndarray, "row"]]:
    """Columns of metrics.csv; an empty "step" where there is no file.

    A last line that a crash has cut off is left out.

    Raises ValueError naming a line that is damaged.
    """
    if not path.exists():
        return {"step": np.zeros(0)}
    table = _complete_lines(path)
    if not table:
        return {"step": np.zeros(0)}
    columns: list[list[float]] = [[] for _ in table[0]]
    for number, row in enumerate(table[1:], start=2):
        try:
            if len(row) != len(columns):
                raise ValueError(f"{len(row)} of {len(columns)} values")
            for column, value in zip(columns, row, strict=True):
                column.append(float(value))
        except ValueError as error:
            raise ValueError(f"line {number} of {path} is damaged: {error}") from error
    return dict(zip(table[0], map(np.array, columns), strict=True))


def _complete_lines(path: Path) -> list[list[str]]:
    text = read_text(path)
    try:
        return list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
    except csv.Error as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def short(value: float) -> str:
    """Integers whole, other numbers to six significant digits."""
    return str(int(value)) if isinstance(value, int) else f"{value:.6g}"


def _line(fields: Sequence[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(fields)
    return buffer.getvalue().encode()


def _curve(column: str) -> str:
    stem, _, number = column.rpartition("_")
    return f"{stem}/{number}" if stem and number.isdecimal() else f"run/{column}"
