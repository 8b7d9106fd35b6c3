"""L3 against its closed forms, and the independence of events from the apical port."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clapp_snn.neurons.event_burst import (
    EventBurst,
    EventBurstParameters,
    EventBurstState,
    burst_probability,
    event_rate,
    fano_factor,
    hazard,
)
from clapp_snn.neurons.interface import Inputs, Layer, Outputs, simulate
from clapp_snn.neurons.noise import Streams


class Counts:
    """Sums what a simulation says."""

    def __init__(self) -> None:
        self.events: Tensor = torch.zeros(())
        self.bursts: Tensor = torch.zeros(())

    def __call__(self, step: int, inputs: Inputs, outputs: Outputs, state: EventBurstState) -> None:
        self.events = self.events + outputs.event
        self.bursts = self.bursts + outputs.burst


def counts_of(
    params: EventBurstParameters, inputs: Inputs, steps: int, dt: float = 1.0, seed: int = 0
) -> Counts:
    """Counts over a window, begun in the stationary state."""
    neuron, counts = EventBurst(params, dt), Counts()
    start = neuron.stationary_state(
        inputs.soma, torch.rand(inputs.soma.shape, generator=torch.Generator().manual_seed(seed))
    )
    simulate(neuron, inputs, steps, start, Streams.from_seed(seed), counts)
    return counts


@pytest.mark.parametrize(
    ("rate", "t_ref", "dt"),
    [(20.0, 0.0, 1.0), (20.0, 20.0, 1.0), (40.0, 20.0, 1.0), (20.0, 5.0, 0.5), (3.0, 20.0, 0.25)],
)
def test_mean_rate_and_fano_factor_are_the_closed_forms(
    rate: float, t_ref: float, dt: float
) -> None:
    """Counts of n stationary units in a window of mean m: both moments within 4.5 standard errors.

    The mean has variance F m / n. The variance estimate has, for nearly normal counts, relative standard
    error sqrt(2 / n). In a finite window the variance of a stationary renewal count is F m plus a constant
    below 1/2, which enters the tolerance.
    """
    units, steps = 4000, 1000
    window = steps * dt / 1000
    params = EventBurstParameters(rho=rate, t_ref=t_ref)
    soma = torch.ones(units)
    events = counts_of(params, Inputs(soma, 0 * soma), steps, dt).events.double()
    expected = rate * window
    fano = fano_factor(torch.tensor(rate, dtype=torch.float64), dt, t_ref).item()
    spread = fano * expected + 0.5
    assert abs(events.mean().item() - expected) < 4.5 * math.sqrt(spread / units)
    tolerance = 4.5 * math.sqrt(2 / units) * spread + 0.5
    assert abs(events.var().item() - fano * expected) < tolerance


def test_reference_value_of_the_fano_factor() -> None:
    """20 Hz with 20 ms of silence, 0.348."""
    assert fano_factor(torch.tensor(20.0), 1.0, 20.0).item() == pytest.approx(0.348, abs=5e-4)


@settings(deadline=None)
@given(
    rate=st.floats(0.0, 500.0), dt=st.floats(0.1, 1.0), n_ref=st.sampled_from([0, 2, 5, 20, 200])
)
def test_the_hazard_gives_the_rate(rate: float, dt: float, n_ref: int) -> None:
    """Intervals are n_ref steps plus a geometric number with mean 1 / q: their mean is 1 / rate."""
    q = hazard(torch.tensor(rate, dtype=torch.float64), dt, n_ref * dt).item()
    fastest = 1000 / ((n_ref + 1) * dt)
    assert 0 <= q <= 1 + 1e-9
    if rate > 1e-6:
        mean_interval = (n_ref + 1 / q) * dt
        assert mean_interval == pytest.approx(1000 / min(rate, fastest), rel=1e-9)


def test_a_drive_beyond_reach_fires_at_once_after_each_refractory_time() -> None:
    params = EventBurstParameters(t_ref=4.0)
    soma = torch.full((50, 3), 1e6)
    outputs, _ = Layer(EventBurst(params))(Inputs(soma, 0 * soma), source=Streams.from_seed(0))
    expected = torch.zeros(50)
    expected[::5] = 1
    assert torch.equal(outputs.event, expected[:, None].expand(50, 3))
    assert event_rate(soma[0], params, 1.0).tolist() == [200.0] * 3


def test_no_event_within_the_refractory_time() -> None:
    params = EventBurstParameters(rho=40.0, t_ref=20.0)
    soma = torch.ones(1500, 20)
    outputs, _ = Layer(EventBurst(params))(Inputs(soma, 0 * soma), source=Streams.from_seed(1))
    for train in outputs.event.T:
        gaps = train.nonzero().flatten().diff()
        assert len(gaps) > 10
        assert gaps.min() > 20


def test_negative_drive_is_silence_beside_the_background() -> None:
    """Rectified: 5 Hz of background in 2000 units and 1 s, Poisson to within 4.5 standard errors."""
    soma = torch.full((2000,), -3.0)
    inputs = Inputs(soma, 0 * soma)
    assert counts_of(EventBurstParameters(), inputs, 200).events.sum() == 0
    found = counts_of(EventBurstParameters(background=5.0), inputs, 1000).events.mean().item()
    assert abs(found - 5.0) < 4.5 * math.sqrt(5.0 / 2000)


@pytest.mark.parametrize("readout", ["half_wave", "opponent"])
def test_bursts_given_events_are_binomial(readout: str) -> None:
    """Share of events that are bursts, within 4.5 binomial standard errors of p."""
    params = EventBurstParameters(rho=200.0, readout=readout)
    apical = torch.tensor([-2.0, -0.4, 0.0, 0.3, 0.9, 1.0, 2.5])
    drives = Inputs(torch.ones(400, 7), apical.expand(400, 7))
    counts = counts_of(params, drives, 100)
    if readout == "half_wave":
        expected = [0.0, 0.0, 0.0, 0.3, 0.9, 1.0, 1.0]
    else:
        odds = 0.2113 / (1 - 0.2113)
        expected = [odds * math.exp(x) / (1 + odds * math.exp(x)) for x in apical.tolist()]
    assert burst_probability(apical, params).tolist() == pytest.approx(expected, rel=1e-5)
    for p, events, bursts in zip(expected, counts.events.sum(0), counts.bursts.sum(0), strict=True):
        share = (bursts / events).item()
        assert abs(share - p) <= 4.5 * math.sqrt(p * (1 - p) / events.item()) + 1e-7


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    scale=st.floats(0.0, 1e6),
    t_ref=st.sampled_from([0.0, 3.0, 20.0]),
    readout=st.sampled_from(["half_wave", "opponent"]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_events_do_not_depend_on_the_apical_drive(
    seed: int, scale: float, t_ref: float, readout: str, dtype: torch.dtype
) -> None:
    noise = torch.Generator().manual_seed(seed)
    soma = torch.randn(40, 2, 5, generator=noise, dtype=dtype)
    apical = scale * torch.randn(40, 2, 5, generator=noise, dtype=dtype)
    layer = Layer(EventBurst(EventBurstParameters(rho=40.0, t_ref=t_ref, readout=readout)))
    silent, _ = layer(Inputs(soma, 0 * soma), source=Streams.from_seed(seed))
    driven, _ = layer(Inputs(soma, apical), source=Streams.from_seed(seed))
    assert torch.equal(silent.event, driven.event)
    assert torch.equal(driven.event, driven.spike)
    assert (driven.burst <= driven.event).all()


def test_on_and_off_half_waves_sum_to_the_signed_score() -> None:
    """E[B_on - B_off] = rho z kappa zhat T for any sign, within 4.5 standard errors of a sum of binomials."""
    zhat = torch.tensor([-0.7, 0.4])
    units, steps, rate = 3000, 200, 20.0
    signed = torch.stack((zhat, -zhat)).expand(units, 2, 2)
    counts = counts_of(EventBurstParameters(), Inputs(torch.ones(units, 2, 2), signed), steps)
    difference = (counts.bursts[:, 0] - counts.bursts[:, 1]).mean(0)
    expected = rate * steps / 1000 * zhat
    assert ((difference - expected).abs() < 4.5 * (expected.abs() / units).sqrt()).all()


def test_a_stationary_start_has_no_transient() -> None:
    """The rate of the very first steps is that of the last, unlike after a start without a past."""
    params = EventBurstParameters(rho=40.0, t_ref=20.0)
    units = 40_000
    early = counts_of(params, Inputs(torch.ones(units), torch.zeros(units)), 5).events.mean().item()
    rested = Counts()
    simulate(
        EventBurst(params),
        Inputs(torch.ones(units), torch.zeros(units)),
        5,
        None,
        Streams.from_seed(0),
        rested,
    )
    error = math.sqrt(0.2 / units)
    assert abs(early - 0.2) < 4.5 * error
    assert rested.events.mean().item() > 0.2 + 20 * error


def test_what_no_hazard_can_give_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no unit is faster than 47\.619 Hz.*50 Hz"):
        EventBurst(EventBurstParameters(rho=50.0, t_ref=20.0))
    with pytest.raises(ValueError, match="no unit is faster than 1000 Hz"):
        EventBurst(EventBurstParameters(rho=1000.5))
    EventBurst(EventBurstParameters(rho=47.0, t_ref=20.0))


def test_opponent_default_is_the_most_linear_baseline() -> None:
    """At p0 = (1 - 1 / sqrt 3) / 2 the cubic term of p(x) - p(-x) vanishes."""
    assert EventBurstParameters().p0 == pytest.approx((1 - 1 / math.sqrt(3)) / 2, abs=5e-5)
    params = EventBurstParameters(readout="opponent")
    x = torch.tensor([0.2, 0.4, 1.47], dtype=torch.float64)
    both = burst_probability(x, params) - burst_probability(-x, params)
    slope = 2 * params.p0 * (1 - params.p0)
    assert ((both / (slope * x) - 1).abs() < torch.tensor([1e-4, 1e-3, 0.0201])).all()
