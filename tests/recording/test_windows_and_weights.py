"""Monitors of scores, modulators and weights, which record once a window."""

import numpy as np
import pytest
import torch

from clapp_snn.recording.storage import MonitorFull
from clapp_snn.recording.weights import WeightMonitor
from clapp_snn.recording.windows import ModulatorMonitor, ScoreMonitor


def test_scores_are_kept_window_by_window() -> None:
    monitor = ScoreMonitor()
    for window in range(3):
        u = torch.tensor([[0.0, 1.0], [2.0, 3.0]], dtype=torch.float64) + 10 * window
        monitor.record(u + 0.5, u)
    rows = monitor.to_numpy()
    assert rows["window"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert rows["sample"].tolist() == [0, 1, 2, 3] * 3
    assert rows["u"].tolist() == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]
    np.testing.assert_array_equal(rows["u_hat"], rows["u"] + 0.5)


def test_a_score_without_its_true_value_is_nan() -> None:
    monitor = ScoreMonitor()
    monitor.record(torch.tensor([1.0, 2.0]))
    assert np.isnan(monitor.to_numpy()["u"]).all()
    assert monitor.to_numpy()["u_hat"].tolist() == [1.0, 2.0]


def test_modulators_and_the_share_of_open_gates() -> None:
    monitor = ModulatorMonitor()
    monitor.record(torch.tensor([1.0, 0.0, -1.0, 0.0]), torch.tensor([1.0, 1.0, -1.0, -1.0]))
    monitor.record(torch.tensor([1.0, 1.0, 0.0, 0.0]), torch.tensor([1.0, 1.0, 1.0, -1.0]))
    assert monitor.open_fraction(1) == pytest.approx(3 / 5)
    assert monitor.open_fraction(-1) == pytest.approx(1 / 3)


def test_windows_are_counted_while_stopped() -> None:
    monitor = ModulatorMonitor()
    for window in range(6):
        (monitor.stop if window in (2, 3) else monitor.start)()
        monitor.record(torch.tensor([float(window)]), torch.tensor([1.0]))
    assert monitor.to_numpy()["window"].tolist() == [0, 1, 4, 5]
    assert monitor.to_numpy()["gamma"].tolist() == [0, 1, 4, 5]


def test_no_saccade_has_no_share() -> None:
    monitor = ModulatorMonitor()
    monitor.record(torch.ones(2), torch.ones(2))
    with pytest.raises(ValueError, match="No window with y = -1"):
        monitor.open_fraction(-1)


@pytest.mark.parametrize("y", [0.0, 0.5, float("nan")])
def test_y_is_plus_or_minus_one(y: float) -> None:
    with pytest.raises(ValueError, match=r"y must be \+1 \(fixation\) or -1 \(saccade\)"):
        ModulatorMonitor().record(torch.ones(1), torch.tensor([y]))


def test_shapes_must_agree() -> None:
    monitor = ScoreMonitor()
    with pytest.raises(ValueError, match=r"u_hat \(2,\) and u \(3,\) must have the same shape"):
        monitor.record(torch.ones(2), torch.ones(3))
    monitor.record(torch.ones(2), torch.ones(2))
    with pytest.raises(ValueError, match="one monitor for each area"):
        monitor.record(torch.ones(3), torch.ones(3))


def test_score_monitors_have_a_cap_and_a_ring() -> None:
    row = 2 * 8 + 2 * 8
    full = ScoreMonitor(memory_mb=5 * row / 1e6)
    ring = ScoreMonitor(memory_mb=5 * row / 1e6, when_full="ring")
    for monitor in (full, ring):
        for window in range(2):
            monitor.record(torch.full((2,), float(window)))
    with pytest.raises(MonitorFull, match="ScoreMonitor is full"):
        full.record(torch.full((2,), 2.0))
    ring.record(torch.full((2,), 2.0))
    assert full.to_numpy()["u_hat"].tolist() == [0, 0, 1, 1]
    assert ring.to_numpy()["u_hat"].tolist() == [0, 1, 1, 2, 2]


def test_weights_are_copied_at_every_nth_window() -> None:
    monitor = WeightMonitor(every=2)
    weights, prediction = torch.zeros(2, 3), torch.ones(3, 3, dtype=torch.float64)
    for _ in range(5):
        monitor.record(W=weights, W_pred=prediction)
        weights += 1
    rows = monitor.to_numpy()
    assert rows["window"].tolist() == [0, 2, 4]
    assert rows["W"].shape == (3, 2, 3)
    assert rows["W"][:, 1, 2].tolist() == [0, 2, 4]
    assert rows["W_pred"].shape == (3, 3, 3)
    assert rows["W_pred"].dtype == np.float64


def test_single_synapses() -> None:
    weights = torch.arange(12.0).reshape(3, 4)
    monitor = WeightMonitor({"W": [(2, 1), (0, 3)]})
    monitor.record(W=weights, b=torch.tensor([7.0]))
    monitor.record(W=-weights, b=torch.tensor([8.0]))
    rows = monitor.to_numpy()
    assert rows["W"].tolist() == [[9, 3], [-9, -3]]
    assert rows["b"].tolist() == [[7], [8]]


def test_weights_that_learn_by_gradient_can_be_recorded() -> None:
    monitor = WeightMonitor()
    monitor.record(W=torch.nn.Parameter(torch.ones(2)))
    assert monitor.to_numpy()["W"].tolist() == [[1, 1]]


def test_weight_monitors_stop_and_have_a_cap() -> None:
    row = 4 * 4 + 8
    monitor = WeightMonitor(memory_mb=2 * row / 1e6)
    monitor.record(W=torch.zeros(4))
    monitor.stop()
    monitor.record(W=torch.ones(4))
    monitor.start()
    monitor.record(W=torch.full((4,), 2.0))
    with pytest.raises(MonitorFull, match="WeightMonitor is full"):
        monitor.record(W=torch.full((4,), 3.0))
    assert monitor.to_numpy()["window"].tolist() == [0, 2]
    assert monitor.to_numpy()["W"][:, 0].tolist() == [0, 2]


def test_impossible_weights() -> None:
    with pytest.raises(ValueError, match="was given no weights"):
        WeightMonitor().record()
    with pytest.raises(ValueError, match="selection for V, but was given no such"):
        WeightMonitor({"V": [0]}).record(W=torch.zeros(2))
    with pytest.raises(ValueError, match=r"no synapse \(2, 0\)"):
        WeightMonitor({"W": [(2, 0)]}).record(W=torch.zeros(2, 2))
    with pytest.raises(ValueError, match="from 1 on"):
        WeightMonitor(every=0)
    monitor = WeightMonitor()
    monitor.record(W=torch.zeros(2))
    with pytest.raises(ValueError, match=r"records W \(2,\), but was given W \(3,\)"):
        monitor.record(W=torch.zeros(3))
    with pytest.raises(ValueError, match="recorded nothing yet"):
        WeightMonitor().to_numpy()
