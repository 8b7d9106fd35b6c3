"""Convolutional stream areas: exact with rates, unbiased with bursts, local, resumable."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.basal import Conv
from clapp_snn.circuit.readout_synapses import SynapticReadout
from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import Neuron, Source
from clapp_snn.neurons.noise import SampleStreams, Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.randomness import generator

SIDE, PRE, POST = 4, 3, 7


def build(neuron: Neuron, pool: bool = False, scale: float = 3.0, **options) -> StreamArea:
    area = StreamArea(PRE, POST, neuron, basal=Conv(SIDE, SIDE, pool), **options)
    area.reset_parameters(generator(2, "area"))
    with torch.no_grad():
        area.weight *= scale
        area.W_pred.mul_(4).add_(0.3)
    return area


def glance(index: int, samples: int, side: int = SIDE, pre: int = PRE) -> Tensor:
    return 2 * torch.rand(samples, side, side, pre, generator=generator(index, "glance"))


def window(
    area: StreamArea, x: Tensor, state: StreamAreaState, source: Source | None = None
) -> StreamAreaState:
    for _ in range(area.steps):
        _, state = area.step(x, state, source)
    return state


def two_glances(area: StreamArea, x_prev: Tensor, x: Tensor, source: Source | None = None):
    state = area.latch(window(area, x_prev, area.initial_state(len(x)), source))
    return window(area, x, state, source)


def feature(area: StreamArea, x: Tensor) -> Tensor:
    """Mean over positions of the pooled and rectified convolution."""
    z = torch.relu(F.conv2d(x.permute(0, 3, 1, 2), area.weight, area.bias, padding=1))
    if isinstance(area.basal, Conv) and area.basal.pool:
        z = F.max_pool2d(z, 2)
    return z.mean((2, 3))


# --- rate code -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("retro", ["tied", "free", "zero"])
def test_with_the_rate_neuron_score_gamma_and_updates_are_exact(retro, steps, pool) -> None:
    """Autograd in float64; a free W_retro shares the gate of W_pred."""
    area = build(Rate(), pool, window=float(steps), retro=retro).double()
    x_prev, x = glance(0, 40).double(), glance(1, 40).double()
    y = torch.where(torch.arange(40) % 2 == 0, 1.0, -1.0).double()
    reading = area.read(two_glances(area, x_prev, x), y)

    z, c = feature(area, x), feature(area, x_prev)
    u = (z * ((c if retro == "tied" else c.detach()) @ area.W_pred.T)).sum(1)
    loss = (1 - y * u).clamp(min=0).sum()
    gamma = (y * (1 - y * u > 0)).detach()
    if area.W_retro is not None:
        loss = loss - (gamma * ((c @ area.W_retro) * z.detach()).sum(1)).sum()
    torch.testing.assert_close(reading.score, u.detach(), rtol=1e-12, atol=1e-12)
    assert torch.equal(reading.gamma, gamma)
    assert 0.1 < float(gamma.abs().mean()) < 0.9, "the gate is not tested"
    changes = list(area.changes(reading.update))
    parameters = [p for p, _ in changes]
    assert {id(p) for p in parameters} == {id(p) for p in area.parameters()}
    for (_, change), gradient in zip(changes, torch.autograd.grad(loss, parameters), strict=True):
        assert bool(change.any())
        torch.testing.assert_close(change, -gradient, rtol=1e-9, atol=1e-11)


def test_bursts_of_rates_weigh_every_position_by_its_activity() -> None:
    """Burst-only plasticity: minus the gradient where rho were exponential, rho' = rho = z, by autograd."""
    area = build(Rate(), True, window=1.0, post_factor="burst").double()
    x_prev, x = glance(0, 6).double(), glance(1, 6).double()
    reading = area.read(two_glances(area, x_prev, x), -torch.ones(6).double())

    def exponential(x: Tensor) -> Tensor:
        a = F.conv2d(x.permute(0, 3, 1, 2), area.weight, area.bias, padding=1)
        z = F.max_pool2d(a, 2)
        held = torch.relu(z).detach()
        # z in value, z da in its gradient.
        return (held + held * (z - z.detach())).mean((2, 3))

    z, c = exponential(x), exponential(x_prev)
    u = (z * (c @ area.W_pred.T)).sum(1)
    gamma = -(1 + u > 0).double()
    assert bool(gamma.any())
    (wanted,) = torch.autograd.grad((gamma * u).sum(), area.weight)
    torch.testing.assert_close(reading.update.weight, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("neuron", [EventBurst(), StrictBurst()])
def test_a_map_of_one_position_is_a_dense_area(neuron: Neuron) -> None:
    """The centre of the kernel is the matrix; the same random numbers give the same events and learning."""
    conv = StreamArea(5, 6, neuron, 40.0, basal=Conv(1, 1))
    dense = StreamArea(5, 6, neuron, 40.0)
    conv.reset_parameters(generator(1))
    with torch.no_grad():
        conv.weight *= 5
        dense.load_state_dict({**conv.state_dict(), "weight": conv.weight[:, :, 1, 1]})
    x_prev, x = glance(0, 3, 1, 5), glance(1, 3, 1, 5)
    one = two_glances(conv, x_prev, x, Streams.from_seed(0))
    two = two_glances(dense, x_prev[:, 0, 0], x[:, 0, 0], Streams.from_seed(0))
    assert torch.equal(one.sums.z[:, 0, 0], two.sums.z)
    torch.testing.assert_close(one.detector.u, two.detector.u)
    y = -torch.ones(3)
    update = conv.read(one, y).update.weight[:, :, 1, 1]
    assert bool(update.any())
    torch.testing.assert_close(update, dense.read(two, y).update.weight)


# --- spiking code --------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("readout", ["half_wave", "opponent"])
def test_the_expected_score_is_u(readout: str, pool: bool) -> None:
    """Over 400 samples with one context: within 4.5 standard errors of the closed form, with the mean
    activity of a channel and positions as copies (its variance is smaller by the spread of activities)."""
    samples = 400
    area = build(EventBurst(EventBurstParameters(readout=readout)), pool, window=60.0)
    area.requires_grad_(False)
    before = area.latch(window(area, glance(0, 1), area.initial_state(1), Streams.from_seed(1)))
    state = area.initial_state(samples)._replace(
        apical=before.apical.expand(samples, -1), size=before.size.expand(samples)
    )
    x = glance(1, 1).expand(samples, -1, -1, -1)
    reading = area.read(window(area, x, state, Streams.from_seed(2)), torch.ones(samples))
    z, A = feature(area, x[:1]), before.apical
    moments = area.detector.moments(z, A, area.gain.kappa(before.size))
    error = 4.5 * math.sqrt(float(moments.variance) / samples)
    assert abs(float(reading.score.mean() - moments.mean)) < error
    assert abs(float((z * A).sum())) > 2 * error
    assert float(reading.score.var() / moments.variance) == pytest.approx(1, abs=0.4)
    torch.testing.assert_close(reading.traces.z.mean(0), z[0], rtol=0.05, atol=0.03)


@pytest.mark.parametrize("pool", [False, True])
def test_mean_updates_with_forced_gamma_are_those_of_the_rates(pool: bool) -> None:
    """Analog input, hence exact drives and winners: Eqs. 6-8 are unbiased. 600 samples."""
    samples = 600
    area = build(EventBurst(), pool, window=60.0).requires_grad_(False)
    x_prev, x = (glance(i, 1).expand(samples, -1, -1, -1) for i in (0, 1))
    state = two_glances(area, x_prev, x, Streams.from_seed(5))
    state = state._replace(nucleus=area.nucleus.initial_state(x))
    update = area.read(state, torch.ones(samples)).update
    exact = build(Rate(), pool, window=1.0).requires_grad_(False)
    state = two_glances(exact, x_prev[:1], x[:1])
    state = state._replace(nucleus=exact.nucleus.initial_state(x[:1]))
    wanted = exact.read(state, torch.ones(1)).update
    for name in ("weight", "W_pred"):
        one, two = getattr(update, name) / samples, getattr(wanted, name)
        assert float((one - two).norm() / two.norm()) < 0.05, name


def test_losers_neither_fire_nor_learn() -> None:
    """In every group and channel at most one position holds a postsynaptic factor, whatever the noise."""
    area = build(EventBurst(), True, window=30.0, settle=5.0, tau_basal=10.0, post_factor="event")
    state, stream = area.initial_state(5), generator(4)
    for _ in range(area.steps):
        events = (torch.rand(5, SIDE, SIDE, PRE, generator=stream) < 0.02).float() / 0.02
        _, state = area.step(events, state, Streams.from_seed(0))
    d = area.read(state, torch.ones(5)).traces.d
    learning = d.unflatten(1, (2, 2)).unflatten(3, (2, 2)).sum((2, 4))
    assert learning.max() == 1
    assert torch.equal(learning, (state.sums.z > 0).float())


@pytest.mark.parametrize(
    ("neuron", "options"),
    [
        (TwoCompartmentLIF(), {}),
        (StrictBurst(), {"readout": SynapticReadout, "copies": 2}),
        (EventBurst(), {"tau_eligibility": 50.0, "post_factor": "surrogate"}),
    ],
)
def test_every_neuron_and_part_runs_on_maps(neuron: Neuron, options: dict) -> None:
    area = build(neuron, True, window=300.0, settle=50.0, retro="free", **options)
    state = two_glances(area, glance(0, 4), glance(1, 4), Streams.from_seed(1))
    reading = area.read(state, -torch.ones(4))
    z = feature(area, glance(1, 4)).detach()
    assert float(reading.traces.z.mean() / z.mean()) == pytest.approx(1, abs=0.2)
    for parameter, change in area.changes(reading.update):
        assert change.shape == parameter.shape
        assert bool(torch.isfinite(change).all())
        assert bool(change.any())


# --- state, randomness, stacks -------------------------------------------------------------------


def tensors(state: Any) -> list[Tensor]:
    return (
        [state] if isinstance(state, Tensor) else [leaf for part in state for leaf in tensors(part)]
    )


def test_the_state_is_tensors_that_share_no_memory_and_do_not_grow() -> None:
    area = build(EventBurst(), True, window=20.0, post_factor="burst", tau_eligibility=10.0)
    fresh = area.initial_state(2)
    leaves = tensors(fresh)
    assert len({leaf.data_ptr() for leaf in leaves}) == len(leaves)
    later = area.latch(two_glances(area, glance(0, 2), glance(1, 2), Streams.from_seed(0)))
    assert [leaf.shape for leaf in tensors(later)] == [leaf.shape for leaf in leaves]
    assert not any(leaf.requires_grad for leaf in tensors(later))


def test_a_sample_does_not_depend_on_its_batch() -> None:
    area = build(EventBurst(), True, window=30.0).double()

    def scores(samples: list[int]) -> tuple[Tensor, Tensor]:
        source = SampleStreams(3, samples, "area", 0)
        x = [glance(index, 4).double()[samples] for index in (0, 1)]
        state = two_glances(area, x[0], x[1], source)
        return state.sums.z, state.detector.u

    z, u = scores([0, 1, 2, 3])
    z_alone, u_alone = scores([2])
    assert torch.equal(z_alone[0], z[2])
    torch.testing.assert_close(u_alone[0], u[2], rtol=1e-9, atol=1e-12)


def stack() -> StreamHierarchy:
    one = StreamArea(2, 4, EventBurst(), 20.0, basal=Conv(4, 4, True))
    two = StreamArea(4, 5, EventBurst(), 20.0, basal=Conv(2, 2))
    hierarchy = StreamHierarchy([one, two])
    hierarchy.reset_parameters(1)
    with torch.no_grad():
        two.weight.abs_()
    return hierarchy


def test_maps_are_stacked() -> None:
    hierarchy = stack()
    sources = [Streams.from_seed(i) for i in range(2)]
    x = 5 * glance(0, 3, 4, 2)
    constant = hierarchy.window(x, hierarchy.initial_state(3), sources)
    again = [Streams.from_seed(i) for i in range(2)]
    in_time = hierarchy.window(x.expand(20, *x.shape), hierarchy.initial_state(3), again)
    assert torch.equal(constant[1].sums.z, in_time[1].sums.z)
    assert bool(constant[1].sums.x.any())
    states = hierarchy.window(x, hierarchy.latch(constant), sources)
    updates = list(hierarchy.learn(states, torch.tensor([1.0, -1.0, 1.0])))
    for update in updates:
        for parameter, change in update.changes:
            assert change.shape == parameter.shape
            assert bool(change.any())


def test_maps_that_do_not_fit_are_refused() -> None:
    one = StreamArea(2, 4, EventBurst(), 20.0, basal=Conv(4, 4, True))
    with pytest.raises(ValueError, match="4 x 4 x 4 inputs cannot follow one of 2 x 2 x 4 units"):
        StreamHierarchy([one, StreamArea(4, 5, EventBurst(), 20.0, basal=Conv(4, 4))])
    hierarchy = stack()
    with pytest.raises(ValueError, match="3 samples of 4 x 4 x 2, not shape"):
        hierarchy.window(torch.zeros(3, 4, 4, 3), hierarchy.initial_state(3), [None, None])
