"""`clapp-snn figures`: draw everything a run has data for."""

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from matplotlib.figure import Figure
from torch import Tensor

from clapp_snn.commands.options import FigureOptions
from clapp_snn.commands.probe import CURVE_FILE
from clapp_snn.commands.probe import FILE as PROBE_FILE
from clapp_snn.commands.train import data_of, device_of
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.evaluation.embedding import embed
from clapp_snn.evaluation.features import pooled_features
from clapp_snn.evaluation.interfaces import ImageSplit, Views, standard_views
from clapp_snn.evaluation.preferred_patches import (
    preferred_images,
    preferred_patches,
    random_channels,
)
from clapp_snn.evaluation.probe_table import ProbeTable
from clapp_snn.figures import accuracy_per_layer as accuracy
from clapp_snn.figures import hinge_scores, learning_curves, style, training_losses, tsne
from clapp_snn.figures import preferred_patches as patches
from clapp_snn.files import write_text
from clapp_snn.methods.record import Method
from clapp_snn.randomness import generator
from clapp_snn.stimuli.record import Dataset
from clapp_snn.training.build import load_encoder, method_of, random_encoder
from clapp_snn.training.config import TrainConfig, read_config
from clapp_snn.training.logbook import CSV_FILE
from clapp_snn.training.score_histogram import FILE as SCORES_FILE

FOLDER = "figures"
INDEX = "index.json"
CHANNELS, TOP = 8, 8
READOUTS = {"fast": "fast linear probe", "few-shot": "few-shot probe", "paper": "linear probe"}


@dataclass(frozen=True)
class Drawing:
    """A figure with its file name and what it says in words (alternative text and caption)."""

    name: str
    figure: Figure
    alt: str
    caption: str


@dataclass
class _Run:
    folder: Path
    config: TrainConfig
    method: Method
    dataset: Dataset
    options: FigureOptions
    say: Callable[[str], None]
    title: str = field(init=False)

    def __post_init__(self) -> None:
        self.title = f"{self.method.title} on {self.dataset.name}"


def draw_figures(
    run: str | Path, options: FigureOptions | None = None, say: Callable[[str], None] = print
) -> list[Path]:
    """Draw what the run has data for into run/figures/ and return the files, in the order of the report.

    run/figures/index.json names the data and describes every figure. What is missing is said, one line
    each. Raises what opening the run, its data or its weights raises.
    """
    folder, config = Path(run), read_config(run)
    opened = _Run(
        folder, config, method_of(config), data_of(config), options or FigureOptions(), say
    )
    paths, index = [], []
    for drawing in _drawings(opened):
        paths.append(style.save(drawing.figure, folder / FOLDER / f"{drawing.name}.png"))
        index.append({"file": paths[-1].name, "alt": drawing.alt, "caption": drawing.caption})
    data = {
        "name": opened.dataset.name,
        "note": opened.dataset.note,
        "classes": opened.dataset.class_names,
        "chance": opened.dataset.chance,
    }
    record = {"data": data, "figures": index}
    write_text(folder / FOLDER / INDEX, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    return paths


def _drawings(run: _Run) -> Iterator[Drawing]:
    if (run.folder / PROBE_FILE).exists():
        table = ProbeTable.read(run.folder / PROBE_FILE)
        for protocol in table.protocols:
            yield _accuracy(run, table, protocol)
    else:
        table = ProbeTable()
        run.say(f"No accuracy figure: no probe yet; run `clapp-snn probe {run.folder}`.")
    if (run.folder / CURVE_FILE).exists():
        yield from _learning_curves(run, table)
    metrics = read_metrics(run.folder / CSV_FILE)
    if len(metrics["step"]):
        yield _losses(run, metrics)
    else:
        run.say("No figure of losses: nothing has been learned yet.")
    objective = run.method.objective
    if objective is not None and objective.loss == "hinge" and (run.folder / SCORES_FILE).exists():
        yield _hinge(run, metrics)
    yield from _representations(run)


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


def pixel_accuracy(table: ProbeTable, protocol: str) -> float | None:
    """Accuracy of a readout of raw pixels, in percent; None where it was not measured."""
    means = table.layer_means(protocol, "pixels")
    return means[0].accuracy if means else None


def read_metrics(path: Path) -> dict[str, Float[np.ndarray, "row"]]:
    """Columns of metrics.csv; an empty "step" when there is no file."""
    if not path.exists():
        return {"step": np.zeros(0)}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        return {
            name: np.array([float(row[name]) for row in rows]) for name in reader.fieldnames or ()
        }


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


def _accuracy(run: _Run, table: ProbeTable, protocol: str) -> Drawing:
    curves = layer_curves(table, protocol)
    seeds = max(len({row.seed for row in table.rows if row.protocol == protocol}), 1)
    spread = "95 % interval" if seeds == 1 else f"mean ± sd of {seeds} readout seeds"
    published = run.config.data.startswith("stl10:") and protocol == "paper"
    paper = (
        {run.method.title: run.method.stl10} if published and run.method.stl10 is not None else None
    )
    figure = accuracy.accuracy_per_layer(
        curves,
        pixels=pixel_accuracy(table, protocol),
        chance=run.dataset.chance,
        paper=paper,
        title=run.title,
        readout=READOUTS.get(protocol, f"{protocol} probe"),
        band=spread,
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


def _learning_curves(run: _Run, table: ProbeTable) -> Iterator[Drawing]:
    found: dict[str, dict[int, list[tuple[float, ...]]]] = defaultdict(lambda: defaultdict(list))
    with (run.folder / CURVE_FILE).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            point = tuple(float(row[name]) for name in ("step", "accuracy", "low", "high"))
            found[row["protocol"]][int(row["layer"])].append(point)
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


def _losses(run: _Run, metrics: dict[str, Float[np.ndarray, "row"]]) -> Drawing:
    count = len(run.method.splits)
    losses = np.stack([metrics[f"loss_{m + 1}"] for m in range(count)], axis=1)
    gates = 100 * np.stack([metrics[f"gate_{m + 1}"] for m in range(count)], axis=1)
    objective = run.method.objective
    hinge = objective is not None and objective.loss == "hinge"
    figure = training_losses.training_losses(
        metrics["step"], losses, gates if hinge else None, module_names(run.method), run.title
    )
    gate_words = (
        " and of the share of samples with H = 1, which are the only ones that change weights"
        if hinge
        else ""
    )
    return Drawing(
        "losses",
        figure,
        f"Line chart of the training loss{gate_words}, one line an area.",
        f"Training loss of each area{gate_words} (compare Fig. 7 of the paper).",
    )


def _hinge(run: _Run, metrics: dict[str, Float[np.ndarray, "row"]]) -> Drawing:
    with np.load(run.folder / SCORES_FILE, allow_pickle=False) as scores:
        panels = [
            hinge_scores.ScorePanel(
                title=name,
                edges=scores["edges"],
                fixation=scores[f"fixation_{number}"],
                saccade=scores[f"saccade_{number}"],
                gate=100 * float(metrics[f"gate_{number}"][-1]) if len(metrics["step"]) else None,
            )
            for number, name in enumerate(module_names(run.method), start=1)
        ]
    return Drawing(
        "hinge_scores",
        hinge_scores.hinge_scores(panels, title=run.title),
        "Histograms of the scores of fixations and saccades in each area, under the two branches of the "
        "hinge loss.",
        "Scores u of fixations and saccades, counted over the whole of learning, and the hinge loss that "
        "they meet. A fixation teaches only where u < 1, a saccade only where u > -1. Scores beyond the "
        "edges are counted in the outermost bins; the share with H = 1 is that of the last logged steps.",
    )


def _representations(run: _Run) -> Iterator[Drawing]:
    device = device_of("auto")
    trained = load_encoder(run.config, run.folder, device)
    untrained = random_encoder(run.config, device)
    views = standard_views(trained.architecture.image, grey=not run.config.color)
    yield _preferred(run, {"trained": trained, "random init": untrained}, views, device)
    yield _tsne(run, trained, views, device)


def _preferred(
    run: _Run, encoders: dict[str, Encoder], views: Views, device: torch.device
) -> Drawing:
    split, layer = run.dataset.test, run.options.patch_layer
    first = next(iter(encoders.values()))
    if not 1 <= layer <= len(first.channels):
        raise ValueError(f"patch_layer={layer}: the encoder has layers 1 to {len(first.channels)}.")
    stream = generator(run.options.seed, "channels")
    chosen = random_channels(first.channels[layer - 1], CHANNELS, stream)
    panels = []
    for name, encoder in encoders.items():
        found = preferred_patches(
            encoder,
            split,
            views.centre,
            layer,
            chosen,
            top=min(TOP, len(split)),
            device=device,
            progress=len(split) > 2000,
        )
        panels.append(
            patches.PatchPanel(
                title=f"{name}, layer {layer}",
                channels=found.channels.tolist(),
                images=preferred_images(split, found, first.architecture.image).numpy(),
                row=found.row.numpy(),
                col=found.col.numpy(),
                silent=(found.activity[:, 0] <= 0).tolist(),
            )
        )
    shape = first.architecture
    return Drawing(
        "preferred_patches",
        patches.preferred_patches(panels, shape.patch, shape.stride, run.title),
        f"Test images with a frame around the patch that excites a channel of layer {layer} most, for "
        f"{len(chosen)} channels of the trained and of the random encoder.",
        f"What single channels of layer {layer} prefer among {len(split)} test images: the frame is the "
        "patch with the highest activity, one patch an image, best first (compare Figs. 3a and 8 of the "
        "paper). The network sees the images in "
        f"{'colour' if run.config.color else 'grey'}.",
    )


def _tsne(run: _Run, encoder: Encoder, views: Views, device: torch.device) -> Drawing:
    sample = chosen_images(run.dataset.test, run.options.tsne_images, run.options.seed)
    features = pooled_features(encoder, sample, views.centre, device=device)
    depth = len(features)
    shown = [1, (depth + 2) // 2, depth]
    labels = sample.labels.numpy()
    panels = [
        tsne.EmbeddingPanel(f"layer {layer}", embed(features[layer - 1], run.options.seed), labels)
        for layer in dict.fromkeys(shown)
    ]
    return Drawing(
        "tsne",
        tsne.tsne(panels, run.dataset.class_names[: tsne.MOST_CLASSES], title=run.title),
        f"Scatter plots: t-SNE maps of {len(labels)} test images in {len(panels)} layers, coloured by "
        "class.",
        f"t-SNE of the features of {len(labels)} test images (compare Fig. 3b of the paper); perplexity "
        "50 or less. Distances between clusters and the axes mean nothing."
        + (
            f" Only the first {tsne.MOST_CLASSES} classes are shown."
            if len(run.dataset.class_names) > tsne.MOST_CLASSES
            else ""
        ),
    )


@dataclass(frozen=True, eq=False)
class ChosenImages:
    """Some images of a split."""

    split: ImageSplit
    indices: Int64[Tensor, "image"]
    labels: Int64[Tensor, "image"]

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, indices: Int64[Tensor, "n"]) -> UInt8[Tensor, "n 3 row col"]:
        """Images by their number among the chosen ones."""
        return self.split.read(self.indices[indices])


def chosen_images(split: ImageSplit, count: int, seed: int) -> ChosenImages:
    """At most `count` images of the first classes, drawn without replacement, in ascending order."""
    labels = split.labels
    if labels is None:
        raise ValueError("The test split has no labels; t-SNE colours images by their class.")
    candidates = torch.nonzero(labels < tsne.MOST_CLASSES).flatten()
    order = torch.randperm(len(candidates), generator=generator(seed, "tsne"))[:count]
    indices = candidates[order].sort().values
    return ChosenImages(split, indices, labels[indices])
