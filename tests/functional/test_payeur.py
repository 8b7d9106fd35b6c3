"""The burst-dependent rule against hand-worked sequences, its closed form and an independent loop."""

import math

import pytest
import torch

from clapp_snn.functional.payeur import (
    PayeurRule,
    PayeurState,
    expected_change,
    initial_payeur_state,
    payeur_step,
)

RULE = PayeurRule()


@pytest.mark.parametrize("name", ["tau_pre", "tau_avg"])
@pytest.mark.parametrize("value", [-5.0, 0.0, math.nan, math.inf])
def test_time_constants_must_be_positive(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a positive number"):
        PayeurRule(**{name: value})


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_learning_rate_must_be_finite(value: float) -> None:
    with pytest.raises(ValueError, match="eta must be a finite number"):
        PayeurRule(eta=value)


def one(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


def step(pre: float, event: float, burst: float, state: PayeurState, elapsed: float) -> tuple:
    change, state = payeur_step(one(pre), one(event), one(burst), state, one(elapsed), RULE)
    return float(change), state


def test_an_event_depresses_by_the_baseline_and_a_burst_potentiates() -> None:
    state = initial_payeur_state((1,), 5.0, 0.2, torch.float64)
    change, state = step(1, 0, 0, state, 0.0)
    assert change == 0
    change, state = step(0, 1, 0, state, 10.0)
    trace = math.exp(-10 / 50)
    assert change == pytest.approx(-0.1 * 0.2 * trace)
    change, state = step(0, 0, 1, state, 10.0)
    assert change == pytest.approx(0.1 * trace**2)
    ebar = (
        5 * math.exp(-20 / 15000) + math.exp(-10 / 15000) / 15,
        5 * 0.2 * math.exp(-20 / 15000) + 1 / 15,
    )
    assert float(state.event_rate) == pytest.approx(ebar[0])
    assert float(state.burst_rate) == pytest.approx(ebar[1])


def test_a_presynaptic_event_at_the_same_time_counts_and_the_averages_come_last() -> None:
    state = initial_payeur_state((1,), 5.0, 0.2, torch.float64)
    change, _ = step(1, 1, 1, state, 0.0)
    assert change == pytest.approx(0.1 * (1 - 0.2))


def test_splitting_a_silence_changes_nothing() -> None:
    whole = split = step(1, 1, 0, initial_payeur_state((1,), 8.0, 0.3, torch.float64), 0.0)[1]
    _, whole = step(0, 0, 0, whole, 30.0)
    for _ in range(30):
        _, split = step(0, 0, 0, split, 1.0)
    for a, b in zip(whole, split, strict=True):
        assert float(a) == pytest.approx(float(b), rel=1e-12)


@pytest.mark.parametrize(("rate", "slope"), [(5.0, 1.872), (10.0, 7.49)])
def test_published_slope(rate: float, slope: float) -> None:
    steep = expected_change(rate, 1.2, 0.2, 100_000.0, RULE)
    assert steep == pytest.approx(slope, rel=1e-3)
    assert expected_change(rate, 0.2, 0.2, 100_000.0, RULE) == 0


def test_the_mean_over_independent_neurons_is_the_closed_form() -> None:
    """Bernoulli events on a 1 ms grid, 4 s; 4.5 standard errors of the sample."""
    stream = torch.Generator().manual_seed(4)
    synapses, duration, rate, p = 1000, 4_000, 20.0, 0.5
    state = initial_payeur_state((synapses,), rate, 0.1, torch.float64)
    total = torch.zeros(synapses, dtype=torch.float64)
    elapsed = torch.ones(synapses, dtype=torch.float64)
    for _ in range(duration):
        u = torch.rand(3, synapses, dtype=torch.float64, generator=stream)
        pre, event = (u[:2] < rate / 1000).double()
        change, state = payeur_step(pre, event, event * (u[2] < p), state, elapsed, RULE)
        total += change
    error = float(total.std()) / math.sqrt(synapses)
    # A pre event counts from its own step on: on a grid of dt the mean trace is r (tau_pre + dt / 2).
    expected = expected_change(rate, p, 0.1, duration, RULE) * (1 + 0.5 / RULE.tau_pre)
    assert float(total.mean()) == pytest.approx(expected, abs=4.5 * error)
    assert error < 0.1 * expected


@pytest.mark.parametrize(
    ("rate", "p", "message"), [(0.0, 0.2, "above 0"), (5.0, 1.2, "between 0 and 1")]
)
def test_bad_starts_are_refused(rate: float, p: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        initial_payeur_state((1,), rate, p, torch.float64)
