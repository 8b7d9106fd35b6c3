"""`clapp-snn figures` for a run of `clapp-snn stream`: read-outs, learning, scores, and one area at work."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure

from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.commands.drawing import Drawing
from clapp_snn.commands.figure_index import Entry, update_index
from clapp_snn.commands.options import FigureOptions, refuse_options
from clapp_snn.evaluation.area_accuracy import read_accuracies
from clapp_snn.evaluation.glance_traces import SHOWN, GlanceTraces, watch_glances
from clapp_snn.evaluation.stream_scores import stream_scores
from clapp_snn.figures import style
from clapp_snn.figures.accuracy_per_layer import LayerCurve, accuracy_per_layer
from clapp_snn.figures.burst_scores import burst_scores
from clapp_snn.figures.hinge_scores import ScorePanel
from clapp_snn.figures.one_area import Glance, one_area
from clapp_snn.figures.training_losses import training_losses
from clapp_snn.run_files import FIGURES, METRICS, STREAM_PROBE
from clapp_snn.stimuli.glances import GlanceStream
from clapp_snn.training.logbook import read_metrics
from clapp_snn.training.stream_build import trained_network
from clapp_snn.training.stream_config import StreamConfig, read_stream_config
from clapp_snn.training.stream_objects import StreamObjects, open_objects

SAMPLES, WINDOWS = 32, 20
EDGES = np.linspace(-30, 30, 301)
READOUTS = {"linear": "linear read-out", "five_shot": "5-shot probe", "local": "local read-out"}


def draw_stream_figures(
    run: str | Path, options: FigureOptions | None = None, say: Callable[[str], None] = print
) -> list[Path]:
    """Draw what the run has data for into run/figures/ with index.json; what is missing is said in a line.

    Raises ValueError for options that a run on a stream has no use for, and what opening the run, its data or
    its weights raises.
    """
    options = options or FigureOptions()
    refuse_options(options, ("seed", "device"), "figures")
    if options.device == "cuda":
        raise ValueError("Runs on streams are drawn on the CPU: leave --device out.")
    folder, config = Path(run), read_stream_config(run)
    paths: list[Path] = []
    drawn: list[Entry] = []
    complete = False
    try:
        for drawing in _drawings(folder, config, options.seed, say):
            paths.append(style.save(drawing.figure, folder / FIGURES / f"{drawing.name}.png"))
            drawn.append(Entry(paths[-1].name, drawing.alt, drawing.caption))
        complete = True
    finally:
        # What was drawn before a failure keeps its captions in the report.
        update_index(folder, drawn, complete=complete)
    return paths


def title_of(config: StreamConfig) -> str:
    """Neuron, data, and method where it is not plain CLAPP."""
    method = "" if config.method == "clapp" else f" ({config.method})"
    return f"{config.neuron} areas on {config.data}{method}"


def _drawings(
    folder: Path, config: StreamConfig, seed: int, say: Callable[[str], None]
) -> Iterator[Drawing]:
    probed = folder / STREAM_PROBE
    if probed.exists():
        yield _accuracy(probed, config)
    else:
        say(f"No accuracy figure: no probe yet; run `clapp-snn probe {folder}`.")
    metrics = read_metrics(folder / METRICS)
    if not len(metrics["step"]):
        say("No figures of learning: nothing has been learned yet.")
        return
    yield _learning(metrics, config)
    network = trained_network(config, folder)
    objects = open_objects(config)
    yield _scores(network, objects, config, seed)
    if config.neuron == "rate":
        say("No raster: the rate neuron has no spikes.")
    elif config.ablation == "single_population":
        say("No raster: a single population has no ON and OFF neurons.")
    elif config.ablation in ("shuffled_gamma", "other_gamma"):
        say(
            f"No raster: it shows one sample and one area, which have no gamma under {config.ablation}."
        )
    else:
        yield _raster(folder, objects, config, seed)


def _accuracy(path: Path, config: StreamConfig) -> Drawing:
    """All read-outs by area, trained and untrained."""
    rows = read_accuracies(path)
    curves, raw = [], {}
    for weights in ("trained", "untrained"):
        chosen = [row for row in rows if row.weights == weights and row.area]
        areas = [row.area for row in chosen]
        for column in READOUTS if weights == "trained" else ("linear",):
            name = f"{weights}, {READOUTS[column]}" if weights == "trained" else "random init"
            curves.append(LayerCurve(name, areas, [getattr(row, column) for row in chosen]))
    for row in rows:
        if not row.area:
            raw["raw input, linear"] = row.linear
    figure = accuracy_per_layer(
        curves, raw=raw, title=title_of(config), readout="read-out", stage="area"
    )
    told = "; ".join(
        f"{curve.label} {', '.join(f'{value:.1f}' for value in curve.accuracy)}" for curve in curves
    )
    return Drawing(
        "accuracy_per_area",
        figure,
        f"Line chart of test accuracy in percent by area. {told}.",
        "Test accuracy of read-outs of each area's activity: logistic regression, nearest class mean of "
        "five examples, and a read-out learned with local factors. Random init: linear read-out of the "
        "network before learning.",
    )


def _learning(metrics: dict[str, Float[np.ndarray, "row"]], config: StreamConfig) -> Drawing:
    count = sum(name.startswith("loss_") for name in metrics)
    losses, gates = (
        np.stack([metrics[f"{name}_{area + 1}"] for area in range(count)], axis=1)
        for name in ("loss", "gate")
    )
    return Drawing(
        "learning",
        training_losses(
            metrics["step"], losses, 100 * gates, title=title_of(config), unit="windows"
        ),
        "Line charts of hinge loss and of the share of samples that learn (gamma not 0) against windows, one "
        "line an area.",
        "Learning: hinge of the score as the area's bursts tell it, and the share of samples that learn, "
        f"gamma not 0. {config.batch} samples see one glance each in a window.",
    )


def _scores(
    network: StreamHierarchy, objects: StreamObjects, config: StreamConfig, seed: int
) -> Drawing:
    stream = GlanceStream(objects.test, range(SAMPLES), seed, config.p_saccade)
    found = stream_scores(network, stream, WINDOWS, seed, drawn=config.drawn)
    inner = found.score.clamp(EDGES[0], EDGES[-1]).numpy()
    fixation = (found.y > 0).numpy()
    panels = [
        ScorePanel(
            f"area {area + 1}",
            EDGES,
            np.histogram(scores[fixation], EDGES)[0].astype(float),
            np.histogram(scores[~fixation], EDGES)[0].astype(float),
            100 * float(gamma.abs().mean()),
        )
        for area, (scores, gamma) in enumerate(zip(inner, found.gamma, strict=True))
    ]
    return Drawing(
        "scores",
        burst_scores(panels, title=title_of(config)),
        "Histograms of the scores of fixations and saccades in each area, with the margins at +1 and -1.",
        f"Scores that the areas read, with frozen weights, in {WINDOWS} windows of {SAMPLES} samples looking "
        "at test objects. A fixation teaches only left of +1, a saccade only right of -1; scores beyond 6 "
        "are counted in the outermost bins.",
    )


def _raster(folder: Path, objects: StreamObjects, config: StreamConfig, seed: int) -> Drawing:
    """The lowest area stepped through a glance, a fixation and a saccade, with the input of the run."""
    network = trained_network(replace(config, simulation="stepped"), folder)
    traces = watch_glances(network, objects.test, seed)
    return Drawing(
        "raster",
        draw_traces(traces, network, f"Area 1: {title_of(config)}"),
        "Raster of spikes and bursts of ON and OFF neurons over a first glance, a fixation and a saccade, "
        "with score, margin neurons and gamma below.",
        f"The lowest area, step by step: spikes and bursts of at most {SHOWN} units, the score of all units, "
        "both margin neurons and gamma, for one object seen twice and then another one. Shaded: settling.",
    )


def draw_traces(traces: GlanceTraces, network: StreamHierarchy, title: str) -> Figure:
    """The figure of `watch_glances` with this network."""
    area = network.area(0)
    dt = area.neuron.dt
    glances = [
        Glance(
            glance.name,
            number * area.steps * dt,
            (number * area.steps + area.settle) * dt,
            (number + 1) * area.steps * dt,
            glance.y,
            glance.true,
            glance.gamma,
        )
        for number, glance in enumerate(traces.glances)
    ]
    time = dt * torch.arange(1, len(traces.score) + 1).numpy()
    inputs = None if traces.inputs is None else traces.inputs.numpy()
    return one_area(
        time,
        glances,
        inputs,
        traces.spikes.numpy(),
        traces.bursts.numpy(),
        traces.score.numpy(),
        traces.fixation.numpy(),
        traces.saccade.numpy(),
        title,
    )
