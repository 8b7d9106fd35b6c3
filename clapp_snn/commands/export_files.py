"""The folder of an export: made beside its place and moved there whole, with what `verify` needs."""

import hashlib
import json
import math
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from clapp_snn.export.interpreter import Spikes
from clapp_snn.files import atomic_path, write_text

MANIFEST = "export.json"
GRAPH = "network.nir"
LEGACY_GRAPH = "network_nir104.nir"
CIRCUIT = "circuit.nir"
SAMPLES = "samples.npz"
CHIP_SAMPLES = "samples_chip.npz"
FORMAT = 1
LARGEST_SAMPLES = 2**28
"""Spikes, and bytes, that are read from a file of samples."""
LARGEST_MANIFEST = 2**20
"""Bytes."""


class Samples(NamedTuple):
    """Input spikes (time, sample, *input) and what the judge made of them, layer by layer."""

    inputs: Spikes
    layers: list[Spikes]


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write into that becomes `out` if all goes well, and is removed otherwise.

    An earlier export at `out` is replaced; any other folder that is not empty, and an export with files that
    do not belong to it, raise FileExistsError.
    """
    _require_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    before = temporary.with_suffix(".old")
    try:
        yield temporary
        temporary.chmod(0o755)
        if out.exists():
            out.replace(before)
        temporary.replace(out)
    finally:
        if before.exists() and not out.exists():
            before.replace(out)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)


def _require_replaceable(out: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if out.is_symlink() or not (out / MANIFEST).is_file():
        raise FileExistsError(f"{out} exists and is no export; choose another --out.")
    own = {MANIFEST, *read_manifest(out)["files"]}
    files = (path for path in sorted(out.rglob("*")) if path.is_symlink() or not path.is_dir())
    others = [name for name in (str(path.relative_to(out)) for path in files) if name not in own]
    if others:
        raise FileExistsError(
            f"{out} holds {others[0]}, which no export wrote; move it, or choose another --out."
        )


def write_samples(path: Path, samples: Samples) -> None:
    """As packed bits."""
    arrays: dict[str, Any] = {
        "input": np.packbits(samples.inputs),
        "input_shape": samples.inputs.shape,
    }
    for index, layer in enumerate(samples.layers):
        arrays[f"layer_{index}"] = np.packbits(layer)
        arrays[f"layer_{index}_shape"] = layer.shape
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_samples(path: Path) -> Samples:
    """What `write_samples` wrote.

    Raises FileNotFoundError, or ValueError for a file that is too large, or holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file of samples {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(each.file_size for each in archive.infolist())
        if size > LARGEST_SAMPLES:
            raise ValueError(f"it unpacks to {size} bytes, more than {LARGEST_SAMPLES}")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            layers = sum(name.endswith("_shape") for name in arrays.files) - 1
            inputs = _unpack(arrays, "input")
            return Samples(inputs, [_unpack(arrays, f"layer_{index}") for index in range(layers)])
    except (OSError, KeyError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} holds no samples of an export, or is damaged: {error}") from error


def write_manifest(folder: Path, record: dict[str, Any], files: Sequence[Path]) -> None:
    """The record, with a checksum of every file."""
    sums = {str(path.relative_to(folder)): checksum(path) for path in sorted(files)}
    text = json.dumps({"format": FORMAT, **record, "files": sums}, indent=2)
    write_text(folder / MANIFEST, text + "\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The record of an export.

    Raises FileNotFoundError if there is none, ValueError for one of another format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no export: it has no {MANIFEST}.")
    if path.stat().st_size > LARGEST_MANIFEST:
        raise ValueError(f"{path} is larger than {LARGEST_MANIFEST} bytes and no manifest.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(f"{path} is no manifest of format {FORMAT}.")
    files = record.get("files")
    named = isinstance(files, dict) and all(isinstance(each, str) for each in files.values())
    if not named or not isinstance(record.get("target"), str):
        raise ValueError(f"{path} lacks the target or the checksums of files.")
    return record


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpack(arrays: Any, name: str) -> Spikes:
    shape = tuple(int(side) for side in arrays[f"{name}_shape"])
    size = math.prod(shape)
    if not shape or min(shape) < 0 or size > LARGEST_SAMPLES:
        raise ValueError(f"{name} has the impossible shape {shape}")
    packed = arrays[name]
    if packed.size != math.ceil(size / 8):
        raise ValueError(f"{name} holds {packed.size} bytes, too few or too many for {shape}")
    return np.unpackbits(packed, count=size).reshape(shape).astype(bool)
