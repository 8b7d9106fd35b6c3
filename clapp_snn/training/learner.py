"""One step of learning: explicit local plasticity, or back-propagation for the baselines."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Adam

from clapp_snn.circuit.backprop import module_losses
from clapp_snn.circuit.hierarchy import Hierarchy, SaccadeStream
from clapp_snn.functional.saccades import Draw
from clapp_snn.training.distributed import World


class AreaReport(NamedTuple):
    """What one module saw in one step: loss and gate share (scalars on the device), scores, saccades.

    For a supervised module `gate` is the share of misclassified images.
    """

    loss: Float[Tensor, ""]
    gate: Float[Tensor, ""]
    scores: list[Float[Tensor, "groups cell pair"]]
    draw: Draw | None


class Learner(ABC):
    """Owns the optimisers (one a module, bottom up) and takes steps.

    Args:
        hierarchy: the network; its parameters ask for gradients only if the learner `needs_graph`.
        learning_rate: of Adam.
        group: images that share saccades.
        world: the processes that learn together.
    """

    needs_graph: ClassVar[bool]

    def __init__(
        self, hierarchy: Hierarchy, learning_rate: float, group: int, world: World
    ) -> None:
        hierarchy.requires_grad_(self.needs_graph)
        self.hierarchy = hierarchy
        self.group = group
        self.world = world
        self.optimizers = _optimizers(hierarchy, learning_rate)

    def set_learning_rate(self, rate: float) -> None:
        """Change the learning rate of all optimisers."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate

    @abstractmethod
    def step(
        self,
        images: Float[Tensor, "image channel row col"],
        labels: Tensor | None,
        streams: SaccadeStream,
    ) -> list[AreaReport]:
        """Learn from one batch; reports bottom up."""


def make_learner(hierarchy: Hierarchy, learning_rate: float, group: int, world: World) -> Learner:
    """The learner that fits the method: local plasticity where every module is one layer."""
    kind = LocalLearner if hierarchy.method.explicit else BackpropLearner
    return kind(hierarchy, learning_rate, group, world)


def optimizer_names(hierarchy: Hierarchy) -> list[str]:
    """Stable names of the optimisers, for checkpoints."""
    return [f"module_{index + 1}" for index in range(len(hierarchy.method.splits))]


def _module_parameters(hierarchy: Hierarchy) -> list[list[nn.Parameter]]:
    modules, first = [], 0
    for index, top in enumerate(hierarchy.method.tops):
        own = [
            p
            for layer in range(first, top + 1)
            for p in hierarchy.encoder.layer(layer).parameters()
        ]
        for heads in (hierarchy.areas, hierarchy.classifiers):
            if len(heads):
                own.extend(heads[index].parameters())
        modules.append(own)
        first = top + 1
    return modules


def _optimizers(hierarchy: Hierarchy, learning_rate: float) -> list[Adam]:
    return [
        Adam(parameters, lr=learning_rate, fused=True)
        for parameters in _module_parameters(hierarchy)
    ]


class LocalLearner(Learner):
    """Applies Eqs. 6-8 area by area; builds no graph and needs no gradient of any loss.

    The update of an area is averaged over processes while the next area already works, and goes through the
    area's own Adam.
    """

    needs_graph = False

    def step(
        self,
        images: Float[Tensor, "image channel row col"],
        labels: Tensor | None,
        streams: SaccadeStream,
    ) -> list[AreaReport]:
        """One step of every area; labels are not looked at."""
        reports: list[AreaReport] = []
        waiting = None
        for update in self.hierarchy.learn(images, streams, self.group):
            for parameter, change in update.changes:
                parameter.grad = change.neg_()
            exchange = self.world.average_async([change for _, change in update.changes])
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
    """Back-propagation of one loss a module; gradients never leave their module."""

    needs_graph = True

    def step(
        self,
        images: Float[Tensor, "image channel row col"],
        labels: Tensor | None,
        streams: SaccadeStream,
    ) -> list[AreaReport]:
        """One backward of the summed losses, then one Adam step of every module."""
        losses = list(module_losses(self.hierarchy, images, streams, self.group, labels))
        total = losses[0].loss
        for each in losses[1:]:
            total = total + each.loss
        total.backward()
        for parameters in _module_parameters(self.hierarchy):
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
