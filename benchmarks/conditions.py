"""Studies of forms of a rule on images: one command line, read-outs of all layers, a table for each."""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch

from benchmarks.short_run import SINGLE
from benchmarks.study import run_cells, summary_table
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.evaluation.interfaces import ImageDataset, Views
from clapp_snn.evaluation.run_probes import probe_encoder
from clapp_snn.training.config import TrainConfig

PROBES = ("fast", "few-shot")
Measure = Callable[[TrainConfig, str, int], Mapping[str, float]]
"""From settings, condition and steps to the values of `read_out`."""


def read_out(
    encoder: Encoder, dataset: ImageDataset, views: Views, losses: Iterable[Iterable[float]]
) -> dict[str, float]:
    """What a study keeps of a run, "loss 1", "fast 1" and "few-shot 1" by layer.

    Args:
        encoder: after learning.
        dataset: whose labelled images are read out.
        views: of the images.
        losses: of every layer in the last steps; their means are kept.
    """
    last = torch.tensor([list(step) for step in losses]).mean(0).tolist()
    found = {f"loss {layer}": loss for layer, loss in enumerate(last, 1)}
    scores = probe_encoder(encoder, dataset, PROBES, 0, SINGLE.device, None, views)
    for name, each in scores.items():
        found |= {f"{name} {score.layer}": score.accuracy for score in each}
    return found


def study_conditions(
    module: str, about: str, conditions: Iterable[str], measure: Measure, methods: Sequence[str]
) -> None:
    """The command of a study: measure what is missing, print a table for each read-out.

    Args:
        module: name of the benchmark; names the command and the default folder.
        about: first line of its help.
        conditions: all there are; the first chosen one is what the others are compared with.
        measure: learns and reads out one condition.
        methods: that it can be asked for, the default first.
    """
    names = list(conditions)
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--data", default="photographs", help="as for training")
    parser.add_argument("--out", type=Path, default=Path("runs") / module)
    parser.add_argument("--conditions", nargs="+", choices=names, default=names)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--method", choices=methods, default=methods[0])
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    options = parser.parse_args()

    def cell(condition: str, seed: int, _: Path) -> Mapping[str, float]:
        config = TrainConfig(
            method=options.method, data=options.data, width=options.width, batch=options.batch,
            learning_rate=options.learning_rate, seed=seed,
        )  # fmt: skip
        return measure(config, condition, options.steps)

    free = ("out", "seeds", "conditions")
    settings = {k: v for k, v in vars(options).items() if k not in free}
    cells = [(name, seed) for seed in options.seeds for name in options.conditions]
    rows = run_cells(options.out, cells, cell, settings, f"benchmarks.{module}")
    for kind in (*PROBES, "loss"):
        columns = [name for name in rows[0].values if name.startswith(kind)]
        print(f"\n{summary_table(rows, columns, options.conditions[0])}", flush=True)
