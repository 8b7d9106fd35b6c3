"""Figures of recorded numbers: probes, losses, gate shares, scores."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from clapp_snn.commands.drawing import Drawing, Run
from clapp_snn.evaluation.probe_curve import read_curve
from clapp_snn.evaluation.probe_table import ProbeTable
from clapp_snn.figures import accuracy_per_layer as accuracy
from clapp_snn.figures import hinge_scores, learning_curves, training_losses
from clapp_snn.methods.record import Method
from clapp_snn.modalities import modality_of
from clapp_snn.run_files import PROBE_CURVE, SCORES

READOUTS = {
    "fast": "fast linear probe",
    "few-shot": "few-shot probe",
    "paper": "linear probe",
    "speaker": "speaker probe",
}


def layer_curves(table: ProbeTable, protocol: str) -> list[accuracy.LayerCurve]:
    """The curves of all encoders of a probe table, with their intervals."""
    curves = []
    for encoder in table.encoders(protocol):
        means = [mean for mean in table.layer_means(protocol, encoder) if mean.layer > 0]
        if means:
            curves.append(
                accuracy.LayerCurve(
                    label="random init" if encoder == "random" else encoder,
                    layers=[mean.layer for mean in means],
                    accuracy=[mean.accuracy for mean in means],
                    low=[mean.low for mean in means],
                    high=[mean.high for mean in means],
                )
            )
    return curves


def module_names(method: Method) -> list[str]:
    """What the figures call the modules: "area 2", with its layers where modules have several."""
    if max(method.splits) == 1:
        return [f"area {number + 1}" for number in range(len(method.splits))]
    return [
        f"area {number} (layer {top + 1})"
        if size == 1
        else f"area {number} (layers {top + 2 - size}-{top + 1})"
        for number, (size, top) in enumerate(zip(method.splits, method.tops, strict=True), start=1)
    ]


def accuracy_figure(run: Run, table: ProbeTable, protocol: str) -> Drawing:
    """Accuracy per layer with one protocol (Fig. 4)."""
    curves = layer_curves(table, protocol)
    seeds = max(len({row.seed for row in table.rows if row.protocol == protocol}), 1)
    spread = "95 % interval" if seeds == 1 else f"mean ± sd of {seeds} readout seeds"
    modality = modality_of(run.config)
    published = run.dataset.name == modality.published and protocol == modality.paper_protocol
    number = run.method.reported if published and run.method.comparable else None
    paper = None if number is None else {run.method.title: number}
    raw = table.raw(protocol)
    figure = accuracy.accuracy_per_layer(
        curves,
        raw=None if raw is None else {raw[0]: raw[1].accuracy},
        # The chance of the data is that of a class (a phone), not that of a speaker.
        chance=None if protocol == "speaker" else run.dataset.chance,
        paper=paper,
        title=run.title,
        readout=READOUTS.get(protocol, f"{protocol} probe"),
        band=spread,
        published=modality.published,
    )
    told = "; ".join(
        f"{curve.label} {', '.join(f'{value:.1f}' for value in curve.accuracy)}" for curve in curves
    )
    return Drawing(
        f"accuracy_per_layer_{protocol}",
        figure,
        f"Line chart of test accuracy in percent by layer. {told}.",
        f"Test accuracy of a readout on each layer, {protocol} protocol (compare Fig. 4 of the paper). "
        f"Bands: {spread}. The dashed grey line is the same network before learning.",
    )


def learning_curve_figures(run: Run, table: ProbeTable) -> Iterator[Drawing]:
    """Accuracy during learning, a figure for each protocol of probe_curve.csv."""
    found: dict[str, dict[int, list[tuple[float, ...]]]] = defaultdict(lambda: defaultdict(list))
    for row in read_curve(run.folder / PROBE_CURVE):
        found[row.protocol][row.layer].append((row.step, row.accuracy, row.low, row.high))
    for protocol, layers in found.items():
        start = {mean.layer: mean for mean in table.layer_means(protocol, "random")}
        curves = []
        for layer, points in sorted(layers.items()):
            if points[0][0] > 0 and layer in start:
                begin = start[layer]
                points.insert(0, (0.0, begin.accuracy, begin.low, begin.high))
            steps, values, _, _ = zip(*sorted(points), strict=True)
            curves.append(learning_curves.LearningCurve(f"layer {layer}", steps, values))
        yield Drawing(
            f"learning_curves_{protocol}",
            learning_curves.learning_curves(
                curves,
                title=run.title,
                readout=READOUTS.get(protocol, f"{protocol} probe"),
                ordered=True,
            ),
            f"Line chart of test accuracy against learning steps, one line for each of {len(curves)} "
            "layers.",
            f"Test accuracy of a readout during learning, {protocol} protocol. Step 0 is random "
            "initialisation.",
        )


def loss_figure(run: Run, metrics: dict[str, Float[np.ndarray, "row"]]) -> Drawing:
    """Loss and gate share of every area (Fig. 7)."""
    count = len(run.method.splits)
    losses = np.stack([metrics[f"loss_{m + 1}"] for m in range(count)], axis=1)
    gates = 100 * np.stack([metrics[f"gate_{m + 1}"] for m in range(count)], axis=1)
    hinge = run.method.hinge
    figure = training_losses.training_losses(
        metrics["step"], losses, gates if hinge else None, module_names(run.method), run.title
    )
    gate_words = " and of the share of samples that miss their margin (H = 1)" if hinge else ""
    return Drawing(
        "losses",
        figure,
        f"Line chart of the training loss{gate_words}, one line an area.",
        f"Training loss of each area{gate_words} (compare Fig. 7 of the paper).",
    )


def hinge_figure(run: Run, metrics: dict[str, Float[np.ndarray, "row"]]) -> Drawing:
    """The hinge with the scores of scores.npz."""
    with np.load(run.folder / SCORES, allow_pickle=False) as scores:
        panels = [
            hinge_scores.ScorePanel(
                title=name,
                edges=scores["edges"],
                fixation=scores[f"fixation_{number}"],
                saccade=scores[f"saccade_{number}"],
                gate=_last_percent(metrics.get(f"gate_{number}", np.zeros(0))),
            )
            for number, name in enumerate(module_names(run.method), start=1)
        ]
    return Drawing(
        "hinge_scores",
        hinge_scores.hinge_scores(panels, title=run.title),
        "Histograms of the scores of fixations and saccades in each area, under the two branches of the "
        "hinge loss.",
        "Scores u of fixations and saccades, counted in the logged steps, and the hinge loss that "
        "they meet. A fixation teaches only where u < 1, a saccade only where u > -1. Scores beyond the "
        "edges are counted in the outermost bins; the share with H = 1 is that of the last logged "
        "steps of the area.",
    )


def _last_percent(shares: Float[np.ndarray, "row"]) -> float | None:
    """The last share that was measured, in percent."""
    measured = shares[np.isfinite(shares)]
    return 100 * float(measured[-1]) if len(measured) else None
