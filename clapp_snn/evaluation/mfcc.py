"""Mel-frequency cepstral coefficients, the hand-made features that phone probes are compared with.

Davis and Mermelstein 1980 (doi:10.1109/TASSP.1980.1163420): power spectrum of windows of 25 ms every 10 ms,
26 triangular filters spaced on the mel scale, logarithm, cosine transform, first 13 coefficients; with first
and second time differences over two neighbours on each side, 39 numbers every 10 ms.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

RATE, HOP, WINDOW, FFT = 16000, 160, 400, 512
FILTERS, COEFFICIENTS = 26, 13
LOWEST, HIGHEST = 20.0, 8000.0
FLOOR = 1e-10


def mfcc(audio: Float[Tensor, "time"]) -> Float[Tensor, "frame 39"]:
    """Features of every whole stretch of 10 ms, float64; frame i is centred on its stretch."""
    frames = audio.shape[0] // HOP
    edge = (WINDOW - HOP) // 2
    padded = torch.nn.functional.pad(
        audio[: frames * HOP].double()[None, None], (edge, edge), "reflect"
    )
    windows = padded[0, 0].unfold(0, WINDOW, HOP) * torch.hann_window(
        WINDOW, periodic=False, dtype=torch.float64, device=audio.device
    )
    power = torch.fft.rfft(windows, FFT).abs().square()
    energy = (power @ mel_filters().to(audio.device).t()).clamp_min(FLOOR).log()
    cepstrum = energy @ cosine_transform().to(audio.device).t()
    first = differences(cepstrum)
    return torch.cat((cepstrum, first, differences(first)), 1)


def mel_filters() -> Float[Tensor, "filter frequency"]:
    """Triangles with unit peaks whose corners are equidistant in mel = 2595 log10(1 + f / 700)."""
    low, high = (2595 * math.log10(1 + edge / 700) for edge in (LOWEST, HIGHEST))
    mel = torch.linspace(low, high, FILTERS + 2, dtype=torch.float64)
    corner = 700 * (10 ** (mel / 2595) - 1)
    at = torch.linspace(0, RATE / 2, FFT // 2 + 1, dtype=torch.float64)
    rising = (at - corner[:-2, None]) / (corner[1:-1] - corner[:-2])[:, None]
    falling = (corner[2:, None] - at) / (corner[2:] - corner[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp_min(0)


def cosine_transform() -> Float[Tensor, "coefficient filter"]:
    """Rows of the orthonormal discrete cosine transform of type II."""
    order = torch.arange(COEFFICIENTS, dtype=torch.float64)[:, None]
    place = torch.arange(FILTERS, dtype=torch.float64) + 0.5
    rows = torch.cos(math.pi * order * place / FILTERS) * math.sqrt(2 / FILTERS)
    rows[0] /= math.sqrt(2)
    return rows


def differences(values: Float[Tensor, "frame channel"]) -> Float[Tensor, "frame channel"]:
    """Slope of a line through five neighbouring frames; the ends are repeated."""
    padded = torch.cat((values[:1], values[:1], values, values[-1:], values[-1:]))
    one = padded[3:-1] - padded[1:-3]
    two = padded[4:] - padded[:-4]
    return (one + 2 * two) / 10
