"""Figures of the score and of the gate draw the numbers that they are given."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from clapp_snn.figures import style
from clapp_snn.figures.burst_scores import burst_scores
from clapp_snn.figures.gate_psychometric import GateCurve, gate_psychometric
from clapp_snn.figures.hinge_scores import ScorePanel, hinge_scores

EDGES = np.array([-4.0, -2.0, 0.0, 2.0, 4.0])
READ = ScorePanel("T = 200 ms", EDGES, np.array([0, 2, 4, 8.0]), np.array([5, 10, 5, 0.0]), 37.0)
TRUE = ScorePanel("true", EDGES, np.array([0, 0, 1, 4.0]), np.array([2, 1, 0, 0.0]))


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def histograms(axes: Axes) -> dict[str, StepPatch]:
    return {str(each.get_label()): each for each in axes.patches if isinstance(each, StepPatch)}


def test_scores_from_bursts_beside_the_true_ones() -> None:
    figure = burst_scores([READ], [TRUE])
    (axes,) = figure.axes
    drawn = histograms(axes)
    expected = {
        "fixations, from bursts": ([0, 0.25, 0.5, 1], True, style.FIXATION),
        "saccades, from bursts": ([0.5, 1, 0.5, 0], True, style.SACCADE),
        "fixations, true score": ([0, 0, 0.25, 1], False, style.FIXATION),
        "saccades, true score": ([1, 0.5, 0, 0], False, style.SACCADE),
    }
    assert drawn.keys() == expected.keys()
    for name, (values, filled, colour) in expected.items():
        assert drawn[name].get_data().values.tolist() == values
        assert drawn[name].get_data().edges.tolist() == EDGES.tolist()
        assert drawn[name].get_fill() == filled
        shown = drawn[name].get_facecolor() if filled else drawn[name].get_edgecolor()
        assert to_hex(shown) == colour.lower()
    margins = [line.get_xdata()[0] for line in axes.lines if list(line.get_ydata()) == [0, 1]]
    assert margins == [-1, 1]
    assert axes.get_title("left") == "T = 200 ms: teaches in 37 %"
    assert axes.get_xlabel() == r"score u, $\hat u$"
    assert set(expected) <= set(legend_texts(figure))


def test_the_ranges_that_teach_end_at_the_margins() -> None:
    (axes,) = burst_scores([READ]).axes
    low, high = axes.get_xlim()
    bars = [line for line in axes.lines if line.get_linewidth() == 3 and len(line.get_xdata())]
    ranges = {line.get_label(): (line.get_color(), *line.get_xdata()) for line in bars}
    assert ranges == {
        "fixations teach here": (style.FIXATION, low, 1),
        "saccades teach here": (style.SACCADE, -1, high),
    }
    assert min(min(line.get_ydata()) for line in bars) > 1


def test_panels_without_truth_share_one_range() -> None:
    far = ScorePanel("far", 3 * EDGES, READ.fixation, READ.saccade)
    figure = burst_scores([READ, far, READ, READ], columns=3)
    assert len(histograms(figure.axes[0])) == 2
    assert len({axes.get_xlim() for axes in figure.axes[:4]}) == 1
    assert figure.axes[1].get_title("left") == "far"
    assert not figure.axes[5].axison
    assert figure.axes[3].get_xlabel() == r"score $\hat u$, read from bursts"


def test_both_score_figures_draw_the_same_histograms() -> None:
    ours, hinge = burst_scores([READ]).axes[0], hinge_scores([READ]).axes[0]
    first, second = (list(histograms(axes).values()) for axes in (ours, hinge))
    for left, right in zip(first, second, strict=True):
        assert left.get_data().values.tolist() == right.get_data().values.tolist()


U = np.array([-1.0, 1.0, 3.0])
GRID = np.linspace(-2, 4, 7)


def curve(label: str, y: int, shift: float = 0.0) -> GateCurve:
    share = np.array([0.9, 0.5, 0.1]) - shift
    return GateCurve(
        label, y, y * U, share, np.full(3, 0.02), y * GRID, np.linspace(1, 0, 7) - shift
    )


CURVES = [curve("T = 100 ms", 1), curve("T = 400 ms", 1, 0.05), curve("T = 400 ms", -1, 0.03)]


def test_gate_curves_lie_in_the_panel_of_their_signal() -> None:
    figure = gate_psychometric(CURVES)
    fixation, saccade = figure.axes
    assert fixation.get_title("left") == "fixation, y = +1"
    assert saccade.get_title("left") == "saccade, y = −1"
    assert [len(axes.containers) for axes in (fixation, saccade)] == [2, 1]
    for axes, curves in ((fixation, CURVES[:2]), (saccade, CURVES[2:])):
        for container, given in zip(axes.containers, curves, strict=True):
            assert container[0].get_xdata().tolist() == given.score.tolist()
            assert container[0].get_ydata().tolist() == given.probability.tolist()
            bars = container[2][0].get_segments()
            np.testing.assert_allclose([np.ptp(bar[:, 1]) for bar in bars], 0.04)
            (law,) = [
                line for line in axes.lines
                if len(line.get_xdata()) == 7 and line.get_color() == container[0].get_color()
            ]  # fmt: skip
            assert law.get_xdata().tolist() == given.law_score.tolist()
            assert law.get_ydata().tolist() == given.law_probability.tolist()
        assert axes.get_xlabel() == "score u"
    assert "probability" in fixation.get_ylabel()
    assert fixation.containers[1][0].get_color() == saccade.containers[0][0].get_color()
    shown = {each[0].get_color() for axes in figure.axes for each in axes.containers}
    assert not shown & {style.FIXATION, style.SACCADE}
    words = legend_texts(figure)
    assert words[:2] == ["T = 100 ms", "T = 400 ms"]
    assert r"\Phi" in words[2]
    assert words[3] == "without noise"


def test_the_gate_without_noise_is_a_step_at_the_margin() -> None:
    figure = gate_psychometric(CURVES)
    for axes, margin, falls in zip(figure.axes, (1, -1), (True, False), strict=True):
        (step,) = [line for line in axes.lines if line.get_label() == "without noise"]
        heights = dict.fromkeys((0.0, 1.0))
        for height in heights:
            (low, high) = sorted(step.get_xdata()[step.get_ydata() == height])
            heights[height] = (low, high)
        lowest, highest = axes.get_xlim()
        teaching, silent = heights[1.0], heights[0.0]
        assert teaching == ((lowest, margin) if falls else (margin, highest))
        assert silent == ((margin, highest) if falls else (lowest, margin))


def test_one_signal_alone_has_one_panel() -> None:
    figure = gate_psychometric(CURVES[2:])
    (axes,) = figure.axes
    assert axes.get_title("left") == "saccade, y = −1"
    assert legend_texts(figure)[0] == "T = 400 ms"


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_legends_stay_on_the_page(columns: int) -> None:
    for figure in (
        hinge_scores([READ] * columns, columns),
        burst_scores([READ] * columns, [TRUE] * columns, columns),
        gate_psychometric(CURVES),
    ):
        with style.house_style():
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
            box = figure.legends[0].get_window_extent(canvas.get_renderer())
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
