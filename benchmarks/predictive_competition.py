"""Does prediction help competition? SoftHebb with an apical bias of its plasticity, beside plain SoftHebb.

    python -m benchmarks.predictive_competition --data path/to/Imagenette-96 --seeds 1 2 3

SoftHebb learns the best features of all local rules here and knows nothing of what stays when the view
changes; CLAPP++ knows it and learns worse features. Hypothesis: what the context predicts is worth learning,
so a neuron whose apical dendrite predicts it should win the competition for plasticity (never that for the
output) more easily, and after a saccade less easily:

    y = softmax((u + strength b) / tau)      b = sum over pairs of gamma (W_pred c), scaled to the rms of u

with W_pred, gamma and the two random views of every image as in CLAPP++ (saccade to the next image). All else
is SoftHebb. A synapse needs its own activity, the lateral competition, the apical input of its neuron and the
broadcast gamma. Conditions, S the strength: "plain" is SoftHebb on the same views; "bias-S" predicts windows
of a map; "deviations-S" predicts the mean over the map, in units of each neuron's own slow deviation;
"shuffled-..." gives every view the bias of another image, which is as large and predicts nothing.
"""

from collections import deque
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Adam

from benchmarks.clapp_variants import SlowMoments
from benchmarks.conditions import read_out, study_conditions
from benchmarks.short_run import SINGLE
from clapp_snn.circuit.map_hierarchy import MapHierarchy
from clapp_snn.circuit.soft_hebb import PUBLISHED, SoftHebbEncoder, scaled
from clapp_snn.commands.train import data_of
from clapp_snn.encoders.vgg import VGG6_WHOLE
from clapp_snn.evaluation.interfaces import standard_views
from clapp_snn.functional.competition import by_channel
from clapp_snn.functional.convolution import window_means
from clapp_snn.functional.map_score import (
    draw_map_saccades,
    group_views,
    map_signals,
    ungroup_views,
)
from clapp_snn.methods import get_method
from clapp_snn.training.batches import Plan
from clapp_snn.training.build import choose_engine
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.view_pairs import ViewPairs

TOGETHER = 2
"""Views whose plastic signals are held at once."""

LAST = 100
"""Steps whose losses are averaged."""


class Form(NamedTuple):
    """How a prediction reaches the competition.

    Attributes:
        strength: of the bias, in units of the rms of the summed inputs of a layer.
        shuffled: whether every view gets the bias of the following one.
        deviations: whether what is predicted is the mean of a map in units of each neuron's deviation.
    """

    strength: float = 0.0
    shuffled: bool = False
    deviations: bool = False

    @property
    def method(self) -> str:
        """The method whose maps are compared."""
        return "clapp-pp-pooled" if self.deviations else "clapp-pp"


FORMS = {
    "plain": Form(),
    "bias-1": Form(1.0),
    "bias-3": Form(3.0),
    "bias-10": Form(10.0),
    "shuffled-3": Form(3.0, shuffled=True),
    "shuffled-10": Form(10.0, shuffled=True),
    "deviations-10": Form(10.0, deviations=True),
    "shuffled-deviations-10": Form(10.0, shuffled=True, deviations=True),
}


class BiasedSoftHebb:
    """SoftHebb on pairs of views, with an apical prediction for every layer.

    Args:
        width: of the encoder.
        seed: of all weights.
        form: of the bias.
        learning_rate: of the apical weights (Adam).
    """

    def __init__(self, width: float, seed: int, form: Form, learning_rate: float = 1e-3) -> None:
        self.encoder, self.form = SoftHebbEncoder(VGG6_WHOLE, width), form
        self.network = MapHierarchy(self.encoder, get_method(form.method))
        self.network.reset_parameters(seed)
        self.encoder.requires_grad_(False)
        self.moments = [SlowMoments() for _ in self.network.areas]
        self.optimizer = Adam(self.network.areas.parameters(), lr=learning_rate)

    @torch.no_grad()
    def step(self, views: Float[Tensor, "view channel row col"], group: int) -> list[list[float]]:
        """Learn from the first views of all images, followed by their second views.

        Returns the hinge loss, the share of open gates and the mean distance of norms from 1, of every layer.
        """
        x, reports = self.encoder.patches(views), []
        for index in range(len(self.network.areas)):
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
            if self.form.strength:
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
        windows = window_means(output, self.network.objective.windows[index])
        if self.form.deviations:
            mean, variance = self.moments[index].update(windows)
            windows = (windows - mean) / variance.clamp(min=1e-12).sqrt()
        flat = group_views(windows, group)
        # A gain of the whole area keeps scores of order one while the weights shrink from norm 25 to 1.
        size = flat.shape[-1]
        flat = flat * (size**0.25 / flat.norm(dim=-1).mean().clamp(min=1e-12))
        (matrix,) = self.network.area(index).matrices()
        # Saccades go to the next image, so that nothing is drawn.
        streams = [torch.Generator()] * len(flat)
        landing = draw_map_saccades(self.network.objective, streams, group)
        signals = map_signals(flat, flat, matrix, landing)
        matrix.grad = -signals.W
        rms = (flat @ matrix.transpose(0, 1)).square().mean().sqrt().clamp(min=1e-12)
        felt = signals.target * (self.form.strength / rms)
        if self.form.shuffled:
            felt = felt.roll(1, 1)
        return ungroup_views(felt, windows.shape), float(signals.loss), float(signals.gate)


def measure(config: TrainConfig, condition: str, steps: int) -> dict[str, float]:
    """Learn, then read out; prints losses on the way."""
    dataset = data_of(config)
    learner = BiasedSoftHebb(config.width, config.seed, FORMS[condition], config.learning_rate)
    learner.encoder.engine, _ = choose_engine(config, SINGLE.device, explicit=True)
    group = config.samples_in_group
    plan = Plan(len(dataset.unlabeled), config.batch, group, 0, 1, config.seed)
    batches = ViewPairs(dataset.unlabeled, plan, VGG6_WHOLE.image, True, SINGLE.device)
    reports: deque[list[list[float]]] = deque(maxlen=LAST)
    for step, views, _ in batches.between(0, steps):
        reports.append(learner.step(views, group))
        if (step + 1) % LAST == 0:
            means = torch.tensor(list(reports)).mean(0).T.tolist()
            lines = (
                f"{name} " + " ".join(f"{value:.3g}" for value in row)
                for name, row in zip(("loss", "gate", "norms"), means, strict=True)
            )
            print(f"{condition} s{config.seed} step {step + 1}: " + "; ".join(lines), flush=True)
    losses = ([loss for loss, _, _ in report] for report in reports)
    return read_out(learner.encoder, dataset, standard_views(VGG6_WHOLE.image), losses)


def main() -> None:
    """Measure what is missing, print a table for each read-out."""
    study_conditions(
        "predictive_competition", __doc__.splitlines()[0], FORMS, measure, ["clapp-pp"]
    )


if __name__ == "__main__":
    main()
