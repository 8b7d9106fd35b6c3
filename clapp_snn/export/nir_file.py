"""NIR files: written whole or not at all, and read as if a stranger had written them.

A file is HDF5. Before anything of it is used, its size, links, types, filters and shapes are checked against
limits; no reference, external storage or filter of others is followed, and nothing in it is code.
"""

from pathlib import Path
from typing import Any

import h5py
import nir

from clapp_snn.export.nir_reader import Limits, Unreadable, first_line, read_tree
from clapp_snn.files import atomic_path

LEGACY = "1.0.4"
"""The version without v_reset, which sinabs 3.1 reads."""

READABLE = ("1.0.8", LEGACY)
"""Versions of NIR whose files we know how to read."""


def write_graph(path: str | Path, graph: nir.NIRGraph, *, legacy: bool = False) -> Path:
    """Write a graph atomically.

    Args:
        path: ends in `.nir` by custom.
        graph: any.
        legacy: leave out v_reset and say version 1.0.4, for sinabs.
    """
    with atomic_path(path) as temporary:
        nir.write(str(temporary), graph)
        if legacy:
            _make_legacy(temporary)
    return Path(path)


def read_graph(path: str | Path, limits: Limits | None = None) -> nir.NIRGraph:
    """Read a graph from a file that nobody vouches for.

    Raises FileNotFoundError if there is none, and ValueError, in one sentence, for a file that is no HDF5, is
    truncated, exceeds a limit, was written by another version of NIR, or does not hold a graph.
    """
    path, limits = Path(path), limits or Limits()
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise ValueError(f"{path} has {size} bytes; at most {limits.file_bytes} are read.")
    try:
        tree = read_tree(path, limits)
    except Unreadable as error:
        raise ValueError(f"{path} cannot be read: {error}.") from error
    return _graph(path, tree)


def _graph(path: Path, tree: dict[str, Any]) -> nir.NIRGraph:
    version = tree.get("version")
    if version not in READABLE:
        raise ValueError(
            f"{path} was written by NIR {version if isinstance(version, str) else 'of unknown version'}; "
            f"readable are files of {' and '.join(READABLE)}."
        )
    node = tree.get("node")
    if not isinstance(node, dict) or node.get("type") != "NIRGraph":
        raise ValueError(f"{path} does not hold a NIR graph.")
    try:
        graph = nir.dict2NIRNode(node)
    except (
        AssertionError, AttributeError, IndexError, KeyError, NotImplementedError, OverflowError, TypeError,
        ValueError, ZeroDivisionError,
    ) as error:  # fmt: skip
        raise ValueError(f"{path} does not hold a valid NIR graph: {first_line(error)}.") from error
    return graph


def _make_legacy(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["version"][()] = LEGACY
        resets: list[str] = []
        file.visit(lambda name: resets.append(name) if name.endswith("/v_reset") else None)
        for name in resets:
            del file[name]
