"""What a run was made with: versions, machine, command, seed, commit; one entry a session."""

import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from clapp_snn.files import write_text
from clapp_snn.run_files import ENVIRONMENT

_PACKAGES = ("clapp-snn", "torch", "numpy", "safetensors", "scikit-learn", "scikit-image", "pillow")


def describe_environment(seed: int, command: Sequence[str] | str) -> dict[str, Any]:
    """JSON-able facts about this process; `command` is the command line as typed, or its words.

    Memory is in bytes; `vectors` is the widest instruction set that PyTorch uses. `git` is null unless the
    package runs from a git checkout of its own.
    """
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command if isinstance(command, str) else shlex.join(command),
        "seed": seed,
        "packages": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": {
            "model": _cpu_model(),
            "vectors": torch.backends.cpu.get_cpu_capability(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
        },
        "gpus": _gpus(),
        "git": _git_state(Path(__file__).resolve()),
    }


def record_environment(run: str | Path, description: Mapping[str, Any]) -> Path:
    """Append `description` to the sessions in `run/environment.json` (made if absent), atomically.

    Raises:
        ValueError: the existing file is not a list of sessions.
    """
    path = Path(run) / ENVIRONMENT
    sessions = [*read_environment(run), dict(description)] if path.exists() else [dict(description)]
    write_text(path, json.dumps({"sessions": sessions}, indent=2) + "\n")
    return path


def read_environment(run: str | Path) -> list[dict[str, Any]]:
    """The sessions of a run, first to last.

    Raises:
        FileNotFoundError: the run has no environment.json.
        ValueError: the file is not a list of sessions.
    """
    path = Path(run) / ENVIRONMENT
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["sessions"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} does not hold a list of sessions; move it away") from error


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str:
    """The marketing name where the system tells it, else the architecture."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _gpus() -> list[dict[str, Any]]:
    if not torch.cuda.is_available():
        return []
    devices = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return [
        {"name": device.name, "memory": device.total_memory, "cuda": torch.version.cuda}
        for device in devices
    ]


def _git_state(file: Path) -> dict[str, Any] | None:
    """Commit and cleanness of the repository that tracks `file`; None if none does.

    Asking for the file itself keeps the commit of an unrelated repository around an installed copy
    from being recorded.
    """
    commit = _git(file.parent, "rev-parse", "HEAD")
    if commit is None or _git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return None
    changes = _git(file.parent, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "modified": bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
