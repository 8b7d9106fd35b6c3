"""Critical periods: one area is plastic at a time, from the bottom to the top of the hierarchy.

The run is cut into windows of equal length, one for each area. While a window lasts, the areas below respond
as they have learned to, those above stay silent, and nothing but the weights of this area changes. So a step
costs one area's learning and the responses below it, in place of all areas' learning.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.image_network import ImageNetwork
from clapp_snn.circuit.network import Network, SaccadeStream
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.distributed import World
from clapp_snn.training.learner import (
    AreaReport,
    Learner,
    LocalLearner,
    gradients_of,
    laid_out_as,
    make_learner,
)


def plastic_area(step: int, total: int, areas: int) -> int:
    """The area whose critical period step number `step` (from 0) of `total` belongs to."""
    return step * areas // total


class SequentialLearner(LocalLearner):
    """Local plasticity of one area at a time; the reports of all others are NaN and have no scores.

    Attributes:
        area: the one that is plastic.
    """

    network: ImageNetwork

    def __init__(
        self,
        network: ImageNetwork,
        learning_rate: float,
        group: int,
        world: World,
        apical_rate: float = 1.0,
    ) -> None:
        super().__init__(network, learning_rate, group, world, apical_rate)
        self.area = 0

    def begin(self, step: int, total: int) -> None:
        """Open the critical period of this step."""
        self.area = plastic_area(step, total, len(self.optimizers))

    def measured(self, step: int, total: int) -> list[int]:
        """The one that is plastic."""
        return [plastic_area(step, total, len(self.optimizers))]

    def _learn(
        self,
        stimulus: Float[Tensor, "sample *shape"],
        labels: Tensor | None,
        streams: SaccadeStream,
    ) -> list[AreaReport]:
        update = self.network.learn_area(self.area, stimulus, streams, self.group)
        for parameter, change in update.changes:
            parameter.grad = laid_out_as(parameter, change.neg_())
        self.world.average_async(gradients_of(update)).wait()
        self._apply(self.area)
        nothing = torch.full_like(update.loss, torch.nan)
        reports = [AreaReport(nothing, nothing, [], None) for _ in self.optimizers]
        reports[self.area] = AreaReport(update.loss, update.gate, update.scores, update.draw)
        return reports


def choose_learner(config: TrainConfig, network: Network, world: World) -> Learner:
    """The learner of a run: with critical periods where they are asked for, else what fits the method.

    Raises ValueError for critical periods of a network whose areas cannot be asked to learn one at a time.
    """
    rate, group = config.learning_rate, config.samples_in_group
    apical = 1.0 if config.apical_rate is None else config.apical_rate
    if config.plasticity == "sequential":
        if not isinstance(network, ImageNetwork):
            raise ValueError(
                f"Critical periods (plasticity='sequential') are there for networks on images, not for "
                f"{type(network).__name__}; leave plasticity out."
            )
        return SequentialLearner(network, rate, group, world, apical)
    return make_learner(network, rate, group, world, apical)
