"""Configurations as files: frozen records to YAML and back."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml

from clapp_snn.files import read_text

R = TypeVar("R")


def record_text(record: Any) -> str:
    """A record as YAML text, in the order of its fields; paths become text, tuples lists."""
    return str(
        yaml.safe_dump(
            {name: _plain(value) for name, value in asdict(record).items()}, sort_keys=False
        )
    )


def record_from_file(kind: type[R], path: Path) -> R:
    """The record in a YAML file that exists; raises ValueError, naming the file, when it is not one."""
    try:
        found = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not valid YAML: {error}") from error
    return record_from(kind, found, str(path))


def record_from(kind: type[R], found: Any, source: str) -> R:
    """A record from plain data; what is not given keeps its default.

    Raises ValueError for what is no mapping, for unknown keys and for impossible values.
    """
    hints = get_type_hints(kind)
    names = sorted(field.name for field in fields(kind))  # type: ignore[arg-type]
    if not isinstance(found, Mapping):
        raise ValueError(f"{source} does not hold a mapping of options.")
    if unknown := sorted(set(found) - set(names)):
        raise ValueError(f"{source} holds unknown options {unknown}; known are {names}.")
    values = dict(found)
    try:
        for name, value in found.items():
            if hints[name] == Path | None and value is not None:
                values[name] = Path(value)
            elif isinstance(value, list):
                values[name] = tuple(value)
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"{source} holds an option of the wrong type: {error}.") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
