"""N-MNIST in five folds over all recordings: CLAPP in both codes, its peers, a linear classifier on counts.

    python -m benchmarks.spiking_events --data DIR --out runs/spiking_events

DIR holds train and test recordings (`clapp_snn.stimuli.event_source`); both are pooled and dealt to folds.
A glance is one of the three micro-saccades. Networks learn without, or (`surrogate`, `espp`) with, labels
of the training folds; read-outs are trained on the training folds and see all three micro-saccades of a
recording. Seeds of weights and streams are the number of the fold.

The number of windows and CLAPP's learning rate were chosen in rate code on the training recordings of fold 0
alone, a quarter of them held out; with the digits' rate of 1e-3 area 2 fell below its start. Peers keep the
settings of the digits.

- `counts`: logistic regression on the event counts of every pixel (columns linear1, few1).
- `untrained`, `rate`, `n20`, `n100`: CLAPP in rate code, before and after learning, and in spikes with n
  expected events per unit of activity.
- `surrogate`, `espp`, `espp-fixations`: `benchmarks.spiking_peers`, in time steps of 10 ms.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.spiking_peers import PEERS, UNITS, Task, peer, report
from benchmarks.study import run_cells
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.evaluation.fast_probe import fast_probe
from clapp_snn.evaluation.few_shot import few_shot_probe
from clapp_snn.evaluation.spike_counts import cache_counts
from clapp_snn.evaluation.stream_probe import cache_glances
from clapp_snn.stimuli.event_camera import NMNIST
from clapp_snn.stimuli.event_counts import EventCounts
from clapp_snn.stimuli.event_source import open_recordings
from clapp_snn.stimuli.glances import GlanceStream
from clapp_snn.training.stream_build import build_network, open_objects
from clapp_snn.training.stream_config import StreamConfig
from clapp_snn.training.stream_learner import StreamLearner
from clapp_snn.training.stream_objects import StreamObjects
from clapp_snn.training.stream_session import StreamSession

FOLDS = 5
STEP = 10.0
"""Time step of the peers, in ms."""

CLAPP_RATE = 1e-4
CURVE = (0, 100, 300)
CONDITIONS = ("counts", "untrained", "rate", "n20", "n100", *PEERS)


def clapp_config(condition: str, data: Path, fold: int, windows: int) -> StreamConfig:
    """Of `rate`, `n20` or `n100`."""
    return StreamConfig(
        data="events",
        source=data,
        fold=fold,
        folds=FOLDS,
        neuron="rate" if condition == "rate" else "event_burst",
        copies=5 if condition == "n100" else 1,
        units=UNITS,
        learning_rate=CLAPP_RATE,
        windows=windows,
        seed=fold,
    )


def measure(condition: str, fold: int, folder: Path, data: Path, windows: int) -> dict[str, float]:
    """A cell; `folder` is not needed."""
    if condition == "counts":
        return counts(data, fold)
    if condition in PEERS:
        train, test = (
            EventCounts(part, "pooled", step=STEP) for part in open_recordings(data, fold, FOLDS)
        )
        return peer(condition, Task(train, test, NMNIST.addresses // 4, fold, windows, CURVE))
    if condition == "untrained":
        config = clapp_config("rate", data, fold, windows)
        return probes(build_network(config), open_objects(config), config)
    return clapp(clapp_config(condition, data, fold, windows))


def counts(data: Path, fold: int) -> dict[str, float]:
    """Linear and 5-shot accuracy on the counts of every pixel, and (0) of squares of 2 x 2 pixels."""
    parts = open_recordings(data, fold, FOLDS)
    values = {}
    for layer, resolution in enumerate(("pooled", "full")):
        train, test = (EventCounts(part, resolution) for part in parts)  # type: ignore[arg-type]
        cache = cache_counts(lambda seen: [], train, test, fold)
        values[f"linear{layer}"] = fast_probe(cache, fold)[0].accuracy
        values[f"few{layer}"] = few_shot_probe(cache, fold, shots=5, episodes=200)[0].accuracy
    return values


def clapp(config: StreamConfig) -> dict[str, float]:
    """Learn; learning curve of the last area, and final probes of all."""
    objects, network = open_objects(config), build_network(config)
    learner = StreamLearner(network, config.learning_rate, config.rule)
    stream = GlanceStream(objects.learn, range(config.batch), config.seed, config.p_saccade)
    session = StreamSession(learner, stream, config.seed, config.drawn)
    values: dict[str, float] = {}
    gate = [0.0] * len(config.units)
    while session.windows < config.windows:
        if session.windows in CURVE:
            values |= probes(network, objects, config, f"@{session.windows}")
        seen = session.advance()
        if seen is not None:
            gate = [total + area.gate for total, area in zip(gate, seen, strict=True)]
    for area, total in enumerate(gate, start=1):
        values[f"gate{area}"] = 100 * total / config.windows
    return values | probes(network, objects, config)


def probes(
    network: StreamHierarchy, objects: StreamObjects, config: StreamConfig, suffix: str = ""
) -> dict[str, float]:
    """Linear and 5-shot accuracy of the areas; with a suffix only of the last."""
    cache = cache_glances(network, objects.train, objects.test, config.seed, drawn=config.drawn)
    for layer in range(len(UNITS)) if suffix else [0]:
        del cache.train[layer], cache.test[layer]
    values = {f"linear{s.layer}{suffix}": s.accuracy for s in fast_probe(cache, config.seed)}
    for score in few_shot_probe(cache, config.seed, shots=5, episodes=200):
        values[f"few{score.layer}{suffix}"] = score.accuracy
    return values


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the cells that are missing, fold by fold, and print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)))
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS))
    parser.add_argument("--windows", type=int, default=1000)
    options = parser.parse_args(arguments)
    rows = run_cells(
        options.out,
        [(condition, fold) for fold in options.folds for condition in options.conditions],
        partial(measure, data=options.data, windows=options.windows),
        {"windows": options.windows, "folds": FOLDS},
        "benchmarks.spiking_events",
    )
    rows.sort(key=lambda row: CONDITIONS.index(row.condition))
    columns = ["linear1", "linear2", "few1", "few2", "own"]
    print(report(rows, columns, "rate", CURVE, overlap=1 / (FOLDS - 1)))


if __name__ == "__main__":
    main()
