import math

import numpy as np
import pytest
import torch
from scipy.signal import gammatone

from clapp_snn.stimuli.cochlea import Cochlea

RATE = 8000
EAR = Cochlea(RATE, bands=20)


def tone(frequency: float, seconds: float = 0.4, amplitude: float = 1.0) -> torch.Tensor:
    time = torch.arange(round(RATE * seconds), dtype=torch.float64) / RATE
    return amplitude * torch.sin(2 * math.pi * frequency * time)


def test_bands_stand_evenly_on_the_erb_rate_scale():
    centres = EAR.centres().numpy()
    assert centres[[0, -1]] == pytest.approx([100.0, 3400.0])
    # Number of equivalent rectangular bandwidths below f: the integral of 1 / ERB.
    grid = np.linspace(100.0, 3400.0, 200_001)
    widths = 24.7 * (4.37 * grid / 1000 + 1)
    between = np.concatenate([[0.0], np.cumsum((grid[1] - grid[0]) / widths)[:-1]])
    steps = np.diff(np.interp(centres, grid, between))
    assert steps == pytest.approx(np.full(19, steps.mean()), rel=1e-4)


def test_filters_are_those_of_scipy():
    """scipy.signal.gammatone after M. Slaney (1993) rounds a constant of ERB differently: within 1 %."""
    for centre, ours in zip(EAR.centres().tolist(), EAR.impulse_responses.numpy(), strict=True):
        theirs, _ = gammatone(centre, "fir", order=4, numtaps=len(ours), fs=RATE)
        shape = theirs / np.linalg.norm(theirs)
        assert np.linalg.norm(ours / np.linalg.norm(ours) - shape) < 0.01


@pytest.mark.parametrize("band", [3, 10, 16])
def test_a_tone_is_loudest_where_it_belongs(band):
    frequency = float(EAR.centres()[band])
    loudness = EAR(tone(frequency))[100:].mean(0)
    assert int(loudness.argmax()) == band
    plain = Cochlea(RATE, bands=20, exponent=1.0)(tone(frequency))[100:].mean(0)
    # Gain 1 at the centre frequency: the mean of a rectified sine is 1 / pi.
    assert float(plain[band]) == pytest.approx(1 / math.pi, rel=0.01)


def test_loudness_is_a_power_of_amplitude():
    loud, soft = EAR(tone(500.0)), EAR(tone(500.0, amplitude=1 / 8))
    assert torch.allclose(soft[50:], loud[50:] / 2, rtol=1e-6)


def test_sound_is_heard_after_it_came():
    click = torch.zeros(RATE)
    click[4000] = 1.0
    loudness = Cochlea(RATE, exponent=1.0)(click)
    assert loudness.shape == (1000, 40)
    # Up to rounding errors of the Fourier transform.
    assert loudness[:500].max() < 1e-7
    assert (loudness[500:564].amax(0) > 1e-3).all()
    assert EAR(torch.zeros(80)).abs().max() == 0.0


def test_dtype_range_and_incomplete_steps():
    noise = torch.rand(999, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for wave in (noise, noise.double()):
        loudness = Cochlea(RATE, step=5.0)(wave)
        assert loudness.dtype == wave.dtype
        assert loudness.shape == (24, 40)
        assert ((loudness >= 0) & (loudness <= 1)).all()
    single, double = EAR(noise), EAR(noise.double())
    # Near 0 the cube root makes 1e-6 of a rounding error 1e-2.
    assert torch.allclose(single.double(), double, atol=2e-2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bands": 0}, "no 0 bands from"),
        ({"low": 0.0}, r"bands from 0\.0 to"),
        ({"low": 500.0, "high": 400.0}, "frequencies must rise"),
        ({"high": 4000.0}, "stay below half"),
        ({"step": 0.3}, r"a step of 0\.3 ms is no whole number of samples at 8000 Hz"),
        ({"step": 0.0}, r"a step of 0\.0 ms"),
        ({"exponent": 0.0}, "exponent of compression must be positive"),
    ],
)
def test_impossible_ears_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Cochlea(RATE, **settings)


def test_impossible_sound_is_refused():
    with pytest.raises(ValueError, match=r"7 samples of sound are less than a time step \(8\)"):
        EAR(torch.zeros(7))
    with pytest.raises(ValueError, match="not finite everywhere"):
        EAR(torch.full((100,), torch.nan))
