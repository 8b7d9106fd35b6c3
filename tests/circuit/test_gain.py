"""Dendritic gain: kappa follows the predictions, sample by sample, and J kappa stays."""

import numpy as np
import pytest
import torch

from clapp_snn.circuit.coincidence import CoincidenceDetector
from clapp_snn.circuit.gain import Gain
from clapp_snn.randomness import generator


def predictions(scale: float) -> torch.Tensor:
    return scale * torch.randn(3, 200, generator=generator(0), dtype=torch.float64)


def test_the_first_prediction_sets_kappa() -> None:
    zhat = predictions(2.0)
    half_wave, opponent = Gain("q99"), Gain("rms", slope=0.16)
    unknown = half_wave.initial_size(zhat)
    assert torch.equal(half_wave.kappa(unknown), torch.ones(3, dtype=torch.float64))
    q99 = np.quantile(zhat.abs().numpy(), 0.99, axis=1)
    assert half_wave.kappa(half_wave.follow(unknown, zhat)).numpy() == pytest.approx(1 / q99)
    rms = np.sqrt((zhat.numpy() ** 2).mean(1))
    assert opponent.kappa(opponent.follow(unknown, zhat)).numpy() == pytest.approx(0.16 / rms)


@pytest.mark.parametrize("statistic", ["q99", "rms"])
def test_kappa_follows_growing_predictions_and_j_kappa_is_constant(statistic) -> None:
    """After k windows an exponential average is (1 - rate)^k from its goal."""
    gain, detector = Gain(statistic, rate=0.2), CoincidenceDetector()
    size = gain.follow(gain.initial_size(predictions(1)), predictions(1.0))
    start, goal = size.clone(), gain.follow(torch.zeros(3).double(), predictions(5.0))
    for k in range(1, 6):
        size = gain.follow(size, predictions(5.0))
        torch.testing.assert_close(size, goal + 0.8**k * (start - goal))
        kappa = gain.kappa(size)
        product = detector.weight(kappa) * kappa
        torch.testing.assert_close(product, product[:1].expand(3), rtol=1e-12, atol=0)
        assert float(product[0]) == pytest.approx(1 / (20 * 0.2))


def test_one_sample_does_not_change_anothers_gain() -> None:
    gain = Gain("q99")
    zhat = predictions(1.0)
    both = gain.follow(torch.ones(3).double(), zhat)
    zhat[0] *= 100
    changed = gain.follow(torch.ones(3).double(), zhat)
    assert torch.equal(both[1:], changed[1:])
    assert both[0] != changed[0]


def test_silent_predictions_leave_the_gain_unknown() -> None:
    gain = Gain("q99")
    size = gain.follow(torch.zeros(2), torch.zeros(2, 5))
    assert torch.equal(gain.kappa(size), torch.ones(2))


def test_a_fixed_gain_does_not_move() -> None:
    gain = Gain(slope=0.3)
    size = gain.follow(torch.zeros(3).double(), predictions(9.0))
    assert torch.equal(gain.kappa(size), torch.full((3,), 0.3, dtype=torch.float64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"statistic": "max"}, "fixed, q99 or rms"),
        ({"slope": 0.0}, "slope of a gain"),
        ({"rate": 0.0}, "rate of a gain"),
        ({"rate": 1.1}, "rate of a gain"),
    ],
)
def test_impossible_gains_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Gain(**options)
