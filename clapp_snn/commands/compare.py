"""`clapp-snn compare`: the probes of several runs in one table and one figure a protocol."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from matplotlib.figure import Figure

from clapp_snn.commands.number_figures import READOUTS
from clapp_snn.evaluation.probe_curve import read_curve
from clapp_snn.evaluation.probe_table import RAW, ProbeTable
from clapp_snn.figures import style
from clapp_snn.figures.accuracy_per_layer import LayerCurve, accuracy_per_layer
from clapp_snn.figures.compared_curves import compared_curves
from clapp_snn.figures.learning_curves import LearningCurve
from clapp_snn.files import write_text
from clapp_snn.methods import get_method
from clapp_snn.modalities.images import IMAGES
from clapp_snn.run_files import PROBE, PROBE_CURVE
from clapp_snn.stimuli.spec import data_name
from clapp_snn.tables import write_table
from clapp_snn.training.config import VARIANTS, TrainConfig, read_config

RANDOM = "random init"
BAND = "mean ± sd over runs"
NO_SETTING = {
    *VARIANTS, "apical_rate", "width", "seed", "data", "out", "device", "engine", "log_every",
    "checkpoint_every", "keep", "milestones", "skip_unreadable",
}  # fmt: skip
"""Options that make no other experiment of a method, or stand in the label already."""
FORWARD = {"block_order": "relu-norm", "normalisation": "batch", "clip_encoder": "vgg5"}
"""Variants that change what a network answers before it has learned, with what None means."""


@dataclass(frozen=True)
class Cell:
    """Accuracy (percent) of one layer after `steps` steps, over the runs of one method.

    Layer 0 is the raw stimulus.
    """

    protocol: str
    label: str
    steps: int
    layer: int
    mean: float
    sd: float | None
    runs: int


def compare(runs: Sequence[Path], out: Path, say: Callable[[str], None] = print) -> list[Path]:
    """Write out/compare.csv, out/compare.txt and figures; runs that differ in their seed alone are pooled.

    Raises ValueError when the runs do not share their data, two runs share all settings and the seed, or a
    method was read out in different ways.
    """
    configs = {run: read_config(run) for run in runs}
    labels = _labels(configs)
    _require_comparable(configs, labels)
    ends, curves = _ends(configs, labels), _curves(configs, labels)
    text = _text(ends)
    say(text)
    paths = [out / "compare.txt", out / "compare.csv"]
    write_text(paths[0], text)
    _write(paths[1], [*ends, *curves])
    data = data_name(next(iter(configs.values())).data)
    for protocol in dict.fromkeys(cell.protocol for cell in ends):
        readout = READOUTS.get(protocol, f"{protocol} probe")
        figures = {f"accuracy_compared_{protocol}": _accuracy(ends, protocol, data, readout)}
        if any(cell.protocol == protocol for cell in curves):
            figures[f"curves_compared_{protocol}"] = _learning(
                ends, curves, protocol, data, readout
            )
        paths += [style.save(f, out / f"{name}.png") for name, f in figures.items()]
    return paths


def _require_comparable(configs: dict[Path, TrainConfig], labels: dict[Path, str]) -> None:
    data = sorted({config.data for config in configs.values()})
    if len(data) != 1:
        raise ValueError(f"Runs on different data cannot be compared: {', '.join(data)}.")
    seen: dict[tuple[str, int], Path] = {}
    for run, config in configs.items():
        key = (labels[run], config.seed)
        if key in seen:
            raise ValueError(f"{seen[key]} and {run} share settings and seed; leave one out.")
        seen[key] = run


def _labels(configs: dict[Path, TrainConfig]) -> dict[Path, str]:
    """Method, variant, and every other setting in which the runs of a method differ."""
    several = len({config.width for config in configs.values()}) > 1
    labels = {}
    for run, config in configs.items():
        words = [get_method(config.method, config.modality).title, config.variant]
        words += [f"width {config.width:g}"] if several else []
        same = [other for other in configs.values() if other.method == config.method]
        for name in (field.name for field in fields(TrainConfig)):
            if name not in NO_SETTING and len({getattr(other, name) for other in same}) > 1:
                value = getattr(config, name)
                words.append(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}")
        labels[run] = ", ".join(word for word in words if word)
    return labels


def _cell(protocol: str, label: str, steps: int, layer: int, values: list[float]) -> Cell:
    sd = statistics.stdev(values) if len(values) > 1 else None
    return Cell(protocol, label, steps, layer, statistics.fmean(values), sd, len(values))


def _ends(configs: dict[Path, TrainConfig], labels: dict[Path, str]) -> list[Cell]:
    """The newest weights of all runs, random init and raw stimulus once for every kind, seed and width."""
    kinds = {run: (_untrained(config), _seen(config)) for run, config in configs.items()}
    several = [len(set(column)) > 1 for column in zip(*kinds.values(), strict=True)]
    found: dict[tuple[str, str, int], dict[tuple[int, float], float]] = defaultdict(dict)
    probed: dict[tuple[str, str], dict[tuple[str, int | None], Path]] = defaultdict(dict)
    for run, config in configs.items():
        table = ProbeTable.read(run / PROBE)
        untrained, seen = (
            f", {kind}" if many else "" for kind, many in zip(kinds[run], several, strict=True)
        )
        baselines = {"random": RANDOM + untrained, **{k: v + seen for k, v in RAW.items()}}
        for protocol in table.protocols:
            for encoder in table.encoders(protocol):
                label = baselines.get(encoder, labels[run])
                if label == labels[run] and config.method == "random":
                    continue
                for row in table.rows:
                    if (row.protocol, row.encoder) == (protocol, encoder):
                        probed[protocol, label].setdefault((row.setting, row.step), run)
                for mean in table.layer_means(protocol, encoder):
                    place = found[protocol, label, mean.layer]
                    place[config.seed, config.width] = mean.accuracy
    _require_alike(probed)
    steps = {key: next(iter(ways))[1] or 0 for key, ways in probed.items()}
    return [
        _cell(protocol, label, steps[protocol, label], layer, list(values.values()))
        for (protocol, label, layer), values in found.items()
    ]


def _untrained(config: TrainConfig) -> str:
    """What random init depends on besides seed and width: neurons, field of view, colour, variant."""
    method = get_method(config.method, config.modality)
    kind = {"goodness": "SCFF's neurons", "hebbian": "SoftHebb's neurons"}.get(method.task)
    variant = [
        f"{getattr(config, n)}"
        for n, usual in FORWARD.items()
        if getattr(config, n) not in (None, usual)
    ]
    return ", ".join(
        [kind or _seen(config), *(["colour"] if kind and config.color else []), *variant]
    )


def _seen(config: TrainConfig) -> str:
    """What the raw stimulus depends on."""
    if config.modality != IMAGES.name:
        return config.modality
    method = get_method(config.method)
    whole = method.pairs or method.task in ("goodness", "hebbian")
    return ("whole images" if whole else "patches") + (", colour" if config.color else "")


def _require_alike(probed: dict[tuple[str, str], dict[tuple[str, int | None], Path]]) -> None:
    """Refuse to pool read-outs of other settings or of weights that have learned for other times."""
    for (protocol, label), ways in probed.items():
        if len(ways) > 1:
            told = "; ".join(
                f"{run}: {setting or 'no note'}{'' if step is None else f', step {step}'}"
                for (setting, step), run in ways.items()
            )
            raise ValueError(
                f"{label} was read out in different ways ({protocol}): {told}. Probe the runs alike, or "
                "leave some out."
            )


def _curves(configs: dict[Path, TrainConfig], labels: dict[Path, str]) -> list[Cell]:
    found: dict[tuple[str, str, int, int], list[float]] = defaultdict(list)
    for run in configs:
        for row in read_curve(run / PROBE_CURVE):
            found[row.protocol, labels[run], row.step, row.layer].append(row.accuracy)
    return [_cell(*key, values) for key, values in found.items()]


def _write(path: Path, cells: list[Cell]) -> None:
    write_table(path, Cell, cells)


def _text(cells: list[Cell]) -> str:
    blocks = []
    for protocol in dict.fromkeys(cell.protocol for cell in cells):
        chosen = [cell for cell in cells if cell.protocol == protocol]
        layers = sorted({cell.layer for cell in chosen if cell.layer})
        lines = [
            f"{protocol} probe, test accuracy in percent, {BAND}",
            "",
            "| encoder | runs | " + " | ".join(f"layer {layer}" for layer in layers) + " |",
            "|---" * (2 + len(layers)) + "|",
        ]
        for label in _ordered(chosen):
            row = {cell.layer: cell for cell in chosen if cell.label == label}
            numbers = [_number(row.get(layer)) for layer in layers]
            if set(row) == {0}:
                numbers[0] = _number(row.get(0))
            runs = max(cell.runs for cell in row.values())
            lines.append(f"| {label} | {runs} | " + " | ".join(numbers) + " |")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _ordered(cells: list[Cell]) -> list[str]:
    """Labels in order of appearance, the comparisons last."""
    names = dict.fromkeys(cell.label for cell in cells)
    return sorted(names, key=lambda name: (_is_raw(name), name.startswith(RANDOM)))


def _is_raw(label: str) -> bool:
    return label.startswith(tuple(RAW.values()))


def _number(cell: Cell | None) -> str:
    if cell is None:
        return ""
    return f"{cell.mean:.1f}" + (f" ± {cell.sd:.1f}" if cell.sd is not None else "")


def _accuracy(cells: list[Cell], protocol: str, data: str, readout: str) -> Figure:
    chosen = [cell for cell in cells if cell.protocol == protocol]
    curves = []
    for label in _ordered(chosen):
        row = sorted((c for c in chosen if c.label == label and c.layer), key=lambda c: c.layer)
        if row:
            layers = [cell.layer for cell in row]
            curves.append(LayerCurve(label, layers, [cell.mean for cell in row], *_band(row)))
    raw = {cell.label: cell.mean for cell in chosen if _is_raw(cell.label)}
    return accuracy_per_layer(curves, raw, title=data, readout=readout, band=BAND)


def _learning(
    ends: list[Cell], curves: list[Cell], protocol: str, data: str, readout: str
) -> Figure:
    baselines: dict[str, dict[int, float]] = defaultdict(dict)
    for cell in ends:
        if cell.protocol == protocol and cell.label.startswith(RANDOM):
            baselines[cell.label][cell.layer] = cell.mean
    layers: dict[int, list[LearningCurve]] = defaultdict(list)
    grouped: dict[tuple[int, str], list[Cell]] = defaultdict(list)
    for cell in curves:
        if cell.protocol == protocol:
            grouped[cell.layer, cell.label].append(cell)
    for (layer, label), row in grouped.items():
        row.sort(key=lambda cell: cell.steps)
        steps = [cell.steps for cell in row]
        layers[layer].append(LearningCurve(label, steps, [cell.mean for cell in row], *_band(row)))
    return compared_curves(layers, baselines, title=data, readout=readout, band=BAND)


def _band(row: list[Cell]) -> tuple[list[float], list[float]] | tuple[None, None]:
    """Mean - sd and mean + sd of every cell; no band where no cell has a spread."""
    if all(cell.sd is None for cell in row):
        return None, None
    spreads = [cell.sd or 0.0 for cell in row]
    pairs = list(zip(row, spreads, strict=True))
    return [cell.mean - sd for cell, sd in pairs], [cell.mean + sd for cell, sd in pairs]
