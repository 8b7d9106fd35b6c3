"""One step of learning: explicit local plasticity, or back-propagation for the baselines."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from clapp_snn.circuit.network import AreaUpdate, Network, SaccadeStream
from clapp_snn.functional.saccades import Draw
from clapp_snn.training.distributed import World


class AreaReport(NamedTuple):
    """What one module saw in one step: loss and gate share (scalars on the device), scores, saccades.

    For a supervised module `gate` is the share of misclassified samples.
    """

    loss: Float[Tensor, ""]
    gate: Float[Tensor, ""]
    scores: list[Float[Tensor, "groups cell pair"]]
    draw: Draw | None


class Learner(ABC):
    """Owns the optimisers (one a module, bottom up) and takes steps.

    Args:
        network: its parameters ask for gradients only if the learner `needs_graph`.
        learning_rate: of Adam, or of plain steps where the network asks for them.
        group: samples that share saccades.
        world: the processes that learn together.
        apical_rate: learning rate of the lateral matrices as a multiple of that of all other weights.
    """

    needs_graph: ClassVar[bool]

    def __init__(
        self,
        network: Network,
        learning_rate: float,
        group: int,
        world: World,
        apical_rate: float = 1.0,
    ) -> None:
        network.requires_grad_(self.needs_graph)
        self.network = network
        self.group = group
        self.world = world
        self.optimizers = _optimizers(network, apical_rate)
        self.set_learning_rate(learning_rate)

    def set_learning_rate(self, rate: float) -> None:
        """Change the learning rate of all weights; that of lateral matrices follows in proportion."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["ratio"]

    def begin(self, step: int, total: int) -> None:  # noqa: B027
        """Called before step number `step` of `total`; learners without a schedule do nothing."""

    def measured(self, step: int, total: int) -> list[int]:
        """Modules whose loss step number `step` of `total` reports; that of others is NaN."""
        return list(range(len(self.network.method.splits)))

    def step(
        self,
        stimulus: Float[Tensor, "sample *shape"],
        labels: Tensor | None,
        streams: SaccadeStream,
    ) -> list[AreaReport]:
        """Learn from one batch; reports bottom up. Labels are for supervised methods alone."""
        reports = self._learn(stimulus, labels, streams)
        self.world.average_async(self.network.running_statistics()).wait()
        return reports

    @abstractmethod
    def _learn(
        self,
        stimulus: Float[Tensor, "sample *shape"],
        labels: Tensor | None,
        streams: SaccadeStream,
    ) -> list[AreaReport]: ...


def make_learner(
    network: Network, learning_rate: float, group: int, world: World, apical_rate: float = 1.0
) -> Learner:
    """The learner that fits the method: local plasticity where every module is one layer."""
    kind = LocalLearner if network.method.explicit else BackpropLearner
    return kind(network, learning_rate, group, world, apical_rate)


def optimizer_names(network: Network) -> list[str]:
    """Stable names of the optimisers, for checkpoints."""
    return [f"module_{index + 1}" for index in range(len(network.method.splits))]


def _optimizers(network: Network, apical_rate: float) -> Sequence[Optimizer]:
    """One optimiser a module; its groups know their share of the learning rate, which is set later."""
    lateral = {id(parameter) for parameter in network.areas.parameters()}
    made: list[Optimizer] = []
    for parameters in network.module_parameters():
        own = [p for p in parameters if id(p) not in lateral]
        apical = [p for p in parameters if id(p) in lateral]
        groups = [
            {"params": members, "ratio": ratio}
            for members, ratio in ((own, 1.0), (apical, apical_rate))
            if members
        ]
        if network.plain_steps:
            made.append(SGD(groups))
        else:
            made.append(Adam(groups, weight_decay=network.weight_decay, fused=True))
    return made


def laid_out_as(parameter: nn.Parameter, change: Tensor) -> Tensor:
    """`change` with the strides of `parameter`: fused Adam walks through memory and does not look at them."""
    if change.stride() == parameter.stride():
        return change
    return torch.empty_like(parameter).copy_(change)


def gradients_of(update: AreaUpdate) -> list[Tensor]:
    """The gradients that were set from an update."""
    return [parameter.grad for parameter, _ in update.changes if parameter.grad is not None]


class LocalLearner(Learner):
    """Applies Eqs. 6-8 area by area; builds no graph and needs no gradient of any loss.

    The update of an area is averaged over processes while the next area already works, and goes through the
    area's own optimiser.
    """

    needs_graph = False

    def _learn(
        self,
        stimulus: Float[Tensor, "sample *shape"],
        labels: Tensor | None,
        streams: SaccadeStream,
    ) -> list[AreaReport]:
        reports: list[AreaReport] = []
        waiting = None
        for update in self.network.learn(stimulus, streams, self.group):
            for parameter, change in update.changes:
                parameter.grad = laid_out_as(parameter, change.neg_())
            exchange = self.world.average_async(gradients_of(update))
            if waiting is not None:
                waiting.wait()
                self._apply(update.area - 1)
            waiting = exchange
            reports.append(AreaReport(update.loss, update.gate, update.scores, update.draw))
        if waiting is not None:
            waiting.wait()
            self._apply(len(reports) - 1)
        return reports

    def _apply(self, area: int) -> None:
        self.optimizers[area].step()
        self.optimizers[area].zero_grad(set_to_none=True)


class BackpropLearner(Learner):
    """Back-propagation of the sum of one loss a module; gradients never leave their module."""

    needs_graph = True

    def _learn(
        self,
        stimulus: Float[Tensor, "sample *shape"],
        labels: Tensor | None,
        streams: SaccadeStream,
    ) -> list[AreaReport]:
        losses = list(self.network.module_losses(stimulus, streams, self.group, labels))
        total = losses[0].loss
        for each in losses[1:]:
            total = total + each.loss
        total.backward()
        for parameters in self.network.module_parameters():
            gradients = [p.grad for p in parameters if p.grad is not None]
            self.world.average_async(gradients).wait()
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return [AreaReport(x.loss.detach(), x.gate, x.scores, x.draw) for x in losses]


def average_reports(
    reports: list[AreaReport], world: World
) -> tuple[Float[Tensor, "module"], Float[Tensor, "module"]]:
    """Losses and gate shares of all modules, averaged over processes."""
    values = torch.stack([torch.stack([r.loss.float(), r.gate.float()]) for r in reports])
    world.average_async([values]).wait()
    return values[:, 0], values[:, 1]
