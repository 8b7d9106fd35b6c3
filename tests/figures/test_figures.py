"""Figures show exactly the numbers they are given, with names on every axis."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from clapp_snn.figures import style
from clapp_snn.figures.accuracy_per_layer import LayerCurve, accuracy_per_layer
from clapp_snn.figures.first_screen import first_screen
from clapp_snn.figures.hinge_scores import ScorePanel, hinge_scores, visible_range
from clapp_snn.figures.learning_curves import LearningCurve, learning_curves
from clapp_snn.figures.preferred_patches import GAP, PatchPanel, preferred_patches
from clapp_snn.figures.throughput import ThroughputBar, throughput
from clapp_snn.figures.training_losses import training_losses
from clapp_snn.figures.tsne import MOST_CLASSES, EmbeddingPanel, tsne

TRAINED = LayerCurve("trained", [1, 2, 3], [50.0, 60.0, 70.0], [48, 58, 68], [52, 62, 72])
RANDOM = LayerCurve("random init", [1, 2, 3], [55.0, 54.0, 53.0])


def line(axes: Axes, label: str) -> tuple[list[float], list[float]]:
    (found,) = [drawn for drawn in axes.lines if drawn.get_label() == label]
    return list(map(float, found.get_xdata())), list(map(float, found.get_ydata()))


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def test_accuracy_per_layer_shows_curves_levels_and_the_paper() -> None:
    figure = accuracy_per_layer(
        [TRAINED, RANDOM], {"raw pixels": 20.0}, 10.0, {"CLAPP-s": 75.0}, "title"
    )
    (axes,) = figure.axes
    assert line(axes, "trained") == ([1, 2, 3], [50, 60, 70])
    assert line(axes, "random init") == ([1, 2, 3], [55, 54, 53])
    assert line(axes, "raw pixels")[1] == [20, 20]
    assert line(axes, "chance")[1] == [10, 10]
    assert line(axes, "paper, STL-10, width 1: CLAPP-s 75")[1] == [75]
    (band,) = axes.collections
    corners = {tuple(map(float, point)) for point in band.get_paths()[0].vertices}
    assert {(1, 48), (1, 52), (3, 68), (3, 72)} <= corners
    assert axes.get_xlabel() == "layer"
    assert "%" in axes.get_ylabel()
    assert axes.get_ylim()[0] == 0
    assert figure.legends[0].get_title().get_text() == "band: 95 % interval"


def test_accuracy_without_extras_draws_only_the_curves() -> None:
    figure = accuracy_per_layer([RANDOM])
    assert legend_texts(figure) == ["random init"]


def test_learning_curves() -> None:
    curves = [
        LearningCurve("layer 1", [0, 100], [40.0, 45.0]),
        LearningCurve("layer 2", [0, 100], [41.0, 55.0], [39, 53], [43, 57], baseline=41.0),
    ]
    figure = learning_curves(curves, ordered=True)
    (axes,) = figure.axes
    assert line(axes, "layer 1") == ([0, 100], [40, 45])
    assert line(axes, "layer 2") == ([0, 100], [41, 55])
    assert legend_texts(figure) == ["layer 1", "layer 2", "random init"]
    assert axes.get_xlabel() == "learning steps"
    assert "%" in axes.get_ylabel()


def test_training_losses_and_gates() -> None:
    steps = np.array([10.0, 20.0, 30.0])
    losses = np.array([[2.0, 1.9], [1.5, 1.4], [1.2, 1.0]])
    gates = np.array([[99.0, 98.0], [80.0, 70.0], [60.0, 50.0]])
    figure = training_losses(steps, losses, gates, ["V1", "V2"])
    left, right = figure.axes
    for area, name in enumerate(("V1", "V2")):
        assert line(left, name) == (steps.tolist(), losses[:, area].tolist())
        assert line(right, name) == (steps.tolist(), gates[:, area].tolist())
    assert left.get_ylabel() == "loss"
    assert "(%)" in right.get_ylabel()
    assert legend_texts(figure) == ["V1", "V2"]


def test_a_single_point_is_drawn_as_a_dot() -> None:
    for points, marker in ((1, "o"), (2, "None")):
        steps, losses = np.arange(1, points + 1), np.ones((points, 2))
        lines = training_losses(steps, losses).axes[0].lines
        assert [line.get_marker() for line in lines] == [marker, marker]


def test_training_losses_without_gates_has_one_panel() -> None:
    figure = training_losses(np.array([1.0]), np.array([[2.0]]))
    assert len(figure.axes) == 1
    assert legend_texts(figure) == ["area 1"]


def test_hinge_scores_draw_histograms_margins_and_both_branches() -> None:
    edges = np.linspace(-6, 6, 121)
    fixation, saccade = np.zeros(120), np.zeros(120)
    fixation[70:80], saccade[40:60] = 8.0, 4.0
    figure = hinge_scores([ScorePanel("area 1", edges, fixation, saccade, gate=62.0)])
    counts, loss = figure.axes
    assert [np.asarray(stairs.get_data().values).max() for stairs in counts.patches] == [1, 1]
    np.testing.assert_array_equal(counts.patches[0].get_data().values, fixation / 8)
    np.testing.assert_array_equal(counts.patches[1].get_data().values, saccade / 4)
    margins = [drawn.get_xdata()[0] for drawn in counts.lines if len(set(drawn.get_xdata())) == 1]
    assert margins == [-1, 1]
    for drawn, sign in zip(loss.lines, (-1, 1), strict=True):
        u = np.asarray(drawn.get_xdata())
        np.testing.assert_allclose(drawn.get_ydata(), np.clip(1 + sign * u, 0, None))
    assert "62 %" in counts.get_title(loc="left")
    assert counts.get_xlabel() == "score u"
    assert loss.get_ylabel() == "hinge loss"


def test_hinge_range_keeps_the_margins_and_nearly_all_scores() -> None:
    edges = np.linspace(-6, 6, 121)
    counts = np.zeros(120)
    empty = ScorePanel("empty", edges, counts, counts)
    assert visible_range([empty]) == (-2.5, 2.5)
    counts = counts.copy()
    counts[[10, 110]] = 100
    low, high = visible_range([empty, ScorePanel("wide", edges, counts, counts)])
    assert low <= edges[10] + 1e-9
    assert high >= edges[111] - 1e-9


def test_scores_out_of_sight_do_not_set_the_scale() -> None:
    edges = np.linspace(-30, 30, 601)
    counts = np.zeros(600)
    counts[290:310], counts[0] = 100.0, 19.0
    saccade = counts.copy()
    saccade[0] = 1900.0
    few = hinge_scores([ScorePanel("few far away", edges, counts, counts)]).axes[0]
    assert few.get_xlim()[0] > -3
    many = hinge_scores([ScorePanel("many far away", edges, counts, saccade)]).axes[0]
    assert many.get_xlim()[0] == -30
    for axes in (few, many):
        heights = np.asarray(axes.patches[0].get_data().values)
        assert heights[295] == 1


def panel(silent: bool = False) -> PatchPanel:
    images = np.stack([np.stack([picture(1), picture(2)])] * 2)
    return PatchPanel(
        "trained", [3, 9], images, np.array([[0, 1], [2, 3]]), np.array([[4, 5], [6, 0]]),
        [False, silent],
    )  # fmt: skip


def test_preferred_patches_are_framed_where_they_are() -> None:
    figure = preferred_patches([panel(), panel(silent=True)], patch=16, stride=8)
    first, second = figure.axes
    frames = [patch for patch in first.patches if isinstance(patch, Rectangle)]
    step = 64 + GAP
    corners = [(frame.get_x() + 0.5, frame.get_y() + 0.5) for frame in frames[1::2]]
    assert corners == [(32, 0), (step + 40, 8), (48, step + 16), (step, step + 24)]
    assert {(frame.get_width(), frame.get_height()) for frame in frames} == {(16, 16)}
    np.testing.assert_array_equal(first.images[0].get_array()[:64, step : step + 64], picture(2))
    assert [text.get_text() for text in first.get_yticklabels()] == ["3", "9"]
    assert [text.get_text() for text in second.get_yticklabels()] == ["3", "9\nsilent"]
    assert len(second.patches) == len(first.patches) / 2
    assert second.images[0].get_array()[step:, :64].min() >= 191


def test_tsne_gives_every_class_its_colour_and_marker() -> None:
    points = np.arange(32.0).reshape(16, 2)
    names = [f"class {number}" for number in range(16)]
    figure = tsne([EmbeddingPanel("layer 1", points, np.arange(16))], names)
    (axes,) = figure.axes
    shown = [np.asarray(drawn.get_offsets()) for drawn in axes.collections[:16]]
    np.testing.assert_array_equal(np.concatenate(shown), points)
    assert len(set(style.class_styles(MOST_CLASSES))) == MOST_CLASSES
    assert legend_texts(figure) == names


def test_tsne_refuses_more_classes_than_can_be_told_apart() -> None:
    panels = [EmbeddingPanel("layer 1", np.zeros((1, 2)), np.zeros(1, dtype=int))]
    with pytest.raises(ValueError, match="17 classes cannot be told apart"):
        tsne(panels, ["a"] * 17)


def test_throughput_shows_speeds_and_ratios() -> None:
    bars = [
        ThroughputBar("width 1/8", "local", 150.0, 140.0, 160.0),
        ThroughputBar("width 1/8", "autograd", 60.0),
        ThroughputBar("width 1/4", "local", 5.0),
    ]
    (axes,) = throughput(bars, reference="autograd").axes
    assert [bar.get_width() for bar in axes.patches] == [150, 60, 5]
    assert [text.get_text() for text in axes.texts] == ["150  (2.5×)", "60", "5"]
    assert "images per second" in axes.get_xlabel()


def test_first_screen_shows_photographs_circuit_and_accuracy() -> None:
    figure = first_screen(picture(), picture(1), [TRAINED, RANDOM], 20.0, 10.0, "noise")
    seen, other = [axes for axes in figure.axes if axes.images]
    np.testing.assert_array_equal(seen.images[0].get_array(), picture())
    np.testing.assert_array_equal(other.images[0].get_array(), picture(1))
    accuracy = figure.axes[-1]
    assert line(accuracy, "trained") == ([1, 2, 3], [50, 60, 70])
    assert line(accuracy, "random init") == ([1, 2, 3], [55, 54, 53])
    assert accuracy.get_xlabel() == "layer\nnoise"
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert any("gamma=y" in word for word in words)


def test_first_screen_is_1200_pixels_wide_and_not_blank(tmp_path: Path) -> None:
    figure = first_screen(picture(), picture(1), [TRAINED, RANDOM])
    path = style.save(figure, tmp_path / "deep" / "first.png", dpi=100)
    with Image.open(path) as image:
        assert image.size == (1200, 500)
        assert len(image.convert("RGB").getcolors(600_000)) > 1000
    assert [file.name for file in path.parent.iterdir()] == ["first.png"]


def test_a_failed_save_keeps_the_old_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")
    figure = accuracy_per_layer([TRAINED])

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        style.save(figure, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_style_stays_inside() -> None:
    before = dict(mpl.rcParams)
    accuracy_per_layer([TRAINED])
    assert dict(mpl.rcParams) == before
