"""Other ways to train spiking networks, on the presentations of spiking CLAPP: digits.

    python -m benchmarks.spiking_peers --out runs/spiking_peers --seeds 1 2 3 --beside runs/spiking_digits

- `surrogate`: supervised, surrogate gradients through time, snnTorch (the upper bound).
- `espp`: EchoSpike predictive plasticity, its phases chosen by labels, as published.
- `espp-fixations`: the same rule on CLAPP's own stream, without labels.

Layers of 128 leaky integrate-and-fire neurons; a glance is 10 time steps, digits are Poisson spikes. Columns
are those of `benchmarks.spiking_digits`, whose cells `--beside` puts into the same table.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from benchmarks.study import CELLS, Row, read_cell, run_cells, summary_table
from clapp_snn.evaluation.fast_probe import fast_probe
from clapp_snn.evaluation.few_shot import few_shot_probe
from clapp_snn.evaluation.spike_counts import Counts, cache_counts, count_features
from clapp_snn.evaluation.surrogate_supervised import SurrogateNetwork, train_supervised
from clapp_snn.stimuli.class_stream import ClassStream
from clapp_snn.stimuli.digits import open_digits
from clapp_snn.stimuli.glances import GlanceStream, Inspectable
from clapp_snn.stimuli.spike_glances import EncodedGlances
from clapp_snn.training.echospike import EchoSpikeNetwork, EchoSpikeSettings

PEERS = ("surrogate", "espp", "espp-fixations")
UNITS = (128, 128)
BATCH = 32
SURROGATE_RATE = 3e-3
ESPP_RATE = 1.0
"""Learning rates: the best of those tried on 300 of the 1200 training digits of seed 0, kept for all data."""

CURVE = (0, 100, 300, 1000, 2000, 3500)


@dataclass(frozen=True)
class Task:
    """What a network learns from and is tested on.

    Attributes:
        train, test: seen as spikes or counts in time.
        inputs: of the network.
        seed: of weights, stream and probe.
        windows: glances of each of 32 samples.
        curve: windows after which the last layer is probed.
    """

    train: Inspectable
    test: Inspectable
    inputs: int
    seed: int
    windows: int
    curve: Sequence[int] = CURVE


def probes(counts: Counts, task: Task, suffix: str = "") -> dict[str, float]:
    """Linear and 5-shot accuracy of the layers; with a suffix only of the last."""
    cache = cache_counts(counts, task.train, task.test, task.seed)
    for layer in range(len(UNITS)) if suffix else [0]:
        del cache.train[layer], cache.test[layer]
    values = {f"linear{s.layer}{suffix}": s.accuracy for s in fast_probe(cache, task.seed)}
    for score in few_shot_probe(cache, task.seed, shots=5, episodes=200):
        values[f"few{score.layer}{suffix}"] = score.accuracy
    return values


def peer(condition: str, task: Task) -> dict[str, float]:
    """A cell: learning curve and final probes of one of `PEERS`."""
    if condition == "surrogate":
        return _surrogate(task)
    return _echospike(task, "labels" if condition == "espp" else "fixations")


def _surrogate(task: Task) -> dict[str, float]:
    assert task.train.labels is not None
    classes = int(task.train.labels.max()) + 1
    network = SurrogateNetwork((task.inputs, *UNITS), classes, task.seed)
    stream = GlanceStream(task.train, range(BATCH), task.seed)
    values = probes(network.counts, task, "@0")
    steps = train_supervised(network, stream, task.windows, SURROGATE_RATE)
    for done, _ in enumerate(steps, start=1):
        if done in task.curve and done < task.windows:
            values |= probes(network.counts, task, f"@{done}")
    return values | probes(network.counts, task) | {"own": own_accuracy(network, task)}


def own_accuracy(network: SurrogateNetwork, task: Task) -> float:
    """Test accuracy of the network's own read-out, in percent, on the looks of the probe."""
    assert task.test.labels is not None
    indices = torch.arange(len(task.test)).repeat(3 if task.test.looks == 1 else 1)
    counts = count_features(network.counts, task.test, indices, task.seed, "test")[-1]
    with torch.no_grad():
        guess = network.readout(counts).argmax(1)
    return 100 * float((guess == task.test.labels[indices]).double().mean())


def _echospike(task: Task, order: Literal["labels", "fixations"]) -> dict[str, float]:
    settings = EchoSpikeSettings(learning_rate=ESPP_RATE)
    network = EchoSpikeNetwork((task.inputs, *UNITS), task.seed, settings)
    make = ClassStream if order == "labels" else GlanceStream
    stream = make(task.train, range(BATCH), task.seed)
    position, states = stream.start(), network.initial_state(BATCH)
    values: dict[str, float] = {}
    taught = [0.0] * len(UNITS)
    for done in range(task.windows):
        if done in task.curve:
            values |= probes(network.counts, task, f"@{done}")
        glance, position = stream.next(position)
        states, shares = network.learn(glance.view, glance.y, states)
        taught = [a + b for a, b in zip(taught, shares, strict=True)]
    values |= probes(network.counts, task)
    for layer, total in enumerate(taught, start=1):
        values[f"gate{layer}"] = 100 * total / task.windows
    return values


def digits(seed: int, windows: int) -> Task:
    """The embedded digits, split and jittered as in `benchmarks.spiking_digits`."""
    found = open_digits(seed)
    return Task(EncodedGlances(found.train), EncodedGlances(found.test), 64, seed, windows)


def measure(condition: str, seed: int, folder: Path, windows: int) -> dict[str, float]:
    """A cell on digits; `folder` is not needed."""
    return peer(condition, digits(seed, windows))


def cells_beside(folder: Path | None, conditions: Sequence[str], seeds: Sequence[int]) -> list[Row]:
    """Cells of another study that are there."""
    if folder is None:
        return []
    paths = [folder / CELLS / f"{name}-s{seed}.json" for name in conditions for seed in seeds]
    return [read_cell(path) for path in paths if path.exists()]


def curve_table(rows: Sequence[Row], column: str, points: Sequence[int]) -> str:
    """Markdown: mean of `column` over seeds after each number of windows; the last column is the end."""
    lines = [
        f"| condition | {' | '.join(map(str, points))} | end |",
        "|---" * (len(points) + 2) + "|",
    ]
    for condition in dict.fromkeys(row.condition for row in rows):
        mine = [row.values for row in rows if row.condition == condition]
        cells = []
        for name in [*(f"{column}@{point}" for point in points), column]:
            found = [values[name] for values in mine if name in values]
            cells.append(f"{sum(found) / len(found):.1f}" if found else "-")
        lines.append(f"| {condition} | {' | '.join(cells)} |")
    return "\n".join(lines)


def with_untrained(rows: Sequence[Row]) -> list[Row]:
    """Before each condition the networks that it started from, known by the first point of their curve."""
    result = []
    for condition in dict.fromkeys(row.condition for row in rows):
        mine = [row for row in rows if row.condition == condition]
        for row in mine:
            start = {k.removesuffix("@0"): v for k, v in row.values.items() if k.endswith("@0")}
            if start:
                result.append(Row(f"{condition}, untrained", row.seed, start, 0.0))
        result += mine
    return result


def report(
    rows: Sequence[Row],
    columns: Sequence[str],
    reference: str,
    curve: Sequence[int],
    overlap: float = 0.0,
) -> str:
    """Table of ends, compared with the reference where it is there, and the learning curve.

    `overlap`: of folds (`benchmarks.study.paired_interval`).
    """
    known = any(row.condition == reference for row in rows)
    table = summary_table(with_untrained(rows), columns, reference if known else None, overlap)
    return (
        f"{table}\n\nLinear accuracy of area {len(UNITS)} after so many windows:\n\n"
        + curve_table(rows, f"linear{len(UNITS)}", curve)
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the cells that are missing, and print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--conditions", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--windows", type=int, default=6000)
    parser.add_argument("--beside", type=Path, help="folder of benchmarks.spiking_digits")
    options = parser.parse_args(arguments)
    cells = [(condition, seed) for seed in options.seeds for condition in options.conditions]
    made: Callable[[str, int, Path], dict[str, float]] = partial(measure, windows=options.windows)
    rows = run_cells(
        options.out, cells, made, {"windows": options.windows}, "benchmarks.spiking_peers"
    )
    rows = [*cells_beside(options.beside, ("rate", "n20", "n100"), options.seeds), *rows]
    print(report(rows, ["linear1", "linear2", "few2", "own"], "rate", CURVE))


if __name__ == "__main__":
    main()
