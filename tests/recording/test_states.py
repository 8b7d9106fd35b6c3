"""State monitors take the right values, of the right neurons, at the right times."""

import numpy as np
import pytest
import torch

from clapp_snn.neurons.interface import Inputs, Layer, simulate
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF, TwoCompartmentLIFParameters
from clapp_snn.recording.states import StateMonitor
from clapp_snn.recording.storage import MonitorFull
from tests.recording.feeding import feed, random_spikes


def test_the_trace_of_a_leaky_membrane_is_its_closed_form() -> None:
    neuron = TwoCompartmentLIF(TwoCompartmentLIFParameters(threshold=1e6))
    monitor = StateMonitor(1.0, ["v", "a"])
    soma = torch.tensor([1.0, 2.0], dtype=torch.float64)
    simulate(neuron, Inputs(soma, 3 * soma), 40, observe=monitor)
    rows = monitor.to_numpy()
    steps = np.arange(1, 41)
    np.testing.assert_array_equal(rows["time_ms"], steps)
    for name, tau, drive in (("v", 16.0, 1.0), ("a", 7.0, 3.0)):
        decay = np.exp(-1 / tau)
        closed = drive * (1 - decay**steps) / (1 - decay)
        np.testing.assert_allclose(rows[name], np.outer(closed, [1, 2]), rtol=1e-12)


@pytest.mark.parametrize("interval", [{"every": 5}, {"every_ms": 0.5}])
def test_interval_in_steps_or_in_ms(interval: dict) -> None:
    monitor = StateMonitor(0.1, ["v"], **interval)
    spikes = random_spikes(23, 4)
    feed(monitor, spikes)
    rows = monitor.to_numpy()
    np.testing.assert_allclose(rows["time_ms"], [0.5, 1.0, 1.5, 2.0])
    np.testing.assert_array_equal(rows["v"], spikes.cumsum(0)[[4, 9, 14, 19]].numpy())


def test_subset_drives_and_outputs() -> None:
    monitor = StateMonitor(1.0, ["soma", "apical", "burst", "v"], neurons=[(1, 2), (0, 0)])
    spikes, bursts = random_spikes(12, 2, 3), random_spikes(12, 2, 3, seed=9)
    feed(monitor, spikes, bursts=bursts)
    rows = monitor.to_numpy()
    assert rows["neuron"].tolist() == [5, 0]
    np.testing.assert_array_equal(rows["soma"], np.repeat(np.arange(12.0)[:, None], 2, 1))
    np.testing.assert_array_equal(rows["apical"], -rows["soma"])
    np.testing.assert_array_equal(rows["burst"], bursts.reshape(12, 6)[:, [5, 0]].numpy())
    np.testing.assert_array_equal(rows["v"], spikes.cumsum(0).reshape(12, 6)[:, [5, 0]].numpy())


def test_the_activity_of_rate_neurons() -> None:
    monitor = StateMonitor(1.0, ["event", "burst"])
    soma, apical = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([1.0, 1.0, -0.25])
    simulate(Rate(), Inputs(soma, apical), 2, observe=monitor)
    rows = monitor.to_numpy()
    np.testing.assert_array_equal(rows["event"], [[0.5, 0.0, 2.0]] * 2)
    np.testing.assert_array_equal(rows["burst"], [[0.5, 0.0, -0.5]] * 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_kept(dtype: torch.dtype) -> None:
    monitor = StateMonitor(1.0, ["v"])
    drive = torch.full((2,), 0.1, dtype=dtype)
    _, state = Layer(TwoCompartmentLIF())(Inputs(drive[None], drive[None]), observe=monitor)
    rows = monitor.to_numpy()
    assert rows["v"].dtype == state.v.numpy().dtype
    np.testing.assert_array_equal(rows["v"][0], state.v.numpy())


def test_start_and_stop() -> None:
    monitor = StateMonitor(1.0, ["soma"], every=2)
    monitor.stop()
    feed(monitor, torch.zeros(5, 1))
    monitor.start()
    feed(monitor, torch.zeros(5, 1), first=5)
    rows = monitor.to_numpy()
    assert rows["time_ms"].tolist() == [6.0, 8.0, 10.0]
    assert rows["soma"][:, 0].tolist() == [0.0, 2.0, 4.0]


def test_the_cap_is_an_error_or_a_ring() -> None:
    row = 3 * 4 + 8
    full = StateMonitor(1.0, ["soma"], memory_mb=4 * row / 1e6)
    with pytest.raises(MonitorFull, match="StateMonitor is full"):
        feed(full, torch.zeros(9, 3))
    assert full.to_numpy()["time_ms"].tolist() == [1, 2, 3, 4]
    ring = StateMonitor(1.0, ["soma"], memory_mb=4 * row / 1e6, when_full="ring")
    feed(ring, torch.zeros(9, 3))
    assert ring.to_numpy()["time_ms"].tolist() == [6, 7, 8, 9]
    assert ring.to_numpy()["soma"][:, 2].tolist() == [5, 6, 7, 8]


def test_later_changes_of_the_state_do_not_reach_the_record() -> None:
    monitor = StateMonitor(1.0, ["spike"])
    values = torch.zeros(1, 3)
    feed(monitor, values)
    values += 7
    assert monitor.to_numpy()["spike"].tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variables": []}, "list of different variables"),
        ({"variables": ["v", "v"]}, "list of different variables"),
        ({"variables": "v"}, "list of different variables"),
        ({"variables": ["v"], "every": 0}, "from 1 on, not 0"),
        ({"variables": ["v"], "every": 1.5}, "from 1 on, not 1.5"),
        ({"variables": ["v"], "every_ms": 0.25}, "no whole multiple of dt = 0.1"),
        ({"variables": ["v"], "every_ms": 0.01}, "no whole multiple of dt = 0.1"),
        ({"variables": ["v"], "every_ms": -1.0}, "positive number of milliseconds"),
        ({"variables": ["v"], "every": 1, "every_ms": 1.0}, "not both"),
    ],
)
def test_impossible_settings(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StateMonitor(0.1, **arguments)


def test_unknown_variables_name_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no variable 'V'; known: v, soma, apical, spike, event"):
        feed(StateMonitor(1.0, ["V"]), torch.zeros(1, 2))


def test_another_layer_is_refused() -> None:
    monitor = StateMonitor(1.0, ["v"])
    feed(monitor, torch.zeros(1, 2))
    with pytest.raises(ValueError, match=r"shape \(2,\), but v is \(3,\)"):
        feed(monitor, torch.zeros(1, 3))


def test_nothing_recorded_is_an_error() -> None:
    with pytest.raises(ValueError, match="recorded nothing yet"):
        StateMonitor(1.0, ["v"]).to_numpy()
