"""Decaying traces: unit gain, equal to averages over a window for constant drive, and where they differ."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clapp_snn.functional.eligibility import SynapticTraces, decay_of, effective_steps
from clapp_snn.functional.window_plasticity import WindowTraces, WindowUpdate, window_update
from clapp_snn.randomness import generator

SAMPLES, PRE, POST, STEPS = 3, 4, 5, 30


def test_decay_and_effective_length() -> None:
    assert decay_of(20.0, 1.0) == math.exp(-0.05)
    assert decay_of(math.inf, 1.0) == 1
    assert effective_steps(1.0, 7) == 7
    assert effective_steps(0.5, 3) == pytest.approx(1 + 0.5 + 0.25)
    with pytest.raises(ValueError, match="must be positive, not 0"):
        decay_of(0.0, 1.0)


@settings(max_examples=50, deadline=None)
@given(tau=st.floats(0.5, 1e6), steps=st.integers(1, 300), value=st.floats(-10, 10))
def test_traces_have_unit_gain(tau: float, steps: int, value: float) -> None:
    decay, trace = decay_of(tau, 1.0), 0.0
    for _ in range(steps):
        trace = decay * trace + value
    assert trace / effective_steps(decay, steps) == pytest.approx(value, rel=1e-6, abs=1e-9)


def draw(name: str, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=generator(0, name), dtype=torch.float64)


def traced(
    x: Tensor, z: Tensor, d: Tensor, A: Tensor, decay: float, start: SynapticTraces
) -> SynapticTraces:
    """Steps along the first axis of x and z."""
    for x_t, z_t in zip(x, z, strict=True):
        start = start.step(x_t, z_t, d, A, decay)
    return start


def leaky_mean(values: Tensor, decay: float) -> Tensor:
    """Average over the first axis with weights that decay into the past, written out."""
    weights = torch.tensor([decay**k for k in range(len(values))][::-1], dtype=values.dtype)
    return torch.einsum("t,tsi->si", weights / weights.sum(), values)


def same(one: WindowUpdate, two: WindowUpdate) -> None:
    for a, b in zip(one, two, strict=True):
        if a is None or b is None:
            assert a is b
        else:
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("tau", [math.inf, 10.0])
@pytest.mark.parametrize("retro", ["tied", "free", "zero"])
def test_constant_drive_makes_synaptic_traces_equal_window_averages(retro, tau: float) -> None:
    """Any input and output spikes; rho'(a) and A constant in each of two windows. Without decay the averages
    are those of the window, with it they decay alike."""
    decay = decay_of(tau, 1.0)
    x, x_prev = ((draw(n, STEPS, SAMPLES, PRE) < 0.3).double() for n in ("x", "x_prev"))
    z, z_prev = ((draw(n, STEPS, SAMPLES, POST) < 0.3).double() for n in ("z", "z_prev"))
    d, d_prev = ((draw(n, SAMPLES, POST) > 0.5).double() for n in ("d", "d_prev"))
    A, A_prev, c = (draw(n, SAMPLES, POST) - 0.5 for n in ("A", "A_prev", "c"))
    W, W_own = (draw(n, POST, POST) - 0.5 for n in ("W_pred", "W_retro"))
    own = W_own if retro == "free" else None
    gamma = torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64)

    steps = effective_steps(decay, STEPS)
    before = traced(x_prev, z_prev, d_prev, A_prev, decay, SynapticTraces.at_rest(d, PRE))
    now = traced(x, z, d, A, decay, before.hold(steps))
    averages = (leaky_mean(each, decay) for each in (x, z, x_prev))
    x_bar, z_bar, x_prev_bar = averages
    traces = WindowTraces(x_bar, z_bar, d, A, c, x_prev_bar, d_prev)
    same(now.update(gamma, c, W, own, retro, steps), window_update(gamma, traces, W, own, retro))


def test_synaptic_traces_count_coincidences() -> None:
    """An input that comes only while the neuron is silent: no coincidence, though both were active."""
    x = torch.tensor([1.0, 0.0] * 10).double()[:, None, None].expand(-1, 1, PRE)
    state = SynapticTraces.at_rest(torch.zeros(1, POST).double(), PRE)
    one = torch.ones(1, POST).double()
    for t, x_t in enumerate(x):
        state = state.step(x_t, one, one * (t % 2), one, 1.0)
    assert not state.eligible[..., :-1].any()
    assert bool((state.eligible[..., -1] == 10).all())


def test_memory_does_not_grow_with_steps() -> None:
    rest = SynapticTraces.at_rest(torch.zeros(2, POST), PRE)
    x, z, A = torch.ones(2, PRE), torch.ones(2, POST), torch.ones(2, POST)
    state = rest
    for _ in range(500):
        state = state.step(x, z, z, A, 0.9)
    assert [t.shape for t in state] == [t.shape for t in rest]
    assert not any(t.requires_grad for t in state)
