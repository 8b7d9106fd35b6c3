"""A cochlea-like front end: sound to the loudness of frequency bands over time, ready to become spikes.

    wave -> gammatone filters -> half-wave rectification -> mean over a time step -> compression

Filters of order 4 and width 1.019 ERB stand evenly on the ERB-rate scale: ERB(f) = 24.7 (0.00437 f + 1) Hz
and E(f) = 21.4 log10(0.00437 f + 1) (B. R. Glasberg, B. C. J. Moore, Hear. Res. 47:103, 1990,
DOI 10.1016/0378-5955(90)90170-T). Each filter passes its centre frequency with gain 1. Compression is a
power of the rectified wave, as loudness grows with a power of sound pressure.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

ORDER = 4
WIDTH = 1.019
FILTER_MS = 64.0
"""Length of the filters; at 100 Hz their envelope has then decayed to 1e-3 of its peak."""


@dataclass(frozen=True)
class Cochlea:
    """Frequency bands from `low` to `high` (Hz), and the time step (ms) in which they report.

    Attributes:
        sampling_rate: of the sound, Hz.
        bands: how many.
        low, high: centre frequencies of the lowest and the highest.
        step: time step, ms.
        exponent: of compression; 1 for none.

    Raises ValueError for impossible bands or steps.
    """

    sampling_rate: int
    bands: int = 40
    low: float = 100.0
    high: float = 3400.0
    step: float = 1.0
    exponent: float = 1 / 3

    def __post_init__(self) -> None:
        if self.bands < 1 or not 0 < self.low <= self.high < self.sampling_rate / 2:
            raise ValueError(
                f"no {self.bands} bands from {self.low} to {self.high} Hz in sound sampled at "
                f"{self.sampling_rate} Hz: frequencies must rise and stay below half of that"
            )
        if self.samples_per_step < 1 or not math.isclose(
            self.samples_per_step, self.sampling_rate * self.step / 1000
        ):
            raise ValueError(
                f"a step of {self.step} ms is no whole number of samples at {self.sampling_rate} Hz"
            )
        if self.exponent <= 0:
            raise ValueError(f"the exponent of compression must be positive, not {self.exponent}")

    @property
    def samples_per_step(self) -> int:
        """Samples of sound in a time step."""
        return round(self.sampling_rate * self.step / 1000)

    def centres(self) -> Float[Tensor, "band"]:
        """Centre frequencies in Hz, from low to high."""
        ends = [21.4 * math.log10(0.00437 * f + 1) for f in (self.low, self.high)]
        steps = torch.linspace(ends[0], ends[1], self.bands, dtype=torch.float64)
        return (10 ** (steps / 21.4) - 1) / 0.00437

    @cached_property
    def impulse_responses(self) -> Float[Tensor, "band time"]:
        """Of the gammatone filters, in float64."""
        centre = self.centres()[:, None]
        length = round(self.sampling_rate * FILTER_MS / 1000)
        time = torch.arange(length, dtype=torch.float64) / self.sampling_rate
        decay = 2 * math.pi * WIDTH * 24.7 * (0.00437 * centre + 1)
        phase = 2 * math.pi * centre * time
        response = time ** (ORDER - 1) * torch.exp(-decay * time) * phase.cos()
        gain = torch.polar(response, -phase).sum(1).abs()
        return response / gain[:, None]

    def __call__(self, wave: Float[Tensor, "sample"]) -> Float[Tensor, "step band"]:
        """Loudness of every band in every whole time step, in [0, 1] for sound in [-1, 1].

        Raises ValueError for sound that is shorter than a step or not finite.
        """
        steps = len(wave) // self.samples_per_step
        if steps == 0:
            raise ValueError(
                f"{len(wave)} samples of sound are less than a time step ({self.samples_per_step})"
            )
        if not wave.isfinite().all():
            raise ValueError("the sound is not finite everywhere; read it again")
        # A power of two: other lengths may have large prime factors, for which the transform is slow.
        size = 1 << (len(wave) + self.impulse_responses.shape[1] - 2).bit_length()
        heard = torch.fft.irfft(torch.fft.rfft(wave, size) * self._spectrum(size, wave), size)
        rectified = heard[:, : steps * self.samples_per_step].clamp(min=0)
        loudness = rectified.view(self.bands, steps, -1).mean(2).pow(self.exponent)
        return loudness.clamp(max=1).T.contiguous()

    @cached_property
    def _spectra(self) -> dict[tuple[int, torch.dtype, torch.device], Tensor]:
        return {}

    def _spectrum(self, size: int, like: Tensor) -> Tensor:
        """Transform of the impulse responses, once for each length."""
        key = (size, like.dtype, like.device)
        if key not in self._spectra:
            self._spectra[key] = torch.fft.rfft(self.impulse_responses.to(like), size)
        return self._spectra[key]
