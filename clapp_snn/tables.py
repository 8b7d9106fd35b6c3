"""Tables as CSV files: a frozen record a row, with the names of its fields as columns."""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from clapp_snn.files import atomic_path, read_text

R = TypeVar("R")


def write_table(path: str | Path, kind: type[R], rows: Iterable[R]) -> None:
    """Write records of one kind, whose fields are text or numbers, atomically; None becomes an empty cell."""
    with (
        atomic_path(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, _names(kind), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)  # type: ignore[call-overload]


def read_table(path: str | Path, kind: type[R]) -> list[R]:
    """What `write_table` wrote; fields that have a default may lack their column.

    Raises FileNotFoundError where there is no file; ValueError, naming file and column or line, where it
    does not hold records of this kind.
    """
    file = Path(path)
    reader = csv.DictReader(io.StringIO(read_text(file), newline=""))
    try:
        given = set(reader.fieldnames or ())
        if missing := [name for name in _required(kind) if name not in given]:
            raise ValueError(f"{file} is damaged: it has no column {', '.join(missing)}.")
        readers = {n: _reader(hint) for n, hint in get_type_hints(kind).items() if n in given}
        rows = []
        for record in reader:
            try:
                if None in record or None in record.values():
                    raise ValueError("it has another number of cells than the first line")
                rows.append(kind(**{name: read(record[name]) for name, read in readers.items()}))
            except ValueError as error:
                raise ValueError(f"{file}, line {reader.line_num}, is damaged: {error}.") from error
    except csv.Error as error:
        raise ValueError(f"{file}, line {reader.line_num}, is damaged: {error}.") from error
    return rows


def _names(kind: type[Any]) -> list[str]:
    return [field.name for field in fields(kind)]


def _required(kind: type[Any]) -> list[str]:
    return [each.name for each in fields(kind) if each.default is MISSING]


def _reader(hint: Any) -> Callable[[str], Any]:
    """From a cell to a value of this type."""
    choices = get_args(hint) or (hint,)
    (plain,) = (each for each in choices if each is not NoneType)
    optional = NoneType in choices
    return lambda cell: None if optional and not cell else plain(cell)
