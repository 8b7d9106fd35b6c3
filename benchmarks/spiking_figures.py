"""Figures of `spiking_digits`."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.study import Row, compare, values_of
from clapp_snn.figures import style
from clapp_snn.figures.accuracy_per_layer import LayerCurve, accuracy_per_layer
from clapp_snn.figures.compared_curves import compared_curves
from clapp_snn.figures.learning_curves import LearningCurve
from clapp_snn.figures.paired_differences import PairedDifference, paired_differences
from clapp_snn.figures.spike_budget import BudgetPoint, spike_budget

LABELS = {"rate": "rate mode", "n20": "spikes, n = 20", "n100": "spikes, n = 100"}
QUANTITIES = {
    "linear1": "linear, area 1",
    "few1": "5-shot, area 1",
    "linear2": "linear, area 2",
    "few2": "5-shot, area 2",
}
BAND = "mean ± sd over seeds"


def mean_and_sd(rows: Sequence[Row], condition: str, column: str) -> tuple[float, float]:
    """Over seeds."""
    values = list(values_of(rows, condition, column).values())
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def learning(rows: Sequence[Row], windows: int, path: Path) -> None:
    """Linear accuracy of both areas against glances; the level is the untrained network in rate mode."""
    layers: dict[int, list[LearningCurve]] = {1: [], 2: []}
    for area, curves in layers.items():
        for condition, label in LABELS.items():
            name = f"linear{area}"
            found = next(row.values for row in rows if row.condition == condition)
            at = sorted(int(k.split("@")[1]) for k in found if k.startswith(f"{name}@"))
            columns = {**{w: f"{name}@{w}" for w in at}, windows: name}
            points = [mean_and_sd(rows, condition, column) for column in columns.values()]
            low, high = ([m + sign * sd for m, sd in points] for sign in (-1, 1))
            curves.append(LearningCurve(label, list(columns), [m for m, _ in points], low, high))
    start = {area: mean_and_sd(rows, "rate", f"linear{area}@0")[0] for area in layers}
    title = "Digits: spiking and rate CLAPP on the same glances"
    figure = compared_curves(
        layers,
        {"random init": start},
        title,
        band=BAND,
        stage="area",
        steps="windows of 32 glances",
    )
    style.save(figure, path)


def budget(rows: Sequence[Row], path: Path) -> None:
    """Accuracy and gate errors against n."""
    points = []
    for condition in dict.fromkeys(row.condition for row in rows if "n" in row.values):
        accuracy, spread = mean_and_sd(rows, condition, "linear2")
        n = mean_and_sd(rows, condition, "n")[0]
        kind = "1 neuron, 20 Hz, longer windows"
        if "rho" in condition:
            kind = "100 Hz, 200 ms"
        elif "copies" in condition or condition == "n100":
            kind = "5 neurons"
        errors = [mean_and_sd(rows, condition, f"gate_error{area}")[0] for area in (1, 2)]
        points.append(BudgetPoint(n, kind, accuracy, spread, errors))
    level = mean_and_sd(rows, "rate", "linear2")
    title = "Spike budget on digits (right: full markers area 1, open markers area 2)"
    style.save(spike_budget(points, *level, title), path)


def depth(rows: Sequence[Row], path: Path) -> None:
    """5-shot accuracy by area."""
    curves = []
    areas = range(1, 5)
    for condition, label in LABELS.items():
        for suffix, name in (("@0", f"random, {label}"), ("", label)):
            points = [
                mean_and_sd(rows, f"{condition}-deep", f"few{area}{suffix}") for area in areas
            ]
            low, high = ([m + sign * sd for m, sd in points] for sign in (-1, 1))
            curves.append(LayerCurve(name, list(areas), [m for m, _ in points], low, high))
    pixels = mean_and_sd(rows, "rate-deep", "few0")[0]
    figure = accuracy_per_layer(curves, {"raw pixels": pixels}, readout="5-shot probe", band=BAND)
    style.save(figure, path)


def ablations(rows: Sequence[Row], references: Mapping[str, str], path: Path) -> None:
    """Differences of every ablation to its reference."""
    there = {row.condition for row in rows}
    bars = [
        PairedDifference(condition, label, *compare(rows, column, condition, reference))
        for condition, reference in references.items()
        if condition in there
        for column, label in QUANTITIES.items()
    ]
    style.save(paired_differences(bars, "Digits: ablated minus intact"), path)
