"""A stream area with spiking neurons: scores without bias, of known variance, and mean updates."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.gain import Gain
from clapp_snn.circuit.ports import StrictBurstPort
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.strict_burst import StrictBurst
from tests.circuit.stream_areas import POST, PRE, build, glance, two_glances, window

L2_BIAS = ((0.08, 0.16), (-0.02, 0.06), (-0.03, 0.03))
"""Known relative bias of the score of L2 at 50 ms of settling: from rest, after a saccade, in a fixation."""


UNBIASED = {
    "L3 half-wave": (EventBurst(), {"window": 200.0}),
    "L3 half-wave, 3 copies, leaky": (
        EventBurst(),
        {"window": 100.0, "copies": 3, "tau_nucleus": 80.0},
    ),
    "L3 opponent": (
        EventBurst(EventBurstParameters(readout="opponent")),
        {"window": 200.0},
    ),
}


def expectation(area: StreamArea, x: Tensor, A: Tensor, kappa: Tensor) -> tuple[Tensor, Tensor]:
    z = torch.relu(F.linear(x, area.weight, area.bias)).detach()
    q = z * area.port.rho * area.port.dt / 1000
    return (z * A).sum(1), area.detector.moments(z, A, kappa, 1 - q).variance


@pytest.mark.parametrize("name", UNBIASED)
def test_the_expected_score_is_u(name: str) -> None:
    """E[u_hat] = u = sum z A inside an area, A the latched prediction, over 600 samples.

    Tolerance: 4.5 standard errors from the closed-form variance; the sigmoid read-outs add their known
    non-linearity (the closed-form mean).
    """
    neuron, options = UNBIASED[name]
    samples = 600
    area = build(neuron, **options)
    source = Streams.from_seed(4, name)
    x = glance(1, 1).expand(samples, -1)
    state = two_glances(area, glance(1, 0).expand(samples, -1), x, source)
    reading = area.read(state, torch.ones(samples))
    A, kappa = reading.traces.A, area.gain.kappa(state.size)
    u, variance = expectation(area, x, A, kappa)
    z = torch.relu(F.linear(x, area.weight, area.bias)).detach()
    known = (area.detector.moments(z, A, kappa).mean - u).mean()
    standard_error = float(variance.mean().sqrt()) / math.sqrt(samples)
    allowed = 4.5 * standard_error
    assert float(u.abs().mean()) > 2 * allowed, "the score is too small to be tested"
    assert abs(float((reading.score - u).mean() - known)) < allowed
    # Activity is unbiased too, and gamma is the gate of the score.
    assert float(reading.traces.z.mean() / z.mean()) == pytest.approx(1, abs=0.03)
    assert torch.equal(reading.gamma, (1 - reading.score > 0).float())


class Weak(StrictBurstPort):
    """A mutant: the part of the apical current that carries the prediction is 15 % too small."""

    def apical(self, zhat: Tensor, kappa: Tensor) -> Tensor:
        return super().apical(0.85 * zhat, kappa)


@pytest.mark.parametrize(("port", "right"), [(StrictBurstPort, True), (Weak, False)])
def test_the_expected_score_of_l2_is_u(port: type[StrictBurstPort], right: bool) -> None:
    """Imposed z and A of one sign, so that u = sum z |A| and no error hides behind cancellation.

    Tolerance: 4.5 measured standard errors of 1500 samples, plus as many of the stored f-I curve (counts of
    16 000 neuron-seconds a point, taken as Poisson, which is more than they vary). It must be below a tenth
    of u, and a port whose gain is 15 % too small must fall outside.
    """
    samples, settle = 1500, 200.0
    neuron = StrictBurst()
    area = build(neuron, window=300.0, settle=settle, port=port(neuron))
    z, A = torch.linspace(0.3, 2.5, POST), torch.linspace(0.32, 0.15, POST)
    with torch.no_grad():
        area.weight.zero_()
        area.bias.copy_(z)
    size = A.square().mean().sqrt().expand(samples)
    state = area.initial_state(samples)._replace(apical=A.expand(samples, -1), size=size)
    state = window(area, torch.zeros(samples, PRE), state, Streams.from_seed(4, "L2"))
    u = float(z @ A)
    expected = float(area.detector.moments(z, A, area.gain.kappa(size)[0]).mean)
    assert expected == pytest.approx(u, rel=0.01), "the sigmoid is to be used where it is straight"
    curve = float(((z * A).square() / (area.port.rho * z * 16_000)).sum().sqrt())
    error = float(state.detector.u.std()) / math.sqrt(samples)
    allowed = 4.5 * math.hypot(error, curve)
    assert allowed < 0.1 * u
    assert (abs(float(state.detector.u.mean()) - expected) < allowed) == right


def test_the_score_of_l2_at_the_default_settling_time() -> None:
    """50 ms after a first window from rest, after a saccade to another drive, and where the drive stays.

    Known bias of each, measured: see the tolerances; 4.5 standard errors are added to them.
    """
    samples = 600
    area = build(StrictBurst(), window=300.0)
    assert area.settle == 50
    z, A = torch.linspace(0.3, 2.5, POST), torch.linspace(0.32, 0.15, POST)
    size = A.square().mean().sqrt().expand(samples)
    state, source = area.initial_state(samples), Streams.from_seed(4, "L2")
    found = []
    with torch.no_grad():
        area.weight.zero_()
    for now in (z, z.flip(0), z.flip(0)):
        with torch.no_grad():
            area.bias.copy_(now)
        state = state._replace(apical=A.expand(samples, -1), size=size)
        state = window(area, torch.zeros(samples, PRE), state, source)
        expected = float(area.detector.moments(now, A, area.gain.kappa(size)[0]).mean)
        error = float(state.detector.u.std()) / math.sqrt(samples) / expected
        found.append((float(state.detector.u.mean()) / expected - 1, 4.5 * error))
        state = area.latch(state)
    for (off, chance), (low, high) in zip(found, L2_BIAS, strict=True):
        assert low - chance < off < high + chance


def test_l3_scores_vary_as_the_closed_form_says() -> None:
    """Variance within 4.5 sqrt((2 + 1 / 10) / R) of one, R = 600."""
    area = build(EventBurst(), window=200.0)
    x = glance(1, 1).expand(600, -1)
    state = two_glances(area, glance(1, 0).expand(600, -1), x, Streams.from_seed(7))
    A, kappa = state.apical, area.gain.kappa(state.size)
    u, variance = expectation(area, x, A, kappa)
    ratio = float(((state.detector.u - u).square() / variance).mean())
    assert abs(ratio - 1) < 4.5 * math.sqrt(2.1 / 600)


def test_a_single_population_is_biased_upward_in_an_area_too() -> None:
    """The ablation reads sum z zhat + (1 - 2 p0) s / 2 sum z zhat^2 + ...: closed form, 4.5 s.e."""
    neuron = EventBurst(EventBurstParameters(readout="opponent"))
    area = build(neuron, window=200.0, single=True, gain=Gain("rms", 0.2113 * 0.7887))
    x = glance(1, 1).expand(600, -1)
    state = two_glances(area, glance(1, 0).expand(600, -1), x, Streams.from_seed(3))
    A, kappa = state.apical, area.gain.kappa(state.size)
    u, _ = expectation(area, x, A, kappa)
    z = torch.relu(F.linear(x, area.weight, area.bias)).detach()
    mean, variance = area.detector.moments(z, A, kappa)
    error = 4.5 * float(variance.mean().sqrt()) / math.sqrt(600)
    assert abs(float((state.detector.u - mean).mean())) < error
    assert float((mean - u).mean()) > error


def test_mean_updates_with_forced_gamma_are_those_of_the_rates() -> None:
    """Eqs. 6 and 8 are products of independent averages: unbiased, up to the rectified post-factor."""
    samples = 1500
    area = build(EventBurst(), window=100.0)
    x_prev, x = glance(1, 0).expand(samples, -1), glance(1, 1).expand(samples, -1)
    state = two_glances(area, x_prev, x, Streams.from_seed(5))
    # No past score: with u far below the margin every gate is open.
    state = state._replace(nucleus=area.nucleus.initial_state(x))
    update = area.read(state, torch.ones(samples)).update
    area.requires_grad_(False)
    z = torch.relu(F.linear(x[:1], area.weight, area.bias))
    c = torch.relu(F.linear(x_prev[:1], area.weight, area.bias))
    A, R = c @ area.W_pred.T, z @ area.W_pred
    exact = (A * (z > 0)).T @ x[:1] + (R * (c > 0)).T @ x_prev[:1]
    measured = update.weight / samples
    assert float((measured - exact).norm() / exact.norm()) < 0.05
    assert float((update.W_pred / samples - z.T @ c).norm() / (z.T @ c).norm()) < 0.05
