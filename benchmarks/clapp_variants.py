"""What else could an area do? Variants of CLAPP that stay local, beside the plain rule.

    python -m benchmarks.clapp_variants --data path/to/Imagenette-96 --out runs/variants --seeds 1 2 3

Same encoder, images, saccades and initial weights for one seed; read-outs of all layers after learning, with
paired differences to the plain rule. Cells that are there are not measured again. Each variant is an `Area`
with another `compare`; what it needs beyond the plain rule is named in its docstring. Results, most of them
negative, are in docs/results.md ("Can we do better?").
"""

import argparse
from collections import deque
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.short_run import SINGLE, learn
from benchmarks.study import run_cells, summary_table
from clapp_snn.circuit.area import Area
from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.commands.train import data_of
from clapp_snn.evaluation.interfaces import standard_views
from clapp_snn.evaluation.run_probes import probe_encoder
from clapp_snn.functional.engine import Engine
from clapp_snn.functional.plasticity import AreaSignals, Cells
from clapp_snn.functional.saccades import Draw
from clapp_snn.training.build import build_hierarchy
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.learner import LocalLearner

RATE = 0.01
"""Of slow averages, a step."""

LAST = 200
"""Steps over which final losses are averaged."""


class SlowMoments:
    """Mean and variance of every neuron over some hundred steps: what one neuron knows of itself."""

    def __init__(self) -> None:
        self.mean: Tensor | None = None
        self.variance: Tensor | None = None

    def update(self, z: Cells) -> tuple[Tensor, Tensor]:
        """Moments before these cells (those of the first cells at first), which then enter."""
        variance, mean = torch.var_mean(z.flatten(0, -2), 0)
        if self.mean is None or self.variance is None:
            self.mean, self.variance = mean, variance
        before = self.mean, self.variance
        self.mean = torch.lerp(self.mean, mean, RATE)
        self.variance = torch.lerp(self.variance, variance, RATE)
        return before


class Centred(Area):
    """Score and plasticity know deviations from every neuron's slow mean: u = (z - m)^T W_pred (c - m).

    Hypothesis: what all patches share makes every score large and teaches nothing.
    """

    moments: SlowMoments | None = None

    def compare(
        self, z: Cells, c: Cells, draws: list[Draw], engine: Engine = "torch"
    ) -> AreaSignals:
        """Needs the slow mean of the neuron itself; context from the own area only."""
        self.moments = self.moments or SlowMoments()
        mean, _ = self.moments.update(z)
        away = z - mean
        return super().compare(away, away, draws, engine)


class Spread(Area):
    """A Hebbian term pushes every neuron away from its slow mean, as strongly as its variance is small.

    Hypothesis: the linear read-out falls early because areas give up variance that the task does not need.
    The term is the slope of `STRENGTH / (2 C) sum_j log(var_j)`, as in LPL (10.1038/s41593-023-01460-y).
    """

    STRENGTH = 3.0
    FLOOR = 1e-3
    moments: SlowMoments | None = None

    def compare(
        self, z: Cells, c: Cells, draws: list[Draw], engine: Engine = "torch"
    ) -> AreaSignals:
        """Needs slow mean and variance of the neuron itself."""
        self.moments = self.moments or SlowMoments()
        mean, slow = self.moments.update(z)
        flat = z.flatten(0, -2)
        variance = torch.maximum(slow, flat.var(0)) + self.FLOOR
        signals = super().compare(z, c, draws, engine)
        signals.target.add_((z - mean) / (variance * flat.numel()), alpha=self.STRENGTH)
        return signals


class LongContext(Area):
    """Context is the mean of all fixations of the path so far, not the one that is some steps back.

    Hypothesis: a longer look predicts better, so there is more to learn from.
    """

    def compare(
        self, z: Cells, c: Cells, draws: list[Draw], engine: Engine = "torch"
    ) -> AreaSignals:
        """Needs a trace of the own activity, and an eligibility trace where the context side learns."""
        seen = torch.arange(1, c.shape[1] + 1, dtype=c.dtype, device=c.device).view(1, -1, 1, 1, 1)
        signals = super().compare(z, (c.cumsum(1) / seen).contiguous(), draws, engine)
        if signals.context is None:
            return signals
        back = (signals.context / seen).flip(1).cumsum(1).flip(1)
        return signals._replace(context=back)


VARIANTS: dict[str, type[Area]] = {
    "plain": Area,
    "centred": Centred,
    "spread": Spread,
    "long-context": LongContext,
}


def replace_areas(network: Hierarchy, kind: type[Area]) -> None:
    """Areas of another kind with the same weights."""
    for index in range(len(network.areas)):
        area = network.area(index)
        _, z, c = area.W_pred.shape
        new = kind(z, c, area.objective).to(area.W_pred.device)
        new.load_state_dict(area.state_dict())
        network.areas[index] = new


def measure(config: TrainConfig, steps: int, kind: type[Area]) -> dict[str, float]:
    """Learn, then read out: accuracy in percent by probe and layer, and the last losses."""
    device = SINGLE.device
    dataset = data_of(config)
    network, _ = build_hierarchy(config, device, len(dataset.class_names))
    replace_areas(network, kind)
    learner = LocalLearner(network, config.learning_rate, config.samples_in_group, SINGLE)
    reports = learn(config, dataset.unlabeled, learner, steps)
    losses = deque(([float(area.loss) for area in step] for step in reports), LAST)
    network.requires_grad_(False)
    views = standard_views()
    scores = probe_encoder(network.encoder, dataset, ["fast", "few-shot"], 0, device, None, views)
    last = torch.tensor(list(losses)).mean(0).tolist()
    found = {f"loss {layer}": loss for layer, loss in enumerate(last, 1)}
    for name, each in scores.items():
        found |= {f"{name} {score.layer}": score.accuracy for score in each}
    return found


def main() -> None:
    """Measure what is missing, print a table for each probe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="photographs", help="as for training")
    parser.add_argument("--out", type=Path, default=Path("runs/variants"))
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--method", default="clapp")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    options = parser.parse_args()

    def cell(variant: str, seed: int, _: Path) -> dict[str, float]:
        config = TrainConfig(
            method=options.method, data=options.data, width=options.width, batch=options.batch,
            learning_rate=options.learning_rate, seed=seed,
        )  # fmt: skip
        return measure(config, options.steps, VARIANTS[variant])

    free = ("out", "seeds", "variants")
    settings = {k: v for k, v in vars(options).items() if k not in free}
    cells = [(name, seed) for seed in options.seeds for name in options.variants]
    rows = run_cells(options.out, cells, cell, settings, "benchmarks.clapp_variants")
    for kind in ("fast", "few-shot", "loss"):
        columns = [name for name in rows[0].values if name.startswith(kind)]
        print(f"\n{summary_table(rows, columns, options.variants[0])}", flush=True)


if __name__ == "__main__":
    main()
