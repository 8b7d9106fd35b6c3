"""Spoken words: reading them, and glances at what the cochlea makes of them."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from clapp_snn.stimuli.cochlea import Cochlea
from clapp_snn.stimuli.npz import read_arrays
from clapp_snn.stimuli.spike_encoding import encode_spikes

FSDD_TEST = 5
"""Recordings of each word and speaker that the Free Spoken Digit Dataset sets aside for the test."""

RANDOM_ENCODERS = ("snntorch_rate", "norse_poisson")


@dataclass(frozen=True, eq=False)
class Sounds:
    """Sounds of one sampling rate, in [-1, 1], with a class each.

    Attributes:
        waves: one tensor a sound.
        labels: classes, counted from 0.
        sampling_rate: in Hz.
        test: which sounds the collection sets aside for the test, or None.
    """

    waves: list[Float32[Tensor, "sample"]]
    labels: Int64[Tensor, "sound"]
    sampling_rate: int
    test: Bool[Tensor, "sound"] | None = None

    def __len__(self) -> int:
        return len(self.waves)

    def select(self, chosen: Bool[Tensor, "sound"]) -> "Sounds":
        """The chosen ones, in order."""
        waves = [wave for wave, wanted in zip(self.waves, chosen.tolist(), strict=True) if wanted]
        return Sounds(waves, self.labels[chosen], self.sampling_rate)


def read_sound(
    source: str | Path | bytes, name: str | None = None
) -> tuple[Float32[Tensor, "sample"], int]:
    """A sound file (WAV, FLAC, OGG, ...), or its bytes: mean of its channels, and the sampling rate in Hz.

    `name` is for error messages. Raises ImportError without the optional package soundfile,
    FileNotFoundError for a missing file and ValueError for one that is empty, damaged or of another kind.
    """
    soundfile = _soundfile()
    name = name or ("this sound" if isinstance(source, bytes) else str(source))
    if isinstance(source, bytes):
        file: io.BytesIO | str = io.BytesIO(source)
    elif Path(source).is_file():
        file = str(source)
    else:
        raise FileNotFoundError(f"{name} is missing; it should be a sound file")
    try:
        wave, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{name} is truncated or no sound file ({error})") from error
    if len(wave) == 0:
        raise ValueError(f"{name} holds no sound")
    return torch.from_numpy(wave.mean(1)), rate


def open_sounds(path: str | Path) -> Sounds:
    """An `.npz` file with sound files back to back.

    `data` holds their bytes, sound i those from offsets[i] up to offsets[i + 1]; `labels` the classes.
    `index`, where it is there, is the number of the recording in the Free Spoken Digit Dataset: 0 to 4 are
    its test.

    Raises what `read_sound` raises, and ValueError if the arrays do not fit together or sampling rates
    differ.
    """
    file = Path(path)
    arrays = read_arrays(file)
    missing = {"data", "offsets", "labels"} - arrays.keys()
    if missing:
        raise ValueError(f"{file} lacks the arrays {sorted(missing)}")
    data, offsets, labels = (arrays[key] for key in ("data", "offsets", "labels"))
    if len(labels) == 0 or len(offsets) != len(labels) + 1 or offsets[-1] != len(data):
        raise ValueError(
            f"{file}: {len(labels)} labels, {len(offsets)} offsets and {len(data)} bytes do not fit "
            f"together; the file is truncated or mixed up, fetch it again"
        )
    sounds = [
        read_sound(data[begin:end].tobytes(), f"{file}: sound {number}")
        for number, (begin, end) in enumerate(pairwise(offsets))
    ]
    rates = {rate for _, rate in sounds}
    if len(rates) != 1:
        raise ValueError(f"{file}: sounds of different sampling rates: {sorted(rates)} Hz")
    index = arrays.get("index")
    if index is not None and len(index) != len(labels):
        raise ValueError(f"{file}: {len(index)} indices for {len(labels)} sounds")
    return Sounds(
        [wave for wave, _ in sounds],
        torch.from_numpy(labels.astype(np.int64)),
        rates.pop(),
        None if index is None else torch.from_numpy(index < FSDD_TEST),
    )


class SoundGlances:
    """Sounds as the cochlea hears them; a fixation listens to another part of the same sound.

    A glance is `steps` time steps at a uniformly drawn place. Shorter sounds are followed by silence.

    Args:
        sounds: what is heard.
        cochlea: front end, for their sampling rate.
        steps: length of a glance in time steps of the cochlea.
        encoder: "snntorch_rate" or "norse_poisson" turns loudness into spikes; None leaves it.
        rate: spikes per second of a loudness of 1.

    Raises ValueError if the cochlea is for another sampling rate, a glance has no step, or the encoder does
    not take every step by itself.
    """

    def __init__(
        self,
        sounds: Sounds,
        cochlea: Cochlea,
        steps: int,
        encoder: str | None = None,
        rate: float = 100.0,
    ) -> None:
        if cochlea.sampling_rate != sounds.sampling_rate:
            raise ValueError(
                f"the cochlea is made for sound sampled at {cochlea.sampling_rate} Hz, but this is sampled "
                f"at {sounds.sampling_rate} Hz"
            )
        if steps < 1:
            raise ValueError(f"a glance needs at least one time step, not {steps}")
        if encoder is not None and encoder not in RANDOM_ENCODERS:
            raise ValueError(
                f"loudness that changes in time is encoded by {' or '.join(RANDOM_ENCODERS)}, not {encoder!r}"
            )
        self.labels = sounds.labels
        self.steps = steps
        self.encoder = encoder
        self.rate = rate
        self.dt = cochlea.step
        self.heard = [self._lengthened(cochlea(wave)) for wave in sounds.waves]

    def __len__(self) -> int:
        return len(self.heard)

    def views(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "sample step band"]:
        """One part of each sound, as loudness or as spikes; one random stream a sample."""
        starts = [
            int(torch.randint(len(self.heard[index]) - self.steps + 1, (), generator=stream))
            for index, stream in zip(indices.tolist(), generators, strict=True)
        ]
        return self.parts(indices, starts, generators)

    def parts(
        self,
        indices: Int64[Tensor, "sample"],
        starts: Sequence[int],
        generators: Sequence[torch.Generator],
    ) -> Float[Tensor, "sample step band"]:
        """The parts of these sounds that begin at these time steps."""
        heard = [self.heard[index] for index in indices.tolist()]
        loudness = torch.stack(
            [all_[start : start + self.steps] for all_, start in zip(heard, starts, strict=True)]
        )
        if self.encoder is None:
            return loudness
        # One step of the encoder for each step of the cochlea.
        return encode_spikes(loudness, 1, generators, self.encoder, self.rate, self.dt)[0]

    def _lengthened(self, heard: Tensor) -> Tensor:
        return torch.nn.functional.pad(heard, (0, 0, 0, max(0, self.steps - len(heard))))


def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError as error:
        raise ImportError(
            "soundfile is not installed; get it with: pip install 'clapp-snn[sound]'"
        ) from error
    return soundfile
