"""Which kind of stimulus a line of text names."""

from pathlib import Path
from typing import Literal

ModalityName = Literal["images", "speech", "video"]

EMBEDDED: dict[str, ModalityName] = {
    "photographs": "images",
    "utterances": "speech",
    "clips": "video",
}
"""Data that need no files."""

PREFIXES: dict[str, ModalityName] = {
    "stl10:": "images",
    "librispeech:": "speech",
    "ucf101:": "video",
    "clips:": "video",
}
"""Written before a folder; a folder without any of them holds images."""


def modality_name(spec: str) -> ModalityName:
    """The kind of stimulus that `spec` names."""
    if spec in EMBEDDED:
        return EMBEDDED[spec]
    return next((kind for prefix, kind in PREFIXES.items() if spec.startswith(prefix)), "images")


def data_name(spec: str) -> str:
    """A short name for the data, for the folder of a run."""
    prefix = next((prefix for prefix in PREFIXES if spec.startswith(prefix)), "")
    return Path(spec.removeprefix(prefix)).name or "data"


def folder_of(spec: str, prefix: str) -> Path:
    """The folder behind `prefix`; raises ValueError when there is none."""
    text = spec.removeprefix(prefix)
    if not text.strip():
        raise ValueError(f"{prefix!r} needs a folder: {prefix}FOLDER")
    return Path(text).expanduser()
