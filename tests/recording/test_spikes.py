"""Spike, event and burst monitors keep indices, exactly those of the outputs."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clapp_snn.neurons.interface import Inputs, Layer, simulate
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.recording.monitor import together
from clapp_snn.recording.spikes import BurstMonitor, EventMonitor, SpikeMonitor
from clapp_snn.recording.states import StateMonitor
from clapp_snn.recording.storage import MonitorFull
from tests.recording.feeding import feed, random_spikes

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]


@given(
    time=st.integers(1, 30),
    batch=st.integers(1, 3),
    units=st.integers(1, 5),
    dt=st.sampled_from([0.1, 0.5, 1.0]),
    seed=st.integers(0, 1000),
)
def test_every_spike_is_found_at_the_end_of_its_step(
    time: int, batch: int, units: int, dt: float, seed: int
) -> None:
    spikes = random_spikes(time, batch, units, rate=0.3, seed=seed)
    monitor = SpikeMonitor(dt)
    feed(monitor, spikes)
    rows = monitor.to_numpy()
    again = np.zeros((time, batch * units))
    again[rows["step"], rows["neuron"]] = 1
    assert len(rows["step"]) == int(spikes.sum())
    np.testing.assert_array_equal(again, spikes.reshape(time, -1).numpy())
    np.testing.assert_allclose(rows["time_ms"], (rows["step"] + 1) * dt, rtol=1e-15)
    assert (np.diff(rows["step"]) >= 0).all()


def test_each_monitor_looks_at_its_own_output() -> None:
    spikes, events, bursts = (random_spikes(40, 6, seed=seed) for seed in (1, 2, 3))
    for made, expected in ((SpikeMonitor, spikes), (EventMonitor, events), (BurstMonitor, bursts)):
        monitor = made(1.0)
        feed(monitor, spikes, events, bursts)
        found = torch.tensor(np.stack([monitor.to_numpy()[name] for name in ("step", "neuron")], 1))
        assert found.tolist() == expected.nonzero().tolist()


@pytest.mark.parametrize("device", DEVICES)
def test_monitors_agree_with_the_outputs_of_a_layer(device: str) -> None:
    generator = torch.Generator().manual_seed(5)
    drives = Inputs(
        torch.rand(50, 2, 7, generator=generator).to(device),
        torch.rand(50, 2, 7, generator=generator).to(device),
    )
    spikes, bursts = SpikeMonitor(1.0), BurstMonitor(1.0)
    voltage = StateMonitor(1.0, ["v"], neurons=[13, 2])
    outputs, state = Layer(TwoCompartmentLIF())(drives, observe=together(spikes, bursts, voltage))
    last = voltage.to_numpy()["v"][-1]
    np.testing.assert_array_equal(last, state.v.flatten()[[13, 2]].cpu().numpy())
    assert 0 < outputs.burst.sum() < outputs.spike.sum()
    for monitor, values in ((spikes, outputs.spike), (bursts, outputs.burst)):
        rows = monitor.to_numpy()
        expected = values.reshape(50, -1).nonzero().cpu().numpy()
        np.testing.assert_array_equal(np.stack([rows["step"], rows["neuron"]], 1), expected)


@pytest.mark.parametrize("selection", [[1, 4, 5], [(0, 1), (1, 1), (1, 2)]])
def test_a_selection_by_flat_index_or_by_axes(selection: list) -> None:
    spikes = random_spikes(60, 2, 3, rate=0.3)
    monitor = SpikeMonitor(1.0, selection)
    feed(monitor, spikes)
    rows = monitor.to_numpy()
    expected = spikes.reshape(60, -1).clone()
    expected[:, [0, 2, 3]] = 0
    np.testing.assert_array_equal(
        np.stack([rows["step"], rows["neuron"]], 1), expected.nonzero().numpy()
    )
    assert monitor.watched.tolist() == [1, 4, 5]
    np.testing.assert_allclose(
        monitor.rates(), spikes.reshape(60, -1)[:, [1, 4, 5]].sum(0).numpy() / 0.06
    )


def test_start_and_stop_leave_a_gap_and_the_clock_runs_on() -> None:
    spikes = torch.ones(10, 2)
    monitor = SpikeMonitor(0.5)
    feed(monitor, spikes[:4])
    monitor.stop()
    feed(monitor, spikes[:3], first=4)
    monitor.start()
    feed(monitor, spikes[:3])
    steps = monitor.to_numpy()["step"]
    assert steps.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 7, 7, 8, 8, 9, 9]
    assert monitor.spans == [(0, 4), (7, 10)]
    assert monitor.duration_ms == 3.5
    np.testing.assert_allclose(monitor.rates(), [2000.0, 2000.0])


def test_a_monitor_that_is_stopped_from_the_start_takes_no_memory() -> None:
    monitor = SpikeMonitor(1.0)
    monitor.stop()
    feed(monitor, torch.ones(5, 3))
    assert monitor.to_numpy()["step"].size == 0
    assert monitor._table.allocated_bytes == 0
    with pytest.raises(ValueError, match="recorded no time"):
        monitor.rates()


def test_the_cap_raises_one_error_and_keeps_the_spikes_before() -> None:
    monitor = SpikeMonitor(1.0, memory_mb=12 * 10 / 1e6)
    with pytest.raises(MonitorFull, match="SpikeMonitor is full"):
        feed(monitor, torch.ones(10, 4))
    assert monitor.to_numpy()["step"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert monitor.spans == [(0, 2)]


def test_a_ring_keeps_the_latest_whole_steps() -> None:
    monitor = SpikeMonitor(1.0, memory_mb=12 * 10 / 1e6, when_full="ring")
    feed(monitor, torch.ones(100, 4))
    assert monitor.to_numpy()["step"].tolist() == [98, 98, 98, 98, 99, 99, 99, 99]
    assert monitor.kept_spans == [(98, 100)]
    np.testing.assert_allclose(monitor.rates(), [1000.0] * 4)
    assert monitor._table.allocated_bytes <= 120


def test_memory_depends_on_spikes_and_not_on_neurons_or_steps() -> None:
    monitor = SpikeMonitor(1.0)
    silent = torch.zeros(200, 1000)
    silent[7, 3] = 1
    feed(monitor, silent)
    assert monitor._table.row_bytes == 12
    assert len(monitor._table) == 1


def test_gradients_are_not_kept() -> None:
    soma = torch.full((1, 3), 2.0, requires_grad=True)
    monitor = SpikeMonitor(1.0)
    simulate(TwoCompartmentLIF(), Inputs(soma, soma), 3, observe=monitor)
    assert not monitor._table.chunks[0]["step"].requires_grad
    assert len(monitor.to_numpy()["step"]) == 9


def test_rate_neurons_are_refused() -> None:
    drive = torch.full((3,), 0.5)
    with pytest.raises(ValueError, match=r"0 or 1.*StateMonitor\(dt, \['spike'\]\)"):
        simulate(Rate(), Inputs(drive, drive), 1, observe=SpikeMonitor(1.0))


def test_another_layer_is_refused() -> None:
    monitor = SpikeMonitor(1.0)
    feed(monitor, torch.zeros(1, 4))
    with pytest.raises(ValueError, match=r"shape \(4,\), not \(2, 2\).*one monitor for each layer"):
        feed(monitor, torch.zeros(1, 2, 2))


def test_missed_steps_are_noticed() -> None:
    monitor = SpikeMonitor(1.0)
    feed(monitor, torch.zeros(2, 1))
    with pytest.raises(ValueError, match="saw step 1 and then step 5"):
        feed(monitor, torch.zeros(1, 1), first=5)


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ([6], "no neuron 6"),
        ([-1], "no neuron -1"),
        ([(2, 0)], r"no neuron \(2, 0\)"),
        ([(0, 0, 0)], r"no neuron \(0, 0, 0\)"),
        ([1, (0, 1)], "more than once"),
        ([], "at least one neuron"),
    ],
)
def test_impossible_selections(selection: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        feed(SpikeMonitor(1.0, selection), torch.zeros(1, 2, 3))


def test_fractions_are_no_index() -> None:
    with pytest.raises(TypeError, match="float"):
        feed(SpikeMonitor(1.0, [0.5]), torch.zeros(1, 3))


@pytest.mark.parametrize("dt", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_time_steps(dt: float) -> None:
    with pytest.raises(ValueError, match="dt must be a positive number"):
        SpikeMonitor(dt)


def test_asking_before_the_first_step() -> None:
    with pytest.raises(ValueError, match="has not seen any step"):
        SpikeMonitor(1.0).watched  # noqa: B018
