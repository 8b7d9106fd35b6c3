"""What every speech corpus looks like to the rest of the project: utterances, splits, classes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.stimuli.sound_file import read_audio
from clapp_snn.stimuli.splits import SplitSet

RATE = 16000
HOP = 160
WINDOW = 20480
"""Samples a second, samples a label (10 ms), samples of a training window (1.28 s)."""

MEAN, DEVIATION = -6.781e-4, 0.063006
"""Normalisation of audio in [-1, 1): the published constants, 32-bit integers there."""

MOST_MISSING = 10
"""Labels may be this much shorter than the audio, as forced aligners leave out the edges."""


@dataclass(frozen=True, eq=False)
class Utterance:
    """One recording.

    Attributes:
        name: its identity, "speaker-chapter-number" in LibriSpeech.
        speaker: who speaks, a name.
        source: a FLAC or WAV file, or the samples.
        samples: its length at 16 kHz.
        phones: a label every 10 ms, counted from the end of the audio if they are fewer; None without labels.
    """

    name: str
    speaker: str
    source: Path | Float[np.ndarray, "time"]
    samples: int
    phones: Int64[Tensor, "frame"] | None = None

    def __post_init__(self) -> None:
        if self.phones is None:
            return
        missing = self.samples // HOP - len(self.phones)
        if not 0 <= missing <= MOST_MISSING:
            raise ValueError(
                f"{self.name} has {len(self.phones)} phone labels, but its audio of {self.samples} samples "
                f"makes {self.samples // HOP} stretches of 10 ms; labels and audio do not belong together"
            )

    @property
    def frames(self) -> int:
        """Whole stretches of 10 ms."""
        return self.samples // HOP

    @property
    def unlabelled(self) -> int:
        """Frames at the beginning that have no label."""
        return 0 if self.phones is None else self.frames - len(self.phones)

    def audio(self, start: int = 0, stop: int | None = None) -> Float[Tensor, "time"]:
        """Normalised samples start, ..., stop - 1 (default: whole stretches of 10 ms), float32.

        Raises ValueError for a file that is damaged.
        """
        stop = self.frames * HOP if stop is None else stop
        if isinstance(self.source, Path):
            found = read_audio(self.source, start, stop)
        else:
            found = np.asarray(self.source[start:stop], np.float32)
        return (torch.from_numpy(found) - MEAN) / DEVIATION


@dataclass(frozen=True, eq=False)
class SpeechSplit:
    """Some utterances of a corpus, each at least as long as a training window."""

    utterances: Sequence[Utterance]

    def __len__(self) -> int:
        return len(self.utterances)

    @cached_property
    def speakers(self) -> list[str]:
        """All who speak, sorted."""
        return sorted({utterance.speaker for utterance in self.utterances})

    @property
    def labelled(self) -> bool:
        """Whether every utterance has phone labels."""
        return bool(self.utterances) and all(u.phones is not None for u in self.utterances)

    def windows(
        self, indices: Int64[Tensor, "n"], share: Float[Tensor, "n"]
    ) -> tuple[Float[Tensor, "n time"], Int64[Tensor, "n frame"] | None]:
        """A training window of each utterance and its phone labels (None if not all are labelled).

        `share` in [0, 1) says where it begins, in steps of 10 ms among the possible places.
        """
        audio, labels = [], []
        length = WINDOW // HOP
        for index, place in zip(indices.tolist(), share.tolist(), strict=True):
            one = self.utterances[index]
            first = one.unlabelled
            begin = first + int(place * (one.frames - length - first + 1))
            audio.append(one.audio(begin * HOP, begin * HOP + WINDOW))
            if one.phones is not None:
                labels.append(one.phones[begin - first : begin - first + length])
        return torch.stack(audio), torch.stack(labels) if len(labels) == len(audio) else None


@dataclass(frozen=True, eq=False)
class SpeechCorpus(SplitSet[SpeechSplit]):
    """Utterances for learning, and utterances with phone labels or at least known speakers.

    `note` says in plain words what the data are, where labels come from, and how many utterances were too
    short. No utterance of "unlabeled" is in the test split.
    """

    def trace(self, key: str, split: SpeechSplit, digest: hashlib.blake2b) -> None:
        """Names, speakers, lengths and labels of all, and the beginnings of four evenly spaced utterances."""
        digest.update(f"|{key} {len(split)}".encode())
        for one in split.utterances:
            digest.update(f"|{one.name} {one.speaker} {one.samples}".encode())
            if one.phones is not None:
                digest.update(one.phones.numpy().tobytes())
        for place in np.linspace(0, len(split) - 1, min(4, len(split))).round().astype(int):
            digest.update(split.utterances[place].audio(0, WINDOW).numpy().tobytes())
