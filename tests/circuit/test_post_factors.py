"""How basal synapses know A and rho'(a), in an area: expectations of all variants, and traces that decay."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState
from clapp_snn.functional.eligibility import SynapticTraces, decay_of, effective_steps
from clapp_snn.functional.window_plasticity import post_factor, window_update
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import Neuron, Source
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.randomness import generator

PRE, POST = 8, 10
OPPONENT = EventBurstParameters(readout="opponent")


def build(neuron: Neuron, **options) -> StreamArea:
    area = StreamArea(PRE, POST, neuron, **options)
    area.reset_parameters(generator(2, "area"))
    with torch.no_grad():
        area.weight *= 3
    return area.requires_grad_(False)


def glance(index: int, samples: int = 1) -> Tensor:
    return 2 * torch.rand(1, PRE, generator=generator(index, "glance")).expand(samples, -1)


def window(
    area: StreamArea, x: Tensor, state: StreamAreaState, source: Source | None = None
) -> StreamAreaState:
    for _ in range(area.steps):
        _, state = area.step(x, state, source)
    return state


def two_glances(area: StreamArea, samples: int, source: Source | None = None) -> StreamAreaState:
    dtype = area.weight.dtype
    state = window(area, glance(0, samples).to(dtype), area.initial_state(samples), source)
    return window(area, glance(1, samples).to(dtype), area.latch(state), source)


def rates(area: StreamArea, index: int) -> Tensor:
    return torch.relu(F.linear(glance(index).to(area.weight), area.weight, area.bias))


# --- rate code: exact ----------------------------------------------------------------------------


@pytest.mark.parametrize("post", ["surrogate", "burst", "burst_ratio"])
def test_updates_of_rates_are_as_written(post) -> None:
    """Eqs. 6 and 7 in float64 with each variant's A and d; with bursts these are products of activities."""
    area = build(Rate(), window=3.0, post_factor=post).double()
    reading = area.read(two_glances(area, 1), -torch.ones(1).double())
    a, a_prev = (F.linear(glance(i).double(), area.weight, area.bias) for i in (1, 0))
    z, c = torch.relu(a), torch.relu(a_prev)
    if post == "surrogate":
        d, d_prev = (1 / (math.pi * (1 + (math.pi * v) ** 2)) for v in (a, a_prev))
    else:
        d, d_prev = (z, c) if post == "burst" else ((z > 0).double(), (c > 0).double())
    assert reading.gamma == -1
    wanted = -(c @ area.W_pred.T * d).T @ glance(1).double()
    wanted -= (z @ area.W_pred * d_prev).T @ glance(0).double()
    assert bool(wanted.any())
    torch.testing.assert_close(reading.update.weight, wanted, rtol=1e-12, atol=1e-12)


# --- spiking code: unbiased ----------------------------------------------------------------------


@pytest.mark.parametrize("neuron", [EventBurst(), EventBurst(OPPONENT)], ids=["half", "opponent"])
@pytest.mark.parametrize("copies", [1, 3])
def test_the_expected_burst_factor_is_z_times_a(neuron: Neuron, copies: int) -> None:
    """Of every unit, over 2000 samples, all with one context: within 4.5 standard errors of the closed-form
    variance of a score of one unit (the opponent read-out: of its closed-form mean, cubic terms included).
    """
    samples = 2000
    area = build(neuron, window=100.0, copies=copies, post_factor="burst")
    state = window(area, glance(0), area.initial_state(1), Streams.from_seed(1))
    state = area.latch(state)
    A, kappa = state.apical, area.gain.kappa(state.size)
    fresh = area.initial_state(samples)
    fresh = fresh._replace(apical=A.expand(samples, -1), size=state.size.expand(samples))
    state = window(area, glance(1, samples), fresh, Streams.from_seed(2))
    t = area.read(state, torch.ones(samples)).traces
    z = rates(area, 1)
    # One "score" a unit: units take the place of samples.
    fano = 1 - z * area.port.rho * area.port.dt / 1000
    each = area.detector.moments(z.T, A.T, kappa.expand(POST), fano.T)
    error = 4.5 * (each.variance / samples).sqrt()
    measured = (t.A * t.d).mean(0)
    assert bool(((measured - each.mean).abs() <= error + 1e-7).all())
    assert float((z * A).abs().max() / error.max()) > 5, "the tolerance hides the effect"
    torch.testing.assert_close(each.mean, (z * A)[0], rtol=0.1, atol=float(error.max()))
    # A sample's score is the sum of what its units know.
    torch.testing.assert_close((t.A * t.d).sum(1), state.detector.u, rtol=1e-4, atol=1e-4)


def test_the_burst_ratio_recovers_eq_6_wherever_there_was_an_event() -> None:
    """E[b / zbar; an event] = A (1 - exp(-2 rho z T)): both populations' events count. Bernoulli steps:
    (1 - q)^(2 T / dt). Tolerance 4.5 standard errors, estimated from the 4000 samples themselves."""
    samples = 4000
    area = build(EventBurst(), window=100.0, post_factor="burst_ratio")
    state = area.initial_state(samples)
    A = torch.linspace(-0.9, 0.9, POST).expand(samples, -1)
    state = window(area, glance(1, samples), state._replace(apical=A), Streams.from_seed(3))
    t = area.read(state, torch.ones(samples)).traces
    q = rates(area, 1) * 0.02
    wanted = A[:1] * (1 - (1 - q) ** 200)
    product = t.A * t.d
    error = 4.5 * product.std(0) / math.sqrt(samples)
    assert bool(((product.mean(0) - wanted).abs() <= error[None] + 1e-7).all())
    assert float(wanted.abs().max() / error.max()) > 5


def test_the_event_factor_misses_active_units_as_predicted() -> None:
    """P(no event) = (1 - q)^(2 T / dt); 3000 samples, 4.5 binomial standard errors."""
    samples = 3000
    area = build(EventBurst(), window=20.0, post_factor="event")
    state = window(area, glance(1, samples), area.initial_state(samples), Streams.from_seed(4))
    d = area.read(state, torch.ones(samples)).traces.d
    missed = (1 - rates(area, 1)[0] * 0.02) ** 40
    error = 4.5 * (missed * (1 - missed) / samples).sqrt()
    assert bool(((1 - d.mean(0) - missed).abs() <= error).all())
    assert bool((missed < 0.9).any())


def test_burst_variants_share_no_memory_between_fields_of_the_state() -> None:
    """Files of tensors need each field on its own."""
    area = build(EventBurst(), window=10.0, post_factor="burst")
    state = area.latch(window(area, glance(0), area.initial_state(1), Streams.from_seed(0)))
    fields = (state.d_prev, state.memory.context, state.apical, state.sums.z, state.share)
    assert len({each.data_ptr() for each in fields}) == len(fields)


# --- traces that decay ---------------------------------------------------------------------------


@pytest.mark.parametrize("post", ["drive", "burst"])
@pytest.mark.parametrize("retro", ["tied", "free", "zero"])
def test_for_constant_drive_decaying_traces_learn_what_windows_learn(retro, post) -> None:
    """Rate code, float64."""
    updates = []
    for tau in (math.inf, 7.0):
        options = {"window": 40.0, "retro": retro, "post_factor": post}
        area = build(Rate(), tau_eligibility=tau, **options).double()
        updates.append(area.read(two_glances(area, 1), -torch.ones(1).double()).update)
    for one, two in zip(*updates, strict=True):
        if one is not None:
            assert bool(one.any())
            torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


def test_neurons_traces_equal_those_of_every_synapse_for_constant_drive() -> None:
    """Events of L3, analog input: an area with `tau_eligibility` against traces kept by each synapse."""
    area = build(EventBurst(), window=60.0, tau_eligibility=25.0)
    decay, source = decay_of(25.0, 1.0), Streams.from_seed(8)
    steps = effective_steps(decay, 60)
    state, kept = area.initial_state(2), SynapticTraces.at_rest(torch.zeros(2, POST), PRE)
    for index in (0, 1):
        x = glance(index, 2)
        d = post_factor(F.linear(x, area.weight, area.bias), torch.zeros(2, POST))
        for _ in range(area.steps):
            step, state = area.step(x, state, source)
            kept = kept.step(x, step.z, d, state.apical, decay)
        if index == 0:
            state, kept = area.latch(state), kept.hold(steps)
    t = area.read(state, torch.ones(2)).traces
    gamma = torch.tensor([1.0, -1.0])
    one = window_update(gamma, t, area.W_pred, None, "tied")
    two = kept.update(gamma, t.c, area.W_pred, None, "tied", steps)
    torch.testing.assert_close(one.weight, two.weight, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(one.bias, two.bias, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(one.W_pred, two.W_pred, rtol=1e-4, atol=1e-5)


def test_decay_keeps_the_mean_and_costs_precision_as_predicted() -> None:
    """zbar of Bernoulli events: mean z; variance n sum l^2k / (sum l^k)^2 times that of counting.

    3000 samples of independent units: 4.5 sqrt(2 / (3000 active units)) plus 1 % for skewness.
    """
    samples, tau = 3000, 20.0
    area = build(EventBurst(), window=100.0, tau_eligibility=tau)
    state = window(area, glance(1, samples), area.initial_state(samples), Streams.from_seed(9))
    z_bar, z = area.read(state, torch.ones(samples)).traces.z, rates(area, 1)
    active = z[0] > 0.1
    decay = decay_of(tau, 1.0)
    spread = effective_steps(decay**2, 100) / effective_steps(decay, 100) ** 2
    q = z[0, active] * 0.02
    variance = q * (1 - q) / 2 / 0.02**2 * spread
    error = 4.5 * (variance / samples).sqrt()
    assert bool(((z_bar[:, active].mean(0) - z[0, active]).abs() < error).all())
    ratio = float((z_bar[:, active].var(0) / variance).mean())
    assert spread > 2.2 / 100
    assert abs(ratio - 1) < 4.5 * math.sqrt(2 / (samples * int(active.sum()))) + 0.01


def test_a_time_constant_must_be_positive() -> None:
    with pytest.raises(ValueError, match="time constant of a trace must be positive, not 0"):
        build(EventBurst(), tau_eligibility=0.0)
