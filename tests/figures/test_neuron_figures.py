"""Figures of single neurons and populations draw the numbers that they are given, with units on the axes."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from matplotlib.text import Text

from clapp_snn.figures import style
from clapp_snn.figures.isi_histogram import isi_histogram
from clapp_snn.figures.psth import psth
from clapp_snn.figures.response_curves import ResponseCurve, burst_probability_curve, f_i_curve
from clapp_snn.figures.spike_raster import spike_raster
from clapp_snn.figures.voltage_traces import DENDRITE, PEAK_MV, SOMA, voltage_traces


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def strokes(collection: LineCollection) -> list[tuple[float, float]]:
    """Time and row of each stroke of a raster."""
    return [
        (float(segment[0, 0]), float(segment[:, 1].mean())) for segment in collection.get_segments()
    ]


def colour_of(patch: StepPatch) -> tuple[float, ...]:
    return patch.get_facecolor() if patch.get_fill() else patch.get_edgecolor()


def steps(axes: Axes) -> list[tuple[list[float], list[float], str]]:
    """Values, edges and colour of every histogram on some axes."""
    found = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    return [
        (list(patch.get_data().values), list(patch.get_data().edges), to_hex(colour_of(patch)))
        for patch in found
    ]


def test_raster_draws_every_spike_and_marks_bursts() -> None:
    times, rows = np.array([10.0, 12.0, 50.0, 80.0]), np.array([0, 0, 2, 4])
    figure = spike_raster(times, rows, times[1:2], rows[1:2], 5, (0, 100), bursts="second spikes")
    (axes,) = figure.axes
    spikes, bursts = axes.collections
    assert strokes(spikes) == [(10, 0), (12, 0), (50, 2), (80, 4)]
    assert strokes(bursts) == [(12, 0)]
    assert to_hex(spikes.get_colors()[0]) == style.BLACK
    assert to_hex(bursts.get_colors()[0]) == style.VERMILION.lower()
    assert axes.get_xlim() == (0, 100)
    assert axes.get_ylim() == (-0.8, 4.8)
    assert axes.get_xlabel() == "time (ms)"
    assert axes.get_ylabel() == "neuron"
    assert legend_texts(figure) == ["spikes", "second spikes"]


def test_rows_of_a_raster_do_not_touch() -> None:
    figure = spike_raster(
        np.array([5.0, 5.0]), np.array([0, 1]), np.zeros(0), np.zeros(0, int), 2, (0, 10)
    )
    first, second = figure.axes[0].collections[0].get_segments()
    assert first[:, 1].max() < second[:, 1].min()


def test_a_silent_raster_keeps_its_rows() -> None:
    nothing, nobody = np.zeros(0), np.zeros(0, int)
    (axes,) = spike_raster(nothing, nobody, nothing, nobody, 8, (0, 10)).axes
    assert axes.get_ylim() == (-0.8, 7.8)
    assert [len(each.get_segments()) for each in axes.collections] == [0, 0]


def test_traces_show_potentials_spikes_and_bursts() -> None:
    time = np.arange(1.0, 6.0)
    soma, dendrite = np.linspace(-70, -50, 5), np.linspace(-70, -20, 5)
    figure = voltage_traces(
        time, soma, dendrite, np.array([2.0, 3.5]), np.array([3.5]),
        {"soma": 100 * time, "apical": 10 * time},
        {"threshold": (-50.0, None), "half-activation": (None, -38.0)},
    )  # fmt: skip
    current, upper, lower = figure.axes
    drawn = {line.get_label(): line for line in current.lines}
    assert drawn["soma"].get_ydata().tolist() == (100 * time).tolist()
    assert drawn["apical"].get_ydata().tolist() == (10 * time).tolist()
    assert [drawn[name].get_color() for name in ("soma", "apical")] == [SOMA, DENDRITE]
    assert upper.lines[0].get_ydata().tolist() == soma.tolist()
    assert lower.lines[0].get_ydata().tolist() == dendrite.tolist()
    (spikes,) = upper.collections
    assert [segment.tolist() for segment in spikes.get_segments()] == [
        [[2.0, -65.0], [2.0, PEAK_MV]],
        [[3.5, -57.5], [3.5, PEAK_MV]],
    ]
    (mark,) = [line for line in upper.lines if line.get_marker() == "v"]
    assert list(mark.get_xdata()) == [3.5]
    assert min(mark.get_ydata()) > PEAK_MV
    assert [text.get_text() for text in upper.get_legend().get_texts()] == [mark.get_label()]
    levels = {
        line.get_label(): line.get_ydata()[0] for axes in (upper, lower) for line in axes.lines
    }
    assert levels["threshold"] == -50
    assert levels["half-activation"] == -38
    assert "half-activation" not in [line.get_label() for line in upper.lines]
    assert [axes.get_ylabel() for axes in figure.axes] == ["I (pA)", "$V_s$ (mV)", "$V_d$ (mV)"]
    assert lower.get_xlabel() == "time (ms)"
    assert lower.get_xlim() == (0, 5)


def test_traces_without_currents_or_bursts() -> None:
    time = np.arange(1.0, 4.0)
    figure = voltage_traces(time, -70 + time, -60 + time, np.zeros(0), np.zeros(0))
    upper, lower = figure.axes
    assert [axes.get_ylabel() for axes in (upper, lower)] == ["$V_s$ (mV)", "$V_d$ (mV)"]
    assert upper.get_legend() is None
    assert upper.get_shared_x_axes().joined(upper, lower)


CURRENTS = np.array([0.0, 100.0, 200.0])
GRID = np.linspace(0, 200, 5)
CURVES = [
    ResponseCurve("0 pA", CURRENTS, np.array([0.0, 0.1, 0.4]), np.array([0.01, 0.02, 0.03]),
                  GRID, GRID / 500),
    ResponseCurve("200 pA", CURRENTS, np.array([0.1, 0.2, 0.5])),
]  # fmt: skip


@pytest.mark.parametrize(
    ("draw", "across", "up"),
    [
        (f_i_curve, "somatic current (pA)", "firing rate (Hz)"),
        (burst_probability_curve, "dendritic current (pA)", "burst probability (bursts per event)"),
    ],
)
def test_response_curves(draw, across: str, up: str) -> None:
    figure = draw(CURVES, expected="Brian2", legend="dendrite")
    (axes,) = figure.axes
    assert axes.get_xlabel() == across
    assert axes.get_ylabel() == up
    first, second = axes.containers
    for container, curve in zip((first, second), CURVES, strict=True):
        assert container[0].get_xdata().tolist() == curve.current_pa.tolist()
        assert container[0].get_ydata().tolist() == curve.value.tolist()
    bars = first[2][0].get_segments()
    np.testing.assert_allclose(
        [bar[:, 1] for bar in bars], [[-0.01, 0.01], [0.08, 0.12], [0.37, 0.43]]
    )
    (law,) = [line for line in axes.lines if len(line.get_xdata()) == 5]
    assert law.get_ydata().tolist() == (GRID / 500).tolist()
    assert law.get_color() == first[0].get_color() != second[0].get_color()
    assert first[0].get_linestyle() == "None"
    assert second[0].get_linestyle() == "-"
    assert axes.get_ylim()[0] == 0
    assert legend_texts(figure) == ["0 pA", "200 pA", "Brian2"]
    assert figure.legends[0].get_title().get_text() == "dendrite"


def test_curves_that_nothing_is_expected_of_say_nothing_about_it() -> None:
    figure = f_i_curve(CURVES[1:], measured="event rate (Hz)")
    assert legend_texts(figure) == ["200 pA"]
    assert figure.axes[0].get_ylabel() == "event rate (Hz)"


def test_psth_panels() -> None:
    edges = np.array([0.0, 10.0, 20.0, 30.0])
    events, bursts = np.array([5.0, 0.0, 8.0]), np.array([1.0, 0.0, 4.0])
    probability = np.array([0.2, np.nan, 0.5])
    drives = {"soma": np.array([100.0, 300.0, 100.0]), "apical": np.array([0.0, 0.0, 200.0])}
    figure = psth(edges, events, bursts, probability, drives)
    top, *panels = figure.axes
    assert [values for values, _, _ in steps(top)] == [[100, 300, 100], [0, 0, 200]]
    assert [colour for *_, colour in steps(top)] == [SOMA.lower(), DENDRITE.lower()]
    for axes, expected in zip(panels, (events, bursts, probability), strict=True):
        for values, borders, _ in steps(axes):
            np.testing.assert_array_equal(values, expected)
            assert borders == edges.tolist()
        assert axes.get_ylim()[0] == 0
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["input (pA)", "rate (Hz)", "rate (Hz)", "bursts/event"]
    assert [axes.get_title("left") for axes in panels] == ["events", "bursts", "burst probability"]
    assert panels[-1].get_xlabel() == "time (ms)"
    assert panels[-1].get_xlim() == (0, 30)


def test_psth_without_drives_or_with_dimensionless_ones() -> None:
    edges, values = np.array([0.0, 10.0]), np.ones(1)
    assert len(psth(edges, values, values, values).axes) == 3
    figure = psth(edges, values, values, values, {"z": values}, unit="")
    assert figure.axes[0].get_ylabel() == "input"


def test_isi_histogram_divides_at_sixteen_milliseconds() -> None:
    edges, counts = np.array([4.0, 8.0, 16.0, 32.0, 64.0]), np.array([3, 5, 7, 2])
    figure = isi_histogram(edges, counts)
    (axes,) = figure.axes
    (within, _, red), (beyond, borders, blue) = steps(axes)
    assert within == [3, 5, 0, 0]
    assert beyond == [0, 0, 7, 2]
    assert borders == edges.tolist()
    assert (red, blue) == (style.VERMILION.lower(), style.BLUE.lower())
    (limit,) = axes.lines
    assert list(limit.get_xdata()) == [16, 16]
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "inter-spike interval (ms)"
    assert axes.get_ylabel() == "number of intervals"
    assert legend_texts(figure) == ["within bursts", "longer", "16 ms"]


def test_isi_histogram_with_another_limit_on_a_linear_axis() -> None:
    figure = isi_histogram(np.array([0.0, 10.0, 20.0]), np.array([1, 2]), 10.0, logarithmic=False)
    (axes,) = figure.axes
    assert axes.get_xscale() == "linear"
    assert list(axes.lines[0].get_xdata()) == [10, 10]
    assert [values for values, *_ in steps(axes)] == [[1, 0], [0, 2]]


def every_figure() -> dict[str, Figure]:
    times, rows = np.array([10.0, 12.0, 50.0]), np.array([0, 0, 2])
    edges, three = np.array([1.0, 10.0, 20.0, 30.0]), np.array([5.0, 1.0, 8.0])
    time = np.arange(1.0, 100.0)
    soma = -65 + 5 * np.sin(time)
    return {
        "raster": spike_raster(times, rows, times[1:2], rows[1:2], 3, (0, 60), title="A raster"),
        "traces": voltage_traces(
            time, soma, soma, times, times[:1], {"soma": time, "apical": -time},
            {"threshold": (-50.0, None), "$E_d$": (None, -38.0)}, "Traces",
        ),
        "f-I": f_i_curve(CURVES, legend="dendritic current", title="f-I"),
        "psth": psth(edges, three, three, three, {"soma": three, "apical": three}, title="PSTH"),
        "isi": isi_histogram(edges, three.astype(int), title="ISI"),
    }  # fmt: skip


def words(figure: Figure) -> list[Text]:
    """All text but tick labels."""
    inside = [
        text
        for axes in figure.axes
        for text in (*axes.texts, axes.xaxis.label, axes.yaxis.label, axes._left_title)
    ]
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
    named = [text for legend in legends if legend for text in legend.get_texts()]
    return [text for text in (*figure.texts, *inside, *named) if text.get_text()]


@pytest.mark.parametrize("name", ["raster", "traces", "f-I", "psth", "isi"])
def test_words_do_not_overlap_and_stay_on_the_page(name: str) -> None:
    figure = every_figure()[name]
    with style.house_style():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        boxes = [(text.get_text(), text.get_window_extent()) for text in words(figure)]
    assert len(boxes) >= 5
    page = figure.bbox
    for text, box in boxes:
        within = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        assert within, f"{text!r} leaves the page"
    for number, (text, box) in enumerate(boxes):
        for other, beside in boxes[number + 1 :]:
            assert not box.overlaps(beside), f"{text!r} overlaps {other!r}"
