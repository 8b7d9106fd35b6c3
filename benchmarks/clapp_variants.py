"""What else could an area do? Variants of CLAPP that stay local, beside the plain rule.

    python -m benchmarks.clapp_variants --data path/to/Imagenette-96 --seeds 1 2 3

Same encoder, images, saccades and initial weights for one seed; read-outs of all layers after learning, with
paired differences to the plain rule. Cells that are there are not measured again. Each variant is an `Area`
with another `compare`; what it needs beyond the plain rule is named in its docstring. Results, most of them
negative, are in docs/results.md ("A first try at a better rule").
"""

from collections import deque

import torch
from torch import Tensor

from benchmarks.conditions import read_out, study_conditions
from benchmarks.short_run import SINGLE, learn
from clapp_snn.circuit.area import Area
from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.commands.train import data_of
from clapp_snn.evaluation.interfaces import standard_views
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


def measure(config: TrainConfig, variant: str, steps: int) -> dict[str, float]:
    """Learn, then read out."""
    device = SINGLE.device
    dataset = data_of(config)
    network, _ = build_hierarchy(config, device, len(dataset.class_names))
    replace_areas(network, VARIANTS[variant])
    learner = LocalLearner(network, config.learning_rate, config.samples_in_group, SINGLE)
    reports = learn(config, dataset.unlabeled, learner, steps)
    losses = deque(([float(area.loss) for area in step] for step in reports), LAST)
    network.requires_grad_(False)
    return read_out(network.encoder, dataset, standard_views(), losses)


def main() -> None:
    """Measure what is missing, print a table for each read-out."""
    study_conditions(
        "clapp_variants", __doc__.splitlines()[0], VARIANTS, measure, ["clapp", "clapp-s"]
    )


if __name__ == "__main__":
    main()
