"""Records as pandas tables and as Neo spike trains; both packages are optional."""

import sys

import numpy as np
import pytest
import torch

from clapp_snn.recording.spikes import BurstMonitor, SpikeMonitor
from clapp_snn.recording.states import StateMonitor
from clapp_snn.recording.weights import WeightMonitor
from clapp_snn.recording.windows import ModulatorMonitor, ScoreMonitor
from tests.recording.feeding import feed, random_spikes


def test_spikes_as_a_table() -> None:
    pytest.importorskip("pandas")
    spikes = random_spikes(30, 2, 4, rate=0.2)
    monitor = SpikeMonitor(0.5)
    feed(monitor, spikes)
    frame = monitor.to_pandas()
    assert list(frame.columns) == ["time_ms", "neuron", "step", "axis_0", "axis_1"]
    assert len(frame) == int(spikes.sum())
    np.testing.assert_array_equal(
        frame[["step", "axis_0", "axis_1"]].to_numpy(), spikes.nonzero().numpy()
    )
    assert (frame["neuron"] == 4 * frame["axis_0"] + frame["axis_1"]).all()


def test_states_as_a_tidy_table() -> None:
    pytest.importorskip("pandas")
    monitor = StateMonitor(1.0, ["soma", "v"], neurons=[2, 0])
    spikes = random_spikes(6, 3, rate=0.5)
    feed(monitor, spikes)
    frame = monitor.to_pandas()
    assert list(frame.columns) == ["time_ms", "neuron", "soma", "v"]
    assert frame["time_ms"].tolist() == np.repeat(np.arange(1.0, 7.0), 2).tolist()
    assert frame["neuron"].tolist() == [2, 0] * 6
    assert frame["soma"].tolist() == np.repeat(np.arange(6.0), 2).tolist()
    assert frame["v"].tolist() == spikes.cumsum(0)[:, [2, 0]].reshape(-1).tolist()


def test_score_and_modulator_tables_join_on_window_and_sample() -> None:
    pytest.importorskip("pandas")
    scores, modulators = ScoreMonitor(), ModulatorMonitor()
    for window in range(3):
        scores.record(torch.tensor([window + 0.25, -1.0]), torch.tensor([float(window), -2.0]))
        modulators.record(torch.tensor([1.0, 0.0]), torch.tensor([1.0, -1.0]))
    frame = scores.to_pandas().merge(modulators.to_pandas(), on=["window", "sample"])
    assert list(frame.columns) == ["window", "sample", "u_hat", "u", "gamma", "y"]
    assert frame["u_hat"].tolist() == [0.25, -1.0, 1.25, -1.0, 2.25, -1.0]
    assert frame["y"].tolist() == [1.0, -1.0] * 3


def test_weights_as_a_tidy_table() -> None:
    pytest.importorskip("pandas")
    monitor = WeightMonitor({"V": [(1, 0)]})
    monitor.record(W=torch.tensor([1.0, 2.0]), V=torch.tensor([[3.0], [4.0]]))
    monitor.record(W=torch.tensor([5.0, 6.0]), V=torch.tensor([[7.0], [8.0]]))
    frame = monitor.to_pandas()
    assert list(frame.columns) == ["window", "weights", "synapse", "value"]
    rows = [tuple(row) for row in frame.itertuples(index=False)]
    assert rows == [
        (0, "W", 0, 1.0), (0, "W", 1, 2.0), (1, "W", 0, 5.0), (1, "W", 1, 6.0),
        (0, "V", 1, 4.0), (1, "V", 1, 8.0),
    ]  # fmt: skip


def test_spike_trains_for_elephant() -> None:
    pytest.importorskip("neo")
    spikes = random_spikes(50, 5, rate=0.1)
    spikes[:, 3] = 0
    spikes[-1, 0] = 1
    monitor = BurstMonitor(0.1)
    feed(monitor, torch.ones(50, 5), bursts=spikes)
    trains = monitor.to_neo()
    assert [train.annotations["neuron"] for train in trains] == [0, 1, 2, 3, 4]
    assert {train.annotations["kind"] for train in trains} == {"burst"}
    for neuron, train in enumerate(trains):
        assert train.dimensionality.string == "ms"
        assert float(train.t_start) == 0
        assert float(train.t_stop) == pytest.approx(5.0)
        assert train.t_stop.dimensionality.string == "ms"
        expected = (spikes[:, neuron].nonzero()[:, 0].numpy() + 1) * 0.1
        np.testing.assert_array_equal(train.magnitude, expected)
    assert len(trains[3]) == 0


def test_trains_of_a_selection_with_a_pause() -> None:
    pytest.importorskip("neo")
    monitor = SpikeMonitor(1.0, neurons=[3, 1])
    monitor.stop()
    feed(monitor, torch.ones(2, 4))
    monitor.start()
    feed(monitor, torch.ones(3, 4), first=2)
    monitor.stop()
    feed(monitor, torch.ones(2, 4), first=5)
    monitor.start()
    feed(monitor, torch.ones(1, 4), first=7)
    trains = monitor.to_neo()
    assert [train.annotations["neuron"] for train in trains] == [3, 1]
    for train in trains:
        assert train.magnitude.tolist() == [3, 4, 5, 8]
        assert (float(train.t_start), float(train.t_stop)) == (2, 8)
        assert train.annotations["recorded_ms"] == [[2, 5], [7, 8]]


def test_nothing_recorded_has_no_trains() -> None:
    with pytest.raises(ValueError, match="no train"):
        SpikeMonitor(1.0).to_neo()


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = SpikeMonitor(1.0)
    feed(monitor, torch.ones(1, 1))
    for module, ask in (("pandas", monitor.to_pandas), ("neo", monitor.to_neo)):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImportError, match=rf"{module} is not .*clapp-snn\[{module}\]"):
            ask()
