"""Tables and learning curves of `local_learners`, from the cells that are there."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.study import CELLS, SETTINGS, Row, read_cell, values_of
from clapp_snn.figures import style
from clapp_snn.figures.labelled_curves import labelled_curves
from clapp_snn.figures.learning_curves import LearningCurve
from clapp_snn.files import write_text
from clapp_snn.methods import get_method
from clapp_snn.methods.locality import Locality, locality
from clapp_snn.stimuli.spec import data_name

TEXT = "comparison.md"
FIGURES = {"fast": "curves.png", "few-shot": "curves_few_shot.png"}
READOUTS = {"fast": "linear probe", "few-shot": "5-shot nearest class mean"}
RANDOM = "random"


def collect(out: Path, order: Sequence[str]) -> str:
    """Write out/comparison.md and the learning curves (FIGURES), and return the text.

    Args:
        out: folder of the bench.
        order: of the methods; those it does not name come last.

    Raises FileNotFoundError when nothing was measured yet.
    """
    rows = [read_cell(path) for path in sorted((out / CELLS).glob("*.json"))]
    if not rows:
        raise FileNotFoundError(f"{out} holds no measured cells; run the bench first.")
    found = {row.condition for row in rows}
    methods = [m for m in order if m in found] + sorted(found - set(order))
    settings = json.loads((out / SETTINGS).read_text(encoding="utf-8"))
    data = data_name(settings["data"])
    parts = [
        f"{data}, width {settings['width']:g}, batch {settings['batch']}, {settings['steps']} steps, Adam "
        f"{settings['learning_rate']:g}; mean over seeds, lowest to highest in brackets."
    ]
    for protocol, readout in READOUTS.items():
        parts += [f"Test accuracy in percent, {readout}:", accuracy_table(rows, methods, protocol)]
    for protocol, readout in READOUTS.items():
        head = f"After so many steps, in the layer that is best at the end, {readout} (%):"
        parts += [head, curve_table(rows, methods, protocol)]
    parts += ["Cost of a step:", cost_table(rows, methods)]
    parts += ["What the update of a feedforward synapse needs to know:", locality_table(methods)]
    parts += [
        "What the papers report, with their own networks, data and read-outs (%):",
        reported_table(methods),
    ]
    text = "\n\n".join(parts) + "\n"
    write_text(out / TEXT, text)
    for protocol, name in FIGURES.items():
        found_curves = [curve(rows, method, protocol) for method in methods]
        figure = labelled_curves(found_curves, title=data, readout=READOUTS[protocol])
        style.save(figure, out / name)
    return text


def probed_steps(rows: Sequence[Row], method: str) -> list[int]:
    """Steps after which a method was probed, rising."""
    names = next(row.values for row in rows if row.condition == method)
    return sorted({int(name.split(" at ")[1]) for name in names if " at " in name})


def layers(rows: Sequence[Row], method: str) -> list[int]:
    """Layers that were probed."""
    names = next(row.values for row in rows if row.condition == method)
    return sorted({int(n.split()[1]) for n in names if n.startswith("fast ")})


def accuracies(
    rows: Sequence[Row], method: str, protocol: str, layer: int, step: int
) -> list[float]:
    """Percent, one value a seed."""
    return list(values_of(rows, method, f"{protocol} {layer} at {step}").values())


def best_layer(rows: Sequence[Row], method: str, protocol: str) -> int:
    """The layer with the highest mean at the end."""
    step = probed_steps(rows, method)[-1]

    def mean(layer: int) -> float:
        return statistics.fmean(accuracies(rows, method, protocol, layer, step))

    return max(layers(rows, method), key=mean)


def accuracy_table(rows: Sequence[Row], methods: Sequence[str], protocol: str) -> str:
    """Every layer at the end; the best one, and what it gained over the same layer before learning."""
    every = layers(rows, methods[0])
    heads = ["method", "seeds", *(f"layer {layer}" for layer in every), "best", "gain of the best"]
    table = []
    for method in methods:
        step, best = probed_steps(rows, method)[-1], best_layer(rows, method, protocol)
        ends = {k: accuracies(rows, method, protocol, k, step) for k in every}
        start = accuracies(rows, method, protocol, best, 0)
        gain = statistics.fmean(ends[best]) - statistics.fmean(start)
        table.append(
            [
                get_method(method).title,
                str(len(ends[best])),
                *(spread_of(values) for values in ends.values()),
                f"{statistics.fmean(ends[best]):.1f} (layer {best})",
                "-" if method == RANDOM else f"{gain:+.1f}",
            ]
        )
    return markdown(heads, table)


def cost_table(rows: Sequence[Row], methods: Sequence[str]) -> str:
    """Of the quickest of all cells: the machine may have had other work beside the others.

    One column compares the CPU time with that of the first method that learns.
    """
    table: list[list[str]] = []
    first = 0.0
    for method in methods:
        record = get_method(method)
        if record.task == "none":
            continue

        def of(name: str, method: str = method) -> list[float]:
            return list(values_of(rows, method, name).values())

        cpu = min(of("CPU ms/image"))
        first = first or cpu
        table.append(
            [
                record.title,
                "explicit" if record.explicit else "back-propagation",
                f"{max(of('images/s')):.0f}",
                f"{cpu:.2f}",
                f"{cpu / first:.2f}",
                f"{of('weights MiB')[0]:.1f}",
                f"{of('step MiB')[0]:.1f}",
            ]
        )
    heads = [
        "method", "update", "images/s", "CPU ms/image", "CPU, first row = 1", "weights MiB",
        "held in a step MiB",
    ]  # fmt: skip
    return markdown(heads, table)


def locality_table(methods: Sequence[str]) -> str:
    """From `clapp_snn.methods.locality`."""
    records = [get_method(method) for method in methods]
    return markdown(["method", *Locality._fields], [[r.title, *locality(r)] for r in records])


def reported_table(methods: Sequence[str]) -> str:
    """From the method table."""
    records = [get_method(method) for method in methods]
    table = [[r.title, f"{r.reported:g}", r.source] for r in records if r.reported is not None]
    return markdown(["method", "reported", "source"], table)


def curve_table(rows: Sequence[Row], methods: Sequence[str], protocol: str) -> str:
    """The layer that is best at the end, after every number of steps that was probed; means over seeds."""
    steps = sorted({step for method in methods for step in probed_steps(rows, method)})
    table = []
    for method in methods:
        layer = best_layer(rows, method, protocol)
        found = [accuracies(rows, method, protocol, layer, step) for step in steps]
        means = [f"{statistics.fmean(values):.1f}" if values else "-" for values in found]
        table.append([get_method(method).title, str(layer), *means])
    return markdown(["method", "layer", *map(str, steps)], table)


def curve(rows: Sequence[Row], method: str, protocol: str) -> LearningCurve:
    """Of the layer that is best at the end; mean and range over seeds."""
    layer, steps = best_layer(rows, method, protocol), probed_steps(rows, method)
    points = [accuracies(rows, method, protocol, layer, step) for step in steps]
    several = len(points[0]) > 1
    return LearningCurve(
        f"{method}, layer {layer}",
        steps,
        [statistics.fmean(values) for values in points],
        [min(values) for values in points] if several else None,
        [max(values) for values in points] if several else None,
    )


def spread_of(values: Sequence[float]) -> str:
    """Mean and range."""
    mean = f"{statistics.fmean(values):.1f}"
    return f"{mean} ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else mean


def markdown(heads: Sequence[str], table: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [heads, ["---"] * len(heads), *table]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
