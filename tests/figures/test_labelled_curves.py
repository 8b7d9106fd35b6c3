"""Names at the ends of curves do not overlap, keep their order and stay near their curves."""

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from clapp_snn.figures import style
from clapp_snn.figures.labelled_curves import GAP, labelled_curves, spread
from clapp_snn.figures.learning_curves import LearningCurve

SHARES = st.lists(st.floats(0, 1), max_size=14)


@given(SHARES)
def test_places_are_apart_in_the_same_order_around_the_same_mean(places: list[float]) -> None:
    moved = spread(places, GAP)
    order = sorted(range(len(places)), key=lambda index: places[index])
    gaps = [moved[b] - moved[a] for a, b in pairwise(order)]
    assert all(gap > GAP - 1e-9 for gap in gaps)
    assert abs(sum(moved) - sum(places)) < 1e-9


@given(st.integers(0, 14))
def test_places_that_are_far_apart_stay(count: int) -> None:
    apart = [2 * GAP * index for index in range(count)]
    assert spread(apart, GAP) == apart


def test_every_curve_is_named_once_and_levels_cross_the_panel(tmp_path: Path) -> None:
    curves = [
        LearningCurve(f"method {number}", [0, 10, 20], [30, 40 + number, 50], [29] * 3, [51] * 3)
        for number in range(9)
    ]
    figure = labelled_curves([*curves, LearningCurve("random", [0], [30])], "data")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == [
        *(f"method {number}" for number in range(9)),
        "random",
    ]
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 10
    assert axes.lines[-1].get_xdata()[1] == 1
    assert "lowest to highest" in axes.get_xlabel()
    assert style.save(figure, tmp_path / "curves.png").stat().st_size > 1000
