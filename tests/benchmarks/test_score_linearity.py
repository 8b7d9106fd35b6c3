"""What the staircase of L0 costs is what theory says of three levels and a Gaussian prediction."""

import math

import pytest

from benchmarks.score_linearity import measure
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF


def test_l0_loses_what_a_staircase_of_three_steps_must_lose() -> None:
    """Correlation 0.900 with one prediction, hence an error of the score of sqrt(1 - 0.9^2) = 0.436 sd(u).

    The relative error of a standard deviation from 100 samples is 1 / sqrt(200) = 7 %.
    """
    measured = measure(TwoCompartmentLIF(), window=500.0, units=64, samples=100)
    assert measured.error == pytest.approx(math.sqrt(1 - 0.8999**2), rel=3 * 0.07)
    assert measured.correlation == pytest.approx(0.9, abs=3 * 0.02)
    assert 0.8 < measured.slope < 1.1
