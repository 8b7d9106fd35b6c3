"""The alignment figure draws what it is given."""

import numpy as np

from clapp_snn.figures.update_alignment import update_alignment


def test_one_line_each_and_a_zero() -> None:
    values = {"step 0": np.array([0.1, 0.4, 1.0]), "step 9": np.array([0.2, 0.5, 0.9])}
    (axes,) = update_alignment(values, "x").axes
    drawn = {line.get_label(): line for line in axes.lines}
    for name, cosines in values.items():
        np.testing.assert_array_equal(drawn[name].get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(drawn[name].get_ydata(), cosines)
    assert axes.get_ylim()[0] > -0.2
    assert axes.get_ylim()[1] > 1
    assert axes.get_xlabel() == "layer"


def test_negative_cosines_have_room() -> None:
    (axes,) = update_alignment({"a": np.array([-0.8, 0.3])}).axes
    assert axes.get_ylim()[0] < -1
