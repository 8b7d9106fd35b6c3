"""Figures of studies show the numbers they were given."""

import numpy as np
import pytest

from clapp_snn.figures.paired_differences import PairedDifference, paired_differences
from clapp_snn.figures.spike_budget import BudgetPoint, spike_budget


def test_budgets_are_sorted_and_beside_the_prediction() -> None:
    points = [
        BudgetPoint(20, "window", 86.0, 0.5, [7.0, 8.0]),
        BudgetPoint(2, "window", 70.0, 1.0, [20.0, 22.0]),
        BudgetPoint(100, "copies", 88.0, 0.3, [3.0, 3.5]),
    ]
    left, right = spike_budget(points, 89.0, 0.4).axes
    window = left.containers[0].lines[0]
    assert window.get_xdata().tolist() == [2, 20]
    assert window.get_ydata().tolist() == [70.0, 86.0]
    law = next(line for line in right.lines if line.get_label() == "30 % / sqrt(n)")
    assert law.get_ydata()[0] == pytest.approx(30 / np.sqrt(2))
    assert law.get_ydata()[-1] == pytest.approx(3)
    drawn = {tuple(line.get_ydata()) for line in right.lines if line is not law}
    assert drawn == {(20.0, 7.0), (22.0, 8.0), (3.0,), (3.5,)}
    assert any(line.get_ydata()[0] == 89.0 for line in left.lines if len(line.get_ydata()) == 2)


def test_differences_have_a_bar_and_a_whisker_each() -> None:
    bars = [
        PairedDifference("no gate", "linear", -3.0, -4.0, -2.0),
        PairedDifference("no gate", "5-shot", -5.0, -7.5, -2.5),
        PairedDifference("dale", "linear", 0.5, -0.5, 1.5),
    ]
    (axes,) = paired_differences(bars).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["no gate", "dale"]
    assert sorted(bar.get_width() for bar in axes.patches) == [-5.0, -3.0, 0.5]
    ends = {
        tuple(np.round(line[:, 0], 6)) for each in axes.collections for line in each.get_segments()
    }
    assert {(-4.0, -2.0), (-7.5, -2.5), (-0.5, 1.5)} <= ends
