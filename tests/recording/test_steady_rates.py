"""Steady rates against closed forms, and the same counts made with monitors."""

import math

import pytest
import torch

from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters, event_rate
from clapp_snn.neurons.interface import Inputs, simulate
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler
from clapp_snn.neurons.noise import Streams
from clapp_snn.recording.spikes import SpikeMonitor
from clapp_snn.recording.steady_rates import measure_steady_rates


def test_rates_and_bursts_are_those_of_the_closed_form() -> None:
    """Bernoulli events and bursts: 4.5 standard errors from their variances; the errors told are those."""
    params = EventBurstParameters(t_ref=0.0)
    soma, apical = torch.tensor([[0.5], [2.0]]), torch.tensor([0.1, 0.6])
    found = measure_steady_rates(
        EventBurst(params), soma, apical, neurons=200, seconds=2.0, settle=0.0, seed=3
    )
    expected = event_rate(soma, params, 1.0).expand(2, 2).double()
    error = (expected * (1 - expected / 1000) / (200 * 2.0)).sqrt()
    assert bool(((found.event - expected).abs() < 4.5 * error).all())
    assert torch.equal(found.event, found.spike)
    p = apical.double().expand(2, 2)
    spread = (p * (1 - p) / (expected * 400)).sqrt()
    assert bool(((found.burst_probability - p).abs() < 4.5 * spread).all())
    # A standard deviation of 200 numbers is known to 1 / sqrt(2 * 200), 4.5 times that is 22 %.
    assert torch.allclose(found.event_error, error, rtol=0.25)
    assert torch.allclose(found.burst_error, spread, rtol=0.25)


def test_counts_are_those_of_a_monitor_after_settling() -> None:
    neuron = NaudSprekeler()
    found = measure_steady_rates(neuron, torch.tensor([500.0]), 100.0, 3, 0.4, 0.1, seed=5)
    drive = Inputs(torch.full((1, 3), 500.0), torch.full((1, 3), 100.0))
    monitor = SpikeMonitor(neuron.dt)
    simulate(neuron, drive, 500, source=Streams.from_seed(5, "steady"), observe=monitor)
    late = monitor.to_numpy()["time_ms"] > 100.5
    assert int(late.sum()) > 0
    assert float(found.spike) == pytest.approx(int(late.sum()) / 3 / 0.4)


def test_without_events_there_is_no_burst_probability() -> None:
    found = measure_steady_rates(EventBurst(), torch.zeros(1), neurons=2, seconds=0.1)
    assert float(found.event) == 0
    assert math.isnan(float(found.burst_probability))


@pytest.mark.parametrize("wrong", [{"neurons": 1}, {"seconds": 0.0}, {"settle": -1.0}])
def test_impossible_sizes(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="two neurons or more"):
        measure_steady_rates(EventBurst(), torch.zeros(1), **wrong)  # type: ignore[arg-type]
