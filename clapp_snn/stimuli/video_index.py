"""How many frames each of many video files has: decoded once, in threads, and kept in a cache."""

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from clapp_snn.files import write_text
from clapp_snn.stimuli.folder import default_cache
from clapp_snn.stimuli.video_file import count_frames, pyav


@dataclass(frozen=True)
class VideoIndex:
    """Frames of every file in order (0 where it cannot be read), and the reasons of those that cannot."""

    frames: list[int]
    problems: list[str]


def decoding_workers() -> int:
    """Threads that decode: one a core, eight at most."""
    return min(8, os.cpu_count() or 1)


def index_videos(files: Sequence[Path], cache: Path | None = None) -> VideoIndex:
    """Count the frames of all files by decoding them; the result is found again from sizes and times.

    Raises OSError if the cache cannot be written.
    """
    pyav()
    store = (cache or default_cache()) / f"videos-{_key(files)}.json"
    known = _stored(store) if store.is_file() else None
    # What could not be read then (a lost disk, a missing permission) may be readable now.
    if known is None or any(
        isinstance(_count(file), int)
        for file, frames in zip(files, known.frames, strict=True)
        if frames == 0
    ):
        with ThreadPoolExecutor(decoding_workers()) as pool:
            counted = list(
                tqdm(
                    pool.map(_count, files),
                    total=len(files),
                    desc="counting frames",
                    unit=" videos",
                    disable=None if len(files) > 16 else True,
                )
            )
        frames = [found if isinstance(found, int) else 0 for found in counted]
        problems = [found for found in counted if isinstance(found, str)]
        write_text(store, json.dumps({"frames": frames, "problems": problems}))
        known = VideoIndex(frames, problems)
    return known


def listed(problems: Sequence[str], most: int = 5) -> str:
    """The first few of many reasons as one line."""
    rest = len(problems) - most
    return "; ".join(problems[:most]) + (f"; and {rest} more" if rest > 0 else "")


def _stored(store: Path) -> VideoIndex:
    record = json.loads(store.read_text(encoding="utf-8"))
    return VideoIndex(record["frames"], record["problems"])


def _count(file: Path) -> int | str:
    try:
        return count_frames(file)
    except ValueError as error:
        return str(error)


def _key(files: Sequence[Path]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        status = file.stat()
        digest.update(f"\n{file.absolute()}\x1f{status.st_size}\x1f{status.st_mtime_ns}".encode())
    return digest.hexdigest()
