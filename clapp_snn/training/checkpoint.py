"""Checkpoints: folders of safetensors and JSON that are either complete or not there.

A checkpoint is written to a hidden sibling folder, flushed to disk and renamed to `step_XXXXXXXX`; only
then are older ones removed. Killing the process or filling the disk at any moment leaves the earlier
checkpoints as they were.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from clapp_snn.run_files import CHECKPOINTS

MODEL = "model.safetensors"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"
# The earlier checkpoint of the same step, while a new one takes its place.
_REPLACED = ".replaced"
_FOLDER = re.compile(r"step_\d{8,}(\.replaced)?")
_PICKLE_SUFFIXES = {".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
_ZIP_MAGIC = b"PK\x03\x04"


class CheckpointError(RuntimeError):
    """A checkpoint or weight file is missing, damaged or of a kind that is not read."""


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint; all tensors are on the CPU.

    `step`: optimisation steps done; `state`: the JSON values given to `save_checkpoint`;
    `folder`: where it was read from.
    """

    step: int
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    state: dict[str, Any]
    folder: Path


def save_checkpoint(
    folder: Path,
    step: int,
    model: Mapping[str, Tensor],
    optimizer: Mapping[str, Tensor],
    state: Mapping[str, Any],
    keep: int = 2,
    milestones: int = 0,
) -> Path:
    """Write `folder/step_XXXXXXXX` and return it; afterwards remove what `keep` does not cover.

    Of the checkpoints up to `step` the newest `keep` stay, besides every one whose step is a multiple
    of `milestones` (0: none). Checkpoints of later steps are never touched. `state` must be JSON-able.

    Raises:
        ValueError: `keep` below 1, or a negative `step` or `milestones`.
        OSError: the checkpoint could not be written (full disk, no permission), with the original
            `errno`; all earlier checkpoints are untouched and the unfinished one is removed.
    """
    if keep < 1 or step < 0 or milestones < 0:
        raise ValueError(
            f"keep must be at least 1, step and milestones at least 0; got keep={keep}, step={step}, "
            f"milestones={milestones}"
        )
    try:
        path = _write(folder, step, {MODEL: model, OPTIMIZER: optimizer}, state)
    except (OSError, SafetensorError) as error:
        raise _write_error(folder, step, error) from error
    _prune(folder, step, keep, milestones)
    return path


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint folder, or the newest complete one of a run folder or its `checkpoints`.

    Unfinished folders of an interrupted write are passed over. Sizes and SHA-256 sums are checked.

    Raises:
        CheckpointError: there is no checkpoint at `path`, or it is damaged.
    """
    folder = _newest(Path(path))
    state = _read_state(folder)
    for name, expected in state["files"].items():
        _verify(folder / name, expected)
    return Checkpoint(
        step=state["step"],
        model=load_file(folder / MODEL),
        optimizer=load_file(folder / OPTIMIZER),
        state=state["state"],
        folder=folder,
    )


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """Read named weights from a `.safetensors` file, a checkpoint folder or a run folder.

    Raises:
        CheckpointError: nothing is there, the file is damaged, or it is a pickle (`.pt`, `.pth`,
            `.ckpt`, `.pkl`; recognised by content whatever its name), which is never opened because
            unpickling can run any program hidden in the file.
    """
    source = Path(path)
    if not source.is_file():
        return load_checkpoint(source).model
    if not _looks_like_safetensors(source):
        with source.open("rb") as file:
            magic = file.read(4)
        if magic == _ZIP_MAGIC or magic[:1] == b"\x80" or source.suffix in _PICKLE_SUFFIXES:
            raise CheckpointError(
                f"{source} is a pickle, which could run any program when opened, so it is not read. "
                "Convert it where you trust it: safetensors.torch.save_file(torch.load(file, "
                "weights_only=True), 'model.safetensors')"
            )
        raise CheckpointError(
            f"{source} is not a safetensors file; give a .safetensors file or a run"
        )
    try:
        return load_file(source)
    except SafetensorError as error:
        raise CheckpointError(
            f"{source} is a damaged safetensors file ({error}); copy or write it again"
        ) from error


def list_checkpoints(folder: str | Path) -> list[Path]:
    """The complete checkpoints of a `checkpoints` folder, oldest first (sums are not checked)."""
    found = [
        path
        for path in Path(folder).glob("step_*")
        if _FOLDER.fullmatch(path.name) and (path / STATE).is_file()
    ]
    return sorted(found, key=lambda path: (_step_of(path), not path.name.endswith(_REPLACED)))


def _write(
    folder: Path, step: int, files: dict[str, Mapping[str, Tensor]], state: Mapping[str, Any]
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"step_{step:08d}"
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=folder))
    try:
        sums = {}
        for name, tensors in files.items():
            file = temporary / name
            save_file(_independent(tensors), file)
            sums[name] = {"bytes": file.stat().st_size, "sha256": _sha256(file)}
        description = {"step": step, "files": sums, "state": dict(state)}
        (temporary / STATE).write_text(json.dumps(description, indent=1), encoding="utf-8")
        for name in (*files, STATE):
            (temporary / name).chmod(0o644)
            _sync(temporary / name)
        temporary.chmod(0o755)
        _sync(temporary)
        if target.exists():
            replaced = folder / f"{target.name}{_REPLACED}"
            shutil.rmtree(replaced, ignore_errors=True)
            target.rename(replaced)
        temporary.rename(target)
        _sync(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _independent(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous CPU tensors, copied where two of them live in one storage."""
    seen: set[int] = set()
    result = {}
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        if value.untyped_storage().data_ptr() in seen:
            value = value.clone()
        seen.add(value.untyped_storage().data_ptr())
        result[name] = value
    return result


def _prune(folder: Path, step: int, keep: int, milestones: int) -> None:
    """Remove surplus checkpoints and leftovers, each renamed first so that none is ever half there."""
    _remove_hidden(folder)
    past = [path for path in list_checkpoints(folder) if _step_of(path) <= step]
    whole = [path for path in past if not path.name.endswith(_REPLACED)]
    kept = set(whole[-keep:])
    if milestones:
        kept.update(path for path in whole if _step_of(path) % milestones == 0)
    for path in past:
        if path not in kept:
            path.rename(path.with_name(f".{path.name}.old"))
    _remove_hidden(folder)


def _remove_hidden(folder: Path) -> None:
    for leftover in folder.glob(".step_*"):
        shutil.rmtree(leftover)


def _newest(path: Path) -> Path:
    if (path / STATE).is_file():
        return path
    for folder in (path / CHECKPOINTS, path):
        complete = list_checkpoints(folder)
        if complete:
            return complete[-1]
    if not path.exists():
        raise CheckpointError(f"{path} does not exist; give a run folder, a checkpoint or weights")
    raise CheckpointError(
        f"no complete checkpoint in {path}; give a run folder that has checkpoints/step_..., or train "
        "from the start in a new folder"
    )


def _read_state(folder: Path) -> dict[str, Any]:
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if {MODEL, OPTIMIZER} <= state["files"].keys() and {"step", "state"} <= state.keys():
            return dict(state)
    except (ValueError, KeyError, AttributeError, TypeError):
        pass
    raise _damaged(folder / STATE, "it is not a checkpoint description")


def _verify(path: Path, expected: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise _damaged(path, "the file is missing")
    size = path.stat().st_size
    if size != expected["bytes"]:
        raise _damaged(path, f"{size} bytes instead of {expected['bytes']}")
    if _sha256(path) != expected["sha256"]:
        raise _damaged(path, "its SHA-256 sum is wrong")


def _damaged(path: Path, reason: str) -> CheckpointError:
    others = [other for other in list_checkpoints(path.parent.parent) if other != path.parent]
    advice = f"resume from {others[-1]}" if others else "copy it again from where it is whole"
    return CheckpointError(
        f"damaged checkpoint: {path}: {reason}. Remove {path.parent} and {advice}"
    )


def _write_error(folder: Path, step: int, error: OSError | SafetensorError) -> OSError:
    if isinstance(error, OSError):
        number = error.errno or errno.EIO
    else:  # safetensors gives the system's error number only in its text
        found = re.search(r"os error (\d+)", str(error))
        number = int(found[1]) if found else errno.EIO
    earlier = list_checkpoints(folder) if folder.is_dir() else []
    kept = (
        f"{earlier[-1].name} and those before it are untouched" if earlier else "none was there yet"
    )
    advice = {
        errno.ENOSPC: "Free some space",
        errno.EDQUOT: "Free some space",
        errno.EACCES: "Make the folder writable",
        errno.EROFS: "Make the folder writable",
    }.get(number, "Check the disk")
    return OSError(
        number,
        f"could not write the checkpoint of step {step} to {folder}: {os.strerror(number)}; {kept}. "
        f"{advice}, then resume the run",
    )


def _looks_like_safetensors(path: Path) -> bool:
    """A length that fits the file, then a JSON object; pickles may start like the length alone."""
    with path.open("rb") as file:
        start = file.read(9)
    return start[8:] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size - 8


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("step_").removesuffix(_REPLACED))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
