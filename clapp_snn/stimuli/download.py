"""Fetching a large file over HTTP with progress, resume and checksum, and unpacking it safely."""

import errno
import gzip
import hashlib
import http.client
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

CHUNK = 1 << 20
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch: address, checksum as "md5:..." or "sha256:..." and size in bytes."""

    url: str
    checksum: str
    size: int


class ChecksumError(ValueError):
    """A file arrived whole but with other content than announced."""


def download(source: RemoteFile, path: str | Path) -> None:
    """Fetch `source` to `path`, unless a file with the right checksum is there already.

    Bytes go to `path`.part, which is continued after an interruption if the server can, and replaces
    `path` only when its checksum is right. Raises ConnectionError if the server cannot be reached or the
    transfer breaks off (run again to continue), ChecksumError for wrong content (the part is deleted) and
    OSError if the disk is full (the part is kept); an older file at `path` survives all of these.
    """
    target = Path(path)
    if target.is_file() and has_checksum(target, source.checksum):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    if part.is_file() and part.stat().st_size > source.size:
        part.unlink()
    if not part.is_file() or part.stat().st_size < source.size:
        _fetch(source, part)
    if not has_checksum(part, source.checksum):
        part.unlink()
        raise ChecksumError(
            f"{source.url} arrived with a wrong checksum (expected {source.checksum}); the partial file "
            f"was deleted. Run again to fetch it anew, or fetch it by hand and save it as {target}"
        )
    part.replace(target)


def has_checksum(path: str | Path, checksum: str) -> bool:
    """Whether the file has this checksum ("md5:..." or "sha256:...")."""
    algorithm, _, expected = checksum.partition(":")
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return digest.hexdigest() == expected.lower()


def extract_tar(archive: str | Path, folder: str | Path) -> None:
    """Unpack a tar archive (any compression) into `folder`, leaving nothing half-unpacked behind.

    Only files and folders inside it are taken; members that would land elsewhere, links and devices are
    refused (by ourselves: tarfile's own filters, PEP 706, are not there before Python 3.11.4). Raises
    ValueError for a damaged or unsafe archive, FileExistsError if a top-level member is in the way.
    """
    root = Path(folder)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=root) as temporary:
        try:
            with tarfile.open(archive) as tar:
                for each in tar:
                    _extract(tar, each, Path(temporary).resolve())
        except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(
                f"{archive} is damaged or unsafe to unpack: {error}; delete it and fetch it again"
            ) from error
        members = sorted(Path(temporary).iterdir())
        for member in members:
            if (root / member.name).exists():
                raise FileExistsError(
                    f"{root / member.name} is in the way of unpacking {archive}; move or delete it first"
                )
        for member in members:
            member.rename(root / member.name)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One file or folder; raises TarError for anything else, and for places outside `folder`."""
    target = (folder / member.name).resolve()
    if not target.is_relative_to(folder):
        raise tarfile.TarError(f"{member.name} would be put outside the folder")
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    content = tar.extractfile(member) if member.isfile() else None
    if content is None:
        raise tarfile.TarError(f"{member.name} is neither a file nor a folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file)


def _fetch(source: RemoteFile, part: Path) -> None:
    """Append what is missing of `source` to `part`, or start anew if the server cannot resume."""
    start = part.stat().st_size if part.is_file() else 0
    try:
        with _open(source, start) as response:
            resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
            with part.open("ab" if resumed else "wb") as file:
                _copy(response, file, source, start if resumed else 0)
    except urllib.error.HTTPError as error:
        raise ConnectionError(
            f"the server refused {source.url}: {error.code} {error.reason}"
        ) from error
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        TimeoutError,
        ConnectionError,
    ) as error:
        raise ConnectionError(
            f"could not fetch {source.url}: {error}. Run again: it continues where it stopped"
        ) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(
            error.errno,
            f"the disk is full: {source.url} needs {source.size / 1e9:.2f} GB in {part.parent}. "
            f"Free some space and run again: it continues where it stopped",
        ) from error
    size = part.stat().st_size
    if size > source.size:
        part.unlink()
        raise ChecksumError(
            f"{source.url} is longer than the {source.size} bytes it should have; not used"
        )
    if size < source.size:
        raise ConnectionError(
            f"{source.url} broke off after {size} of {source.size} bytes. "
            f"Run again: it continues where it stopped"
        )


def _open(source: RemoteFile, start: int) -> http.client.HTTPResponse:
    request = urllib.request.Request(source.url)
    if start:
        request.add_header("Range", f"bytes={start}-")
    response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    return response


def _copy(
    response: http.client.HTTPResponse, file: BinaryIO, source: RemoteFile, start: int
) -> None:
    """Append the response to `file`, up to one chunk more than `source` should have."""
    name = source.url.rpartition("/")[2]
    done = start
    with tqdm(
        total=source.size, initial=start, desc=name, unit="B", unit_scale=True, disable=None
    ) as progress:
        while done <= source.size and (chunk := response.read(CHUNK)):
            file.write(chunk)
            done += len(chunk)
            progress.update(len(chunk))
    file.flush()
    os.fsync(file.fileno())
