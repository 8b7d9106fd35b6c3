"""Does prediction help competition? SoftHebb with an apical bias of its plasticity, beside plain SoftHebb.

    python -m benchmarks.predictive_competition --data path/to/Imagenette-96 --seeds 1 2 3

SoftHebb learns the best features of all local rules here and knows nothing of what stays when the view
changes; CLAPP++ knows it and learns worse features. Hypothesis: what the context predicts is worth learning,
so a neuron whose apical dendrite predicts it should win the competition for plasticity (never that for the
output) more easily, and after a saccade less easily:

    y = softmax((u + strength b) / tau)      b = sum over pairs of gamma (W_pred c), scaled to the rms of u

with W_pred, gamma and the two random views of every image as in CLAPP++ (windows of a map, saccade to the
next image). All else is SoftHebb. A synapse needs its own activity, the lateral competition, the apical input
of its neuron and the broadcast gamma. Conditions: "plain" is SoftHebb on the same views, "bias-S" has
strength S, "shuffled-S" gives every view the bias of another image, which is as large and predicts nothing.
"""

import argparse
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Adam

from benchmarks.short_run import SINGLE
from benchmarks.study import run_cells, summary_table
from clapp_snn.circuit.map_area import MapArea
from clapp_snn.circuit.soft_hebb import PUBLISHED, SoftHebbEncoder, scaled
from clapp_snn.commands.train import data_of
from clapp_snn.encoders.vgg import VGG6_WHOLE
from clapp_snn.evaluation.interfaces import standard_views
from clapp_snn.evaluation.run_probes import probe_encoder
from clapp_snn.functional.competition import by_channel
from clapp_snn.functional.convolution import window_means
from clapp_snn.functional.map_score import (
    draw_map_saccades,
    group_views,
    map_signals,
    ungroup_views,
)
from clapp_snn.methods.local_learners import WINDOWS
from clapp_snn.randomness import generator
from clapp_snn.training.batches import Plan
from clapp_snn.training.build import choose_engine
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.view_pairs import ViewPairs

TOGETHER = 2
"""Views whose plastic signals are held at once."""

STRENGTHS = {"plain": 0.0, "bias-1": 1.0, "bias-3": 3.0, "bias-10": 10.0, "shuffled-3": 3.0}
"""Of the bias in every condition."""


class BiasedSoftHebb:
    """SoftHebb on pairs of views, with an apical prediction for every layer.

    Args:
        width: of the encoder.
        seed: of all weights.
        strength: of the bias, in units of the rms of the summed inputs of a layer.
        shuffled: whether every view gets the bias of the following one.
        learning_rate: of the apical weights (Adam).
    """

    def __init__(
        self,
        width: float,
        seed: int,
        strength: float,
        *,
        shuffled: bool,
        learning_rate: float = 1e-3,
    ) -> None:
        self.encoder = SoftHebbEncoder(VGG6_WHOLE, width)
        self.encoder.reset_parameters(generator(seed, "init", "encoder"))
        self.encoder.requires_grad_(False)
        self.strength, self.shuffled = strength, shuffled
        side, self.areas = VGG6_WHOLE.patch, []
        for index, window in enumerate(WINDOWS.windows):
            assert window is not None
            side = side // 2 if self.encoder.layer(index).pool else side
            size = (side // window) ** 2 * self.encoder.channels[index]
            self.areas.append(MapArea(size, size, "same"))
            self.areas[-1].reset_parameters(generator(seed, "init", "area", index))
        matrices = [matrix for area in self.areas for matrix in area.matrices()]
        self.optimizer = Adam(matrices, lr=learning_rate)

    @torch.no_grad()
    def step(self, views: Float[Tensor, "view channel row col"], group: int) -> list[list[float]]:
        """Learn from the first views of all images, followed by their second views.

        Returns the hinge loss, the share of open gates and the mean distance of norms from 1, of every layer.
        """
        x, reports = self.encoder.patches(views), []
        for index in range(len(self.areas)):
            x, report = self._layer(index, x, group)
            reports.append(report)
        self.optimizer.step()
        return reports

    def _layer(self, index: int, x: Tensor, group: int) -> tuple[Tensor, list[float]]:
        """Output of a layer, whose feedforward weights move and whose apical weights get their gradient."""
        encoder, weight = self.encoder, self.encoder.layer(index).weight
        seen = encoder.normalise(index, by_channel(x), learn=True).split(TOGETHER)
        inputs = [encoder.sum_inputs(index, each) for each in seen]
        output = torch.cat([encoder.fire(index, u) for u in inputs])
        bias, loss, gate = self._predict(index, output, group)
        count = sum(u.numel() for u in inputs)
        rms = (sum(torch.linalg.vector_norm(u).square() for u in inputs) / count) ** 0.5
        change = torch.zeros_like(weight)
        for part, u, pull in zip(seen, inputs, (rms * bias).split(TOGETHER), strict=True):
            whole = None
            if self.strength:
                whole = pull.repeat_interleave(u.shape[2] // pull.shape[1], 1)
                whole = by_channel(whole.repeat_interleave(u.shape[3] // pull.shape[2], 2))
            change += encoder.change(index, part, u, whole)
        step, apart = scaled(index, weight, change)
        weight.add_(step, alpha=PUBLISHED)
        return output, [loss, gate, float(apart)]

    def _predict(
        self, index: int, output: Tensor, group: int
    ) -> tuple[Float[Tensor, "view winrow wincol channel"], float, float]:
        """The bias of every neuron and window, of rms `strength` where all gates are open; W_pred learns."""
        windows = window_means(output, WINDOWS.windows[index])
        flat = group_views(windows, group)
        # A gain of the whole area keeps scores of order one while the weights shrink from norm 25 to 1.
        size = flat.shape[-1]
        flat = flat * (size**0.25 / flat.norm(dim=-1).mean().clamp(min=1e-12))
        (matrix,) = self.areas[index].matrices()
        landing = draw_map_saccades(WINDOWS, [torch.Generator()] * len(flat), group)
        signals = map_signals(flat, flat, matrix, landing)
        matrix.grad = -signals.W
        apical = flat @ matrix.transpose(0, 1)
        felt = signals.target * (self.strength / apical.square().mean().sqrt().clamp(min=1e-12))
        if self.shuffled:
            felt = felt.roll(1, 1)
        return ungroup_views(felt, windows.shape), float(signals.loss), float(signals.gate)


def measure(config: TrainConfig, condition: str, steps: int, every: int) -> dict[str, float]:
    """Learn, then read out: accuracy in percent by probe and layer; prints losses on the way."""
    dataset = data_of(config)
    learner = BiasedSoftHebb(
        config.width, config.seed, STRENGTHS[condition], shuffled=condition.startswith("shuffled"),
        learning_rate=config.learning_rate,
    )  # fmt: skip
    learner.encoder.engine, _ = choose_engine(config, SINGLE.device, explicit=True)
    group = config.samples_in_group
    plan = Plan(len(dataset.unlabeled), config.batch, group, 0, 1, config.seed)
    batches = ViewPairs(dataset.unlabeled, plan, VGG6_WHOLE.image, True, SINGLE.device)
    reports: list[list[list[float]]] = []
    for step, views, _ in batches.between(0, steps):
        reports.append(learner.step(views, group))
        if (step + 1) % every == 0:
            means = torch.tensor(reports[-every:]).mean(0).T.tolist()
            lines = (
                f"{name} " + " ".join(f"{value:.3g}" for value in row)
                for name, row in zip(("loss", "gate", "norms"), means, strict=True)
            )
            print(f"{condition} s{config.seed} step {step + 1}: " + "; ".join(lines), flush=True)
    scores = probe_encoder(
        learner.encoder,
        dataset,
        ["fast", "few-shot"],
        0,
        SINGLE.device,
        None,
        standard_views(VGG6_WHOLE.image),
    )
    last = torch.tensor(reports[-every:]).mean(0).tolist()
    found = {f"loss {layer}": row[0] for layer, row in enumerate(last, 1)}
    for name, each in scores.items():
        found |= {f"{name} {score.layer}": score.accuracy for score in each}
    return found


def main() -> None:
    """Measure what is missing, print a table for each probe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="photographs", help="as for training")
    parser.add_argument("--out", type=Path, default=Path("runs/competition"))
    parser.add_argument("--conditions", nargs="+", choices=list(STRENGTHS), default=list(STRENGTHS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="of the apical weights")
    options = parser.parse_args()

    def cell(condition: str, seed: int, _: Path) -> dict[str, float]:
        config = TrainConfig(
            method="clapp-pp", data=options.data, width=options.width, batch=options.batch,
            learning_rate=options.learning_rate, seed=seed,
        )  # fmt: skip
        return measure(config, condition, options.steps, min(100, options.steps))

    free = ("out", "seeds", "conditions")
    settings = {k: v for k, v in vars(options).items() if k not in free}
    cells = [(name, seed) for seed in options.seeds for name in options.conditions]
    rows = run_cells(options.out, cells, cell, settings, "benchmarks.predictive_competition")
    for kind in ("fast", "few-shot", "loss"):
        columns = [name for name in rows[0].values if name.startswith(kind)]
        print(f"\n{summary_table(rows, columns, options.conditions[0])}", flush=True)


if __name__ == "__main__":
    main()
