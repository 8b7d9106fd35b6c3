"""MFCC against a loop with SciPy's transforms."""

import numpy as np
import torch
from scipy.fft import dct

from clapp_snn.evaluation.mfcc import differences, mel_filters, mfcc
from clapp_snn.randomness import generator


def test_cepstrum_is_that_of_scipy() -> None:
    audio = torch.randn(1633, generator=generator(0, "audio"))
    found = mfcc(audio).numpy()
    assert found.shape == (10, 39)
    padded = np.pad(audio.double().numpy()[:1600], 120, mode="reflect")
    for frame in range(10):
        window = padded[160 * frame : 160 * frame + 400] * np.hanning(400)
        energy = mel_filters().numpy() @ np.abs(np.fft.rfft(window, 512)) ** 2
        expected = dct(np.log(energy), norm="ortho")[:13]
        np.testing.assert_allclose(found[frame, :13], expected, rtol=1e-9, atol=1e-9)


def test_filters_are_triangles_that_add_up() -> None:
    """Between the first and the last peak neighbouring triangles sum to one."""
    filters = mel_filters()
    peaks = filters.argmax(1)
    assert bool((peaks.diff() > 0).all())
    inside = filters[:, int(peaks[0]) + 1 : int(peaks[-1])].sum(0)
    assert torch.allclose(inside, torch.ones_like(inside))
    assert float(filters.min()) == 0


def test_differences_are_slopes() -> None:
    line = torch.arange(9.0)[:, None] * torch.tensor([[1.0, -2.0]])
    assert torch.allclose(differences(line)[2:-2], torch.tensor([1.0, -2.0]))
    assert torch.allclose(differences(torch.ones(5, 3)), torch.zeros(5, 3))


def test_silence_is_finite_and_loudness_moves_the_first_coefficient_alone() -> None:
    assert bool(mfcc(torch.zeros(800)).isfinite().all())
    audio = torch.randn(800, generator=generator(0, "audio"))
    change = mfcc(10 * audio)[:, :13] - mfcc(audio)[:, :13]
    assert torch.allclose(change[:, 1:], torch.zeros(5, 12, dtype=torch.float64), atol=1e-6)
    expected = torch.full((5,), 2 * np.log(10) * np.sqrt(26), dtype=torch.float64)
    assert torch.allclose(change[:, 0], expected, atol=1e-5)
