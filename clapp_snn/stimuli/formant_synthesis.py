"""A small source-filter synthesiser: a buzz or a noise, coloured by the resonances of a vocal tract.

Voiced sounds are a train of glottal pulses through a cascade of digital resonators (Klatt 1980,
doi:10.1121/1.383940), one a formant; fricatives are noise through one broad resonator; stops are a silence
and a burst. Vowel formants are rounded averages of men, as Peterson and Barney 1952
(doi:10.1121/1.1906875) measured them; consonants are our simplification. A speaker is a pitch, a length of
the vocal tract (which scales all formants) and a rate of speech. The result sounds like a machine and is
meant for tests and demonstrations: sounds with exactly known labels.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int64

RATE = 16000
FRAME = 160
BANDWIDTHS = (60.0, 90.0, 150.0, 250.0)
FOURTH = 3500.0
GLIDE = 5
"""Frames (10 ms) over which formants glide from one sound to the next."""

Manner = Literal["silence", "vowel", "nasal", "fricative", "stop"]


@dataclass(frozen=True)
class Phone:
    """A sound: manner, formants in Hz (noise: centre and bandwidth), loudness, frames it lasts."""

    name: str
    manner: Manner
    resonances: tuple[float, ...] = ()
    loudness: float = 1.0
    frames: tuple[int, int] = (8, 16)


PHONES = (
    Phone("SIL", "silence", frames=(6, 14)),
    Phone("IY", "vowel", (270, 2290, 3010)),
    Phone("IH", "vowel", (390, 1990, 2550)),
    Phone("EH", "vowel", (530, 1840, 2480)),
    Phone("AE", "vowel", (660, 1720, 2410)),
    Phone("AA", "vowel", (730, 1090, 2440)),
    Phone("AO", "vowel", (570, 840, 2410)),
    Phone("UH", "vowel", (440, 1020, 2240)),
    Phone("UW", "vowel", (300, 870, 2240)),
    Phone("M", "nasal", (280, 1000, 2200), 0.35, (6, 10)),
    Phone("N", "nasal", (280, 1700, 2600), 0.35, (6, 10)),
    Phone("S", "fricative", (6000, 1500), 0.15, (8, 14)),
    Phone("SH", "fricative", (3000, 1200), 0.2, (8, 14)),
    Phone("F", "fricative", (5000, 5000), 0.06, (7, 12)),
    Phone("T", "stop", (5000, 3000), 0.3, (6, 9)),
    Phone("K", "stop", (1800, 1000), 0.3, (6, 9)),
)
VOWELS = tuple(i for i, phone in enumerate(PHONES) if phone.manner == "vowel")
CONSONANTS = tuple(i for i, phone in enumerate(PHONES) if phone.manner not in ("vowel", "silence"))


@dataclass(frozen=True)
class Voice:
    """A speaker: pitch in Hz, factor of all formants (short tracts above 1), factor of all durations."""

    name: str
    pitch: float
    tract: float
    pace: float


def speak(
    phones: list[int], voice: Voice, draws: np.random.Generator
) -> tuple[Float[np.ndarray, "time"], Int64[np.ndarray, "frame"]]:
    """The waveform (float32, in [-1, 1]) of a sequence of `PHONES`, and the phone of every 10 ms."""
    lengths = [
        max(3, round(voice.pace * draws.integers(*PHONES[phone].frames, endpoint=True)))
        for phone in phones
    ]
    labels = np.repeat(np.asarray(phones, np.int64), lengths)
    wave = 0.25 * _voiced(labels, voice, draws)
    _add_noises(wave, phones, lengths, voice, draws.standard_normal(len(wave)))
    wave += 1e-3 * draws.standard_normal(len(wave))
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32), labels


def _voiced(
    labels: Int64[np.ndarray, "frame"], voice: Voice, draws: np.random.Generator
) -> Float[np.ndarray, "time"]:
    """Glottal pulses through the resonators of every frame, which hand on their state."""
    tracks, source = _tracks(labels, voice), _glottis(len(labels), voice, draws)
    wave = np.zeros(len(labels) * FRAME)
    memory = np.zeros((len(BANDWIDTHS), 2))
    for frame in range(len(labels)):
        place = slice(frame * FRAME, (frame + 1) * FRAME)
        piece = source[place] * tracks[frame, -1]
        for number, bandwidth in enumerate(BANDWIDTHS):
            b, a = resonator(tracks[frame, number], bandwidth)
            piece, memory[number] = _filtered(b, a, piece, memory[number])
        wave[place] = piece
    return wave


def _add_noises(
    wave: Float[np.ndarray, "time"],
    phones: list[int],
    lengths: list[int],
    voice: Voice,
    noise: Float[np.ndarray, "time"],
) -> None:
    """Add fricatives, and the bursts at the ends of stops, to `wave`."""
    start = 0
    for phone, length in zip(phones, lengths, strict=True):
        kind, stop = PHONES[phone], start + length * FRAME
        if kind.manner in ("fricative", "stop"):
            centre, bandwidth = kind.resonances
            b, a = resonator(min(centre * voice.tract, 7500.0), bandwidth)
            begin = stop - 2 * FRAME if kind.manner == "stop" else start
            hiss, _ = _filtered(b, a, noise[begin:stop], np.zeros(2))
            level = kind.loudness / max(1e-9, float(np.std(hiss)))
            wave[begin:stop] += 0.2 * level * hiss * np.hanning(stop - begin)
        start = stop


def resonator(
    frequency: float, bandwidth: float
) -> tuple[Float[np.ndarray, "1"], Float[np.ndarray, "3"]]:
    """Coefficients (b, a) of a two-pole resonator with gain 1 at 0 Hz (Klatt 1980, Eqs. 1-2)."""
    decay = np.exp(-np.pi * bandwidth / RATE)
    first = 2 * decay * np.cos(2 * np.pi * frequency / RATE)
    second = -(decay**2)
    return np.array([1 - first - second]), np.array([1.0, -first, -second])


def _filtered(
    b: Float[np.ndarray, "1"],
    a: Float[np.ndarray, "order"],
    wave: Float[np.ndarray, "time"],
    memory: Float[np.ndarray, "delay"],
) -> tuple[Float[np.ndarray, "time"], Float[np.ndarray, "delay"]]:
    """A recursive filter and its memory afterwards."""
    # Importing scipy.signal takes a third of a second, which only synthesised speech should cost.
    from scipy.signal import lfilter

    filtered, after = lfilter(b, a, wave, zi=memory)
    return filtered, after


def _tracks(labels: Int64[np.ndarray, "frame"], voice: Voice) -> Float[np.ndarray, "frame track"]:
    """Four formants and the loudness of voicing of every frame, gliding from sound to sound."""
    rest = (500.0, 1500.0, 2500.0)
    table = np.zeros((len(PHONES), 5))
    for number, phone in enumerate(PHONES):
        open_tract = phone.manner in ("vowel", "nasal")
        formants = phone.resonances if open_tract else rest
        table[number] = [
            *(voice.tract * each for each in formants),
            voice.tract * FOURTH,
            phone.loudness if open_tract else 0.0,
        ]
    tracks = table[labels]
    padded = np.pad(tracks, ((GLIDE // 2, GLIDE // 2), (0, 0)), mode="edge")
    kernel = np.ones(GLIDE) / GLIDE
    smooth = [np.convolve(padded[:, i], kernel, "valid") for i in range(tracks.shape[1])]
    return np.stack(smooth, 1)


def _glottis(frames: int, voice: Voice, draws: np.random.Generator) -> Float[np.ndarray, "time"]:
    """A pulse train whose pitch falls by a fifth over the utterance and wavers a little, softened."""
    time = np.arange(frames * FRAME)
    fall = 1.1 - 0.2 * time / len(time)
    waver = np.repeat(1 + 0.02 * draws.standard_normal(frames), FRAME)
    phase = np.cumsum(voice.pitch * fall * waver / RATE)
    pulses = np.diff(np.floor(phase), prepend=0.0)
    soft, _ = _filtered(np.ones(1), np.array([1.0, -0.9]), pulses, np.zeros(1))
    return soft - soft.mean()
