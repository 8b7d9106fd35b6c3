"""Writing files so that a reader never meets a half-written one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it becomes `path`, on failure it is removed.

    The temporary file is flushed to disk before it is renamed, so an existing `path` is either kept
    whole or replaced whole, also when the disk is full or the process is killed.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` (UTF-8) to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_text(path: str | Path) -> str:
    """The text (UTF-8) of a file; raises ValueError, naming it, where it holds something else."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is damaged: it holds no text (UTF-8).") from error


def require_folder(path: str | Path) -> Path:
    """`path`, where a folder to write to is or can be made; leaves nothing behind.

    Raises NotADirectoryError if a file is in the way, OSError if the place takes no files.
    """
    folder = Path(path)
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not place.is_dir():
        raise NotADirectoryError(f"{place} is a file, but a folder is needed: choose another name.")
    try:
        # Permissions do not tell: root may write anywhere, yet not to /proc or a read-only disk.
        with tempfile.TemporaryDirectory(prefix=".writable-", dir=place):
            pass
    except OSError as error:
        raise OSError(
            f"{folder} cannot be made or written to ({error.strerror}): choose another place."
        ) from error
    return folder


def require_file(path: str | Path) -> Path:
    """`path`, where a file can be written; raises IsADirectoryError if it is a folder."""
    file = Path(path)
    if file.is_dir():
        raise IsADirectoryError(f"{file} is a folder, but a file name is needed: add one.")
    require_folder(file.parent)
    return file
