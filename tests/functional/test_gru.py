"""The recurrent layer against PyTorch's, and its three learning rules against autograd."""

import weakref
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from clapp_snn.functional.gru import (
    GRUWeights,
    Recurrence,
    detached_update,
    eprop_step,
    eprop_update,
    gru_states,
    initial_traces,
)
from clapp_snn.randomness import generator

FORMS: tuple[Recurrence, ...] = ("bptt", "eprop", "detached")


def layer(pre: int, units: int, seed: int = 0) -> nn.GRU:
    gru = nn.GRU(pre, units, batch_first=True).double()
    stream = generator(seed, "gru", pre, units)
    with torch.no_grad():
        for parameter in gru.parameters():
            parameter.copy_(1.5 * torch.randn(parameter.shape, generator=stream))
    return gru


def weights_of(gru: nn.GRU) -> GRUWeights:
    return GRUWeights(*gru.parameters())


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=generator(1, *shape), dtype=torch.float64)


def block_gradient_states(x: Tensor, gru: nn.GRU, form: Recurrence) -> Tensor:
    """Eqs. 18-21 of the paper, written out gate by gate with PyTorch's own cell as a check of the values."""
    w_ih, w_hh, b_ih, b_hh = gru.parameters()
    units = w_hh.shape[1]
    rows = [slice(0, units), slice(units, 2 * units), slice(2 * units, 3 * units)]
    (wi_r, wi_z, wi_n), (wh_r, wh_z, wh_n) = ([w[r] for r in rows] for w in (w_ih, w_hh))
    (bi_r, bi_z, bi_n), (bh_r, bh_z, bh_n) = ([b[r] for r in rows] for b in (b_ih, b_hh))
    h = torch.zeros(len(x), units, dtype=x.dtype)
    found = []
    for t in range(x.shape[1]):
        stopped = h if form == "bptt" else h.detach()
        leak = h.detach() if form == "detached" else h
        r = torch.sigmoid(x[:, t] @ wi_r.T + bi_r + stopped @ wh_r.T + bh_r)
        z = torch.sigmoid(x[:, t] @ wi_z.T + bi_z + stopped @ wh_z.T + bh_z)
        n = torch.tanh(x[:, t] @ wi_n.T + bi_n + r * (stopped @ wh_n.T + bh_n))
        h = (1 - z) * n + z * leak
        found.append(h)
    return torch.stack(found, 1)


def oracle(x: Tensor, gru: nn.GRU, form: Recurrence, signal: Tensor) -> list[Tensor]:
    states = block_gradient_states(x, gru, form)
    return list(torch.autograd.grad(states, list(gru.parameters()), signal))


@pytest.mark.parametrize("form", FORMS)
def test_states_are_those_of_pytorch(form: Recurrence) -> None:
    gru, x = layer(5, 4), normal(3, 9, 5)
    assert (gru_states(x, weights_of(gru), form) - gru(x)[0]).abs().max() < 1e-12


@pytest.mark.parametrize("form", FORMS)
def test_gradients_stop_where_the_paper_stops_them(form: Recurrence) -> None:
    gru, x, signal = layer(5, 4), normal(3, 9, 5), normal(3, 9, 4)
    states = gru_states(x, weights_of(gru), form)
    mine = torch.autograd.grad(states, list(gru.parameters()), signal)
    for own, theirs in zip(mine, oracle(x, gru, form, signal), strict=True):
        assert (own - theirs).abs().max() < 1e-11 * (1 + theirs.abs().max())


@settings(max_examples=40, deadline=None)
@given(
    samples=st.integers(1, 4),
    frames=st.integers(1, 25),
    pre=st.integers(1, 6),
    units=st.integers(1, 7),
    seed=st.integers(0, 1000),
)
def test_traces_equal_autograd_through_the_block_gradient_network(
    samples: int, frames: int, pre: int, units: int, seed: int
) -> None:
    gru = layer(pre, units, seed)
    x, signal = normal(samples, frames, pre), normal(samples, frames, units)
    with torch.no_grad():
        mine = eprop_update(x, weights_of(gru), signal)
    for own, theirs in zip(mine, oracle(x, gru, "eprop", signal), strict=True):
        assert (own - theirs).abs().max() <= 1e-9 * max(1.0, float(theirs.abs().max()))


@settings(max_examples=20, deadline=None)
@given(frames=st.integers(1, 20), units=st.integers(1, 6), seed=st.integers(0, 1000))
def test_detached_rule_equals_autograd(frames: int, units: int, seed: int) -> None:
    gru = layer(3, units, seed)
    x, signal = normal(2, frames, 3), normal(2, frames, units)
    with torch.no_grad():
        mine = detached_update(x, weights_of(gru), gru(x)[0], signal)
    for own, theirs in zip(mine, oracle(x, gru, "detached", signal), strict=True):
        assert (own - theirs).abs().max() <= 1e-9 * max(1.0, float(theirs.abs().max()))


def test_the_three_rules_differ_and_agree_on_one_step() -> None:
    gru, x, signal = layer(5, 4), normal(2, 12, 5), normal(2, 12, 4)
    found = [oracle(x, gru, form, signal)[0] for form in FORMS]
    assert not torch.allclose(found[0], found[1])
    assert not torch.allclose(found[1], found[2])
    once = [oracle(x[:, :1], gru, form, signal[:, :1])[0] for form in FORMS]
    assert torch.allclose(once[0], once[1], atol=1e-14)
    assert torch.allclose(once[0], once[2], atol=1e-14)


class LiveBytes(TorchDispatchMode):
    """Most bytes of memory alive at a time, of what is made inside; `given` tensors do not count."""

    def __init__(self, *given: Tensor) -> None:
        super().__init__()
        self.given = {tensor.untyped_storage()._cdata for tensor in given}
        self.holders: Counter[int] = Counter()
        self.now = self.most = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if not isinstance(tensor, Tensor) or tensor.untyped_storage()._cdata in self.given:
                continue
            place, size = tensor.untyped_storage()._cdata, tensor.untyped_storage().nbytes()
            self.now += size * (self.holders[place] == 0)
            self.holders[place] += 1
            self.most = max(self.most, self.now)
            weakref.finalize(tensor, self.freed, place, size)
        return result

    def freed(self, place: int, size: int) -> None:
        self.holders[place] -= 1
        self.now -= size * (self.holders[place] == 0)


def test_memory_of_eprop_does_not_grow_with_the_sequence() -> None:
    weights = GRUWeights(*(p.detach() for p in layer(6, 5).parameters()))
    peaks = []
    for frames in (5, 50):
        x, signal = normal(2, frames, 6), normal(2, frames, 5)
        with LiveBytes(x, signal, *weights) as live:
            eprop_update(x, weights, signal)
        peaks.append(live.most)
    traces = 8 * 2 * 15 * (6 + 5 + 2)
    assert traces < peaks[0] == peaks[1] < 10 * traces


def test_a_trace_decays_with_the_leak_alone() -> None:
    """With silent weights u = 1/2, n = 0: trace' = trace / 2 + (1 - u)(1 - n^2) x."""
    shapes = ((3, 1), (3, 1), (3,), (3,))
    weights = GRUWeights(*(torch.zeros(shape, dtype=torch.float64) for shape in shapes))
    one = torch.ones(1, 1, dtype=torch.float64)
    state = eprop_step(one, initial_traces(1, weights), weights)
    later = eprop_step(0 * one, state, weights)
    # The input was 1, then 0; that of the bias always is 1.
    assert state.weight_ih[0, 2, 0] == 0.5
    assert later.weight_ih[0, 2, 0] == 0.25
    assert later.bias_ih[0, 2] == 0.75
