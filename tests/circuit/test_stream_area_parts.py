"""Every neuron, memory, filter and read-out runs in a stream area."""

import pytest
import torch
from torch.nn import functional as F

from clapp_snn.circuit.apical_memory import LeakyTrace
from clapp_snn.circuit.readout_synapses import SynapticReadout
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.randomness import generator
from tests.circuit.stream_areas import build, glance, two_glances, window


@pytest.mark.parametrize(
    ("neuron", "options"),
    [
        (NaudSprekeler(), {}),
        (TwoCompartmentLIF(), {}),
        (StrictBurst(), {"readout": SynapticReadout}),
        (EventBurst(), {"memory": LeakyTrace(50.0)}),
        (EventBurst(), {"tau_basal": 20.0, "post_factor": "event"}),
    ],
)
def test_every_neuron_and_part_runs_in_an_area(neuron, options: dict) -> None:
    """Activities near those of the rates, finite updates that touch every matrix."""
    area = build(neuron, window=300.0, settle=50.0, retro="free", **options)
    x = glance(8, 1)
    state = two_glances(area, glance(8, 0), x, Streams.from_seed(1))
    reading = area.read(state, -torch.ones(8))
    z = torch.relu(F.linear(x, area.weight, area.bias)).detach()
    assert float(reading.traces.z.mean() / z.mean()) == pytest.approx(1, abs=0.2)
    for _, change in area.changes(reading.update):
        assert bool(torch.isfinite(change).all())
        assert bool(change.any())


def test_the_leaky_memory_predicts_the_present_from_itself() -> None:
    """Rate code: mean context = share of the past x c + rest x z, the share that of `carried_over`."""
    area = build(Rate(), window=200.0, memory=LeakyTrace(100.0)).double()
    x_prev, x = glance(3, 0).double(), glance(3, 1).double()
    state = area.initial_state(3)
    for each in (x_prev, x_prev, x_prev, x_prev, x):
        state = window(area, each, area.latch(state) if state.elapsed else state)
    c = area.read(state, torch.ones(3).double()).traces.c
    z = torch.relu(F.linear(x, area.weight, area.bias))
    past = torch.relu(F.linear(x_prev, area.weight, area.bias))
    share = LeakyTrace(100.0).carried_over(200.0)
    torch.testing.assert_close(c, share * past + (1 - share) * z, rtol=0.01, atol=0.01)


def test_basal_synapses_filter_noise_before_it_is_rectified() -> None:
    """Bernoulli input of 20 Hz a unit: unfiltered it makes silent units active, filtered much less.

    Gain 1 is kept: with constant input the filter changes nothing once it has settled.
    """
    samples, rho = 100, 20.0
    plain = build(Rate(), window=200.0, settle=300.0)
    filtered = build(Rate(), window=200.0, settle=300.0, tau_basal=100.0)
    x = glance(1, 1).expand(samples, -1)
    z = torch.relu(F.linear(x, plain.weight, plain.bias)).mean().detach()
    means = []
    for area in (plain, filtered):
        stream, state = generator(3, "input"), area.initial_state(samples)
        for _ in range(area.steps):
            event = (torch.rand(x.shape, generator=stream) < x * rho * 0.001).float()
            _, state = area.step(event / (rho * 0.001), state)
        means.append(float(state.sums.z.mean() / area.detector.steps / z))
    assert means[0] > 1.5 * means[1]
    assert 0.9 < means[1] < 1.6
    steady = window(filtered, x, window(filtered, x, filtered.initial_state(samples)))
    torch.testing.assert_close(steady.basal, x, rtol=1e-3, atol=1e-3)
