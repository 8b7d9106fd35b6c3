"""Apical memory: the latch holds exactly, the leaky trace mixes past and present by its formula."""

import math

import pytest
import torch

from clapp_snn.circuit.apical_memory import Latch, LeakyTrace


def test_the_latch_predicts_from_the_last_window_alone() -> None:
    latch = Latch()
    past, present = torch.tensor([[1.0, 2.0]]), torch.tensor([[5.0, 7.0]])
    state = latch.close(past, latch.initial_state(past))
    for _ in range(10):
        state = latch.step(present, state)
    assert torch.equal(latch.average(state, 10), past)
    assert torch.equal(state.context, past)
    assert not latch.moving


@pytest.mark.parametrize(("tau", "window"), [(100.0, 200.0), (50.0, 400.0), (1000.0, 200.0)])
def test_the_traces_share_of_the_past_is_tau_over_t(tau: float, window: float) -> None:
    """(tau / T)(1 - exp(-T / tau)) against simulation; a sum of steps differs by about dt / (2 tau)."""
    trace = LeakyTrace(tau)
    past, present = torch.tensor([[1.0, 0.0]]).double(), torch.tensor([[0.0, 1.0]]).double()
    state = trace.initial_state(past)
    for _ in range(round(40 * tau)):
        state = trace.step(past, state)
    state = trace.close(past, state)
    for _ in range(round(window)):
        state = trace.step(present, state)
    old, new = trace.average(state, round(window))[0].tolist()
    assert old == pytest.approx(trace.carried_over(window), rel=0.6 / tau)
    assert old + new == pytest.approx(1)


def test_at_half_the_window_only_43_percent_is_past() -> None:
    assert LeakyTrace(100.0).carried_over(200.0) == pytest.approx(0.43, abs=0.005)


def test_a_trace_that_never_forgets_is_a_latch() -> None:
    assert LeakyTrace(1e9).carried_over(200.0) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("tau", "dt"), [(0.0, 1.0), (-1.0, 1.0), (10.0, 0.0), (math.nan, 1.0)])
def test_impossible_traces_are_refused(tau: float, dt: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        LeakyTrace(tau, dt)
