"""Reads an HDF5 file that nobody vouches for, in a process of its own.

    python -m clapp_snn.export.nir_reader FILE LIMITS

writes all arrays and texts of a file to standard output, as an NPZ archive without objects. Links,
references, external storage and filters of others are not followed, and everything is counted before it is
unpacked. The parent sees what it needs, or one sentence; a reader that hangs, crashes or wants too much
memory is only that.
"""

import io
import json
import math
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

FILTERS = {"1": "gzip", "2": "shuffle", "3": "checksum", "32000": "lzf"}
"""Filters of HDF5 that a file may use, by their number: those that h5py brings along."""


@dataclass(frozen=True)
class Limits:
    """What a file may cost.

    Attributes:
        file_bytes: size of the file.
        array_bytes: size of all arrays together, unpacked.
        entries: groups and arrays.
        depth: of groups within groups.
        text: bytes of one text, and characters of a name.
        seconds: to read it.
    """

    file_bytes: int = 2**30
    array_bytes: int = 2**31
    entries: int = 20_000
    depth: int = 12
    text: int = 2**20
    seconds: float = 60.0


REFUSED = 3
"""Exit status of a reader that refuses a file."""


class Unreadable(Exception):
    """One sentence, without the name of the file."""


def read_tree(path: Path, limits: Limits) -> dict[str, Any]:
    """Groups as dictionaries, texts as strings, everything else as arrays.

    Raises Unreadable for a file that is damaged, exceeds a limit, or holds what is not followed.
    """
    command = [sys.executable, "-m", __spec__.name, str(path.resolve()), json.dumps(asdict(limits))]
    try:
        done = subprocess.run(command, capture_output=True, timeout=limits.seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unreadable(
            f"reading it takes more than {limits.seconds:g} s, it is damaged"
        ) from error
    if done.returncode == REFUSED:
        raise Unreadable(done.stderr.decode("utf-8", "replace").strip())
    if done.returncode != 0:
        raise Unreadable("the HDF5 library fails on it, it is damaged")
    with np.load(io.BytesIO(done.stdout), allow_pickle=False) as arrays:
        return unflattened(arrays)


def unflattened(arrays: Any) -> dict[str, Any]:
    """The tree in an archive of `main`."""
    tree: dict[str, Any] = {}
    for number, names in enumerate(json.loads(str(arrays["index"]))):
        group = tree
        for name in names[:-1]:
            group = group.setdefault(name, {})
        if f"{number}" not in arrays:
            group[names[-1]] = {}
            continue
        value = arrays[f"{number}"]
        if value.dtype.kind == "U":
            value = str(value) if value.ndim == 0 else value.astype(object)
        group[names[-1]] = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    return tree


class Reader:
    """Walks a file once and counts what it costs; raises ValueError, in one sentence, for what is refused."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.bytes, self.entries = limits, 0, 0

    def group(self, group: h5py.Group, depth: int) -> dict[str, Any]:
        if depth > self.limits.depth:
            raise ValueError(f"Groups are nested more than {self.limits.depth} deep.")
        found: dict[str, Any] = {}
        for name in group:
            self.entries += 1
            if self.entries > self.limits.entries:
                raise ValueError(f"More than {self.limits.entries} groups and arrays.")
            if not isinstance(name, str) or len(name) > self.limits.text:
                raise ValueError("A name is no text, or too long.")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{name!r} is a link, which is not followed.")
            item = group[name]
            if isinstance(item, h5py.Group):
                found[name] = self.group(item, depth + 1)
            elif isinstance(item, h5py.Dataset):
                found[name] = self.array(name, item)
            else:
                raise ValueError(f"{name!r} is neither a group nor an array.")
        return found

    def array(self, name: str, item: h5py.Dataset) -> Any:
        if item.is_virtual or item.external:
            raise ValueError(f"{name!r} lies outside the file, where nothing is read.")
        plist = item.id.get_create_plist()
        used = {str(plist.get_filter(index)[0]) for index in range(plist.get_nfilters())}
        if used - FILTERS.keys():
            raise ValueError(
                f"{name!r} needs filter {min(used - FILTERS.keys())}, which is not loaded."
            )
        if item.shape is None:
            raise ValueError(f"{name!r} is empty.")
        text = h5py.check_string_dtype(item.dtype)
        if text is None and item.dtype.kind not in "fiu":
            raise ValueError(f"{name!r} is neither numbers nor text ({item.dtype}).")
        # h5py multiplies sides in 64 bits: shapes of hostile files overflow there.
        size = math.prod(item.shape)
        self.bytes += size * item.dtype.itemsize
        if self.bytes > self.limits.array_bytes:
            raise ValueError(f"Arrays have more than {self.limits.array_bytes} bytes.")
        if text is None:
            return item[()]
        if size > self.limits.entries or item.dtype.itemsize > self.limits.text:
            raise ValueError(
                f"{name!r} has more than {self.limits.entries} texts, or too long ones."
            )
        words = [self.word(name, item[index]) for index in np.ndindex(item.shape)]
        return words[0] if not item.shape else np.array(words, object).reshape(item.shape)

    def word(self, name: str, value: Any) -> str:
        if not isinstance(value, bytes) or len(value) > self.limits.text:
            raise ValueError(f"A text of {name!r} is longer than {self.limits.text} bytes.")
        self.bytes += len(value)
        if self.bytes > self.limits.array_bytes:
            raise ValueError(f"Texts and arrays have more than {self.limits.array_bytes} bytes.")
        return value.decode("utf-8")


def first_line(error: BaseException) -> str:
    """Of its message, without the full stop."""
    lines = str(error).splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")


def main(path: str, limits: Limits) -> int:
    """Write the archive; a refusal is one line on standard error and exit status 3."""
    try:
        with h5py.File(path, "r") as file:
            tree = Reader(limits).group(file, 0)
    except (OSError, RuntimeError, KeyError, UnicodeError) as error:
        print(f"no HDF5 file, or a truncated or damaged one ({first_line(error)})", file=sys.stderr)
        return REFUSED
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        print(first_line(error), file=sys.stderr)
        return REFUSED
    index: list[list[str]] = []
    arrays: dict[str, Any] = {}
    _flatten(tree, [], index, arrays)
    np.savez(sys.stdout.buffer, index=np.array(json.dumps(index)), **arrays)
    return 0


def _flatten(
    tree: dict[str, Any], path: list[str], index: list[list[str]], arrays: dict[str, Any]
) -> None:
    for name, value in tree.items():
        number = len(index)
        index.append([*path, name])
        if isinstance(value, dict):
            _flatten(value, [*path, name], index, arrays)
        else:
            text = isinstance(value, str) or np.asarray(value).dtype.kind == "O"
            arrays[f"{number}"] = np.asarray(value, str) if text else np.asarray(value)


def _limit_memory(limits: Limits) -> None:
    """Address space for the arrays, their archive and the interpreter, where the system has limits."""
    if sys.platform == "win32":
        return
    import resource

    most = 3 * limits.array_bytes + 4 * 2**30
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


if __name__ == "__main__":
    given = Limits(**json.loads(sys.argv[2]))
    _limit_memory(given)
    sys.exit(main(sys.argv[1], given))
