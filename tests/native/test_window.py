"""Counts of events in a step are binomial, for few and for many neurons a unit."""

import numpy as np
import pytest
import torch
from scipy import stats

from clapp_snn import native
from clapp_snn.native.neurons import Counter
from clapp_snn.native.window import WindowCounts, run_window

pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_unavailable())

SAMPLES = 4


def counts(q: float, copies: int, steps: int, units: int, key: int = 0) -> torch.Tensor:
    """Events of all neurons of every unit in every step."""
    drive = torch.ones(1, SAMPLES, units).expand(steps, -1, -1)
    held = WindowCounts(
        torch.ones(SAMPLES, units),
        torch.zeros(SAMPLES, units),
        None,
        torch.zeros(SAMPLES, 3).long(),
    )
    activity = torch.empty(steps, SAMPLES, units)
    run_window(
        drive,
        torch.full((SAMPLES, 2, 1), 0.5),
        (0.0, q),
        copies,
        held,
        Counter(key, 0, torch.arange(SAMPLES), units),
        begin=True,
        counted=True,
        activity=activity,
    )
    assert int(held.totals[:, 0].sum()) == int(activity.double().sum())
    return activity.flatten()


@pytest.mark.parametrize(
    ("copies", "q"),
    [(1, 0.3), (2, 0.6), (10, 0.1), (50, 0.9), (100, 0.5), (200, 0.3), (500, 0.1), (500, 0.999), (1000, 0.5)],
)  # fmt: skip
def test_counts_are_binomial(copies: int, q: float) -> None:
    """Mean and variance within 5 standard errors, distribution by Kolmogorov-Smirnov (1 in 10^5)."""
    n = 2 * copies
    found = counts(q, copies, 100, 60).double().numpy()
    law = stats.binom(n, q)
    mean, variance, excess = law.stats("mvk")
    size = len(found)
    assert abs(found.mean() - mean) < 5 * (variance / size) ** 0.5
    assert abs(found.var() / variance - 1) < 5 * ((excess + 2) / size) ** 0.5
    values = np.arange(n + 1)
    distance = np.abs(np.searchsorted(np.sort(found), values, "right") / size - law.cdf(values))
    # For a discrete law the limit of the continuous one is an upper bound.
    assert distance.max() * size**0.5 < stats.kstwobign.isf(1e-5)


def test_rounding_makes_no_impossible_counts() -> None:
    """P(15 of 20 or more) is 9e-12 for q = 0.1: once in 7000 such tests."""
    assert max(float(counts(0.1, 10, 250, 4000, key).max()) for key in range(4)) < 15
