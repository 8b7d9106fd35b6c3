"""Frames of a video file, through PyAV (FFmpeg), which is an optional dependency."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

SUFFIXES = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"}

WHOLE = 0.9
"""A file that yields a smaller share of the frames it announces counts as broken off."""

INSTALL = "reading video files needs PyAV; install it with: pip install 'clapp-snn[video]'"


def pyav() -> ModuleType:
    """The module `av`.

    Raises ModuleNotFoundError, saying how to install it, where it is missing.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(INSTALL, name="av") from error
    av.logging.set_level(None)
    return av


def count_frames(path: str | Path) -> int:
    """Number of frames that can be decoded; decodes the whole file.

    Raises ValueError, naming the file, if it cannot be read, holds no video or breaks off: FFmpeg stops
    quietly at the end of a truncated file, which shows in fewer frames than the file announces.
    """
    with _opened(path) as (container, stream):
        announced = stream.frames
        found = sum(1 for _ in container.decode(stream))
    if found == 0:
        raise ValueError(f"{path}: no frame can be decoded")
    if found < WHOLE * announced:
        raise ValueError(f"{path}: breaks off after {found} of {announced} frames")
    return found


def read_frames(
    path: str | Path, numbers: Int64[np.ndarray, "frame"] | None, short_side: int | None = None
) -> UInt8[np.ndarray, "frame row col 3"]:
    """The frames with these numbers (from 0, any order, repeats allowed; None: all of them) as RGB.

    With `short_side`, frames are resized bilinearly so that the shorter side has that many pixels; the
    longer one is rounded down. Decoding starts at the first frame of the file, so numbers are exact.
    Raises ValueError, naming the file, if it cannot be read or a number lies beyond its end.
    """
    if numbers is None:
        with _opened(path) as (container, stream):
            return np.stack([_rgb(frame, short_side) for frame in container.decode(stream)])
    wanted = np.unique(numbers)
    images: list[np.ndarray] = []
    with _opened(path) as (container, stream):
        for number, frame in enumerate(container.decode(stream)):
            if number == wanted[len(images)]:
                images.append(_rgb(frame, short_side))
                if len(images) == len(wanted):
                    break
    if len(images) < len(wanted):
        raise ValueError(
            f"{path}: frame {wanted[len(images)]} is missing; the file has changed or is damaged"
        )
    order = np.searchsorted(wanted, numbers)
    return np.stack(images)[order]


def resized(rows: int, cols: int, short_side: int | None) -> tuple[int, int]:
    """Rows and columns after resizing the shorter side."""
    if short_side is None:
        return rows, cols
    if rows <= cols:
        return short_side, max(1, short_side * cols // rows)
    return max(1, short_side * rows // cols), short_side


def _rgb(frame: Any, short_side: int | None) -> np.ndarray:
    rows, cols = resized(frame.height, frame.width, short_side)
    image: np.ndarray = frame.reformat(
        width=cols, height=rows, format="rgb24", interpolation="BILINEAR"
    ).to_ndarray()
    return image


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[Any, Any]]:
    """The container and its first video stream; what FFmpeg reports becomes a ValueError with the name."""
    av = pyav()
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError(f"{path}: holds no video")
            yield container, container.streams.video[0]
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"{path}: cannot be read as a video ({reason})") from error
