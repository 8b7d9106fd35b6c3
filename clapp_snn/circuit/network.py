"""What training asks of a network, whatever it looks at: images, speech or clips."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.functional.saccades import Draw
from clapp_snn.methods.record import Method

SaccadeStream = Callable[[int, int], list[torch.Generator]]
"""Maps (module, loss) to one generator for each group of samples."""


class AreaUpdate(NamedTuple):
    """Weight changes of one area (direction of learning) and what it saw.

    Attributes:
        area: index from 0, bottom up.
        changes: parameter and change, of equal shape.
        loss: value of the area's objective.
        gate: share of evaluated pairs with H = 1.
        scores: per prediction step (groups, cell, pair); pair 0 is the fixation.
        draw: the saccades of the W_pred loss; None where every cell is evaluated as both.
    """

    area: int
    changes: list[tuple[nn.Parameter, Tensor]]
    loss: Float[Tensor, ""]
    gate: Float[Tensor, ""]
    scores: list[Float[Tensor, "groups cell pair"]]
    draw: Draw | None


class ModuleLoss(NamedTuple):
    """Loss of one module (with graph), its open-gate or error share, and its scores (detached)."""

    loss: Float[Tensor, ""]
    gate: Float[Tensor, ""]
    scores: list[Float[Tensor, "groups cell pair"]]
    draw: Draw | None


class Network(nn.Module, ABC):
    """An encoder with the heads of a method.

    Attributes:
        method: the row of the table it runs.
        grid: cells side by side that share a row of the score tensors (7 for images, 1 for sequences).
        weight_decay: of the optimisers; 0 unless the published setting of the modality has one.
    """

    method: Method
    grid: int
    weight_decay: float = 0.0

    @abstractmethod
    def reset_parameters(self, seed: int) -> None:
        """Draw all weights from streams named by the master seed."""

    @abstractmethod
    def module_parameters(self) -> list[list[nn.Parameter]]:
        """Parameters of every module, bottom up; each module has an optimiser of its own."""

    @abstractmethod
    def learn(self, stimulus: Tensor, streams: SaccadeStream, group: int) -> Iterator[AreaUpdate]:
        """Updates of every area by the explicit rule (Eqs. 6-8), bottom up.

        `group` samples share their saccades. Raises ValueError for methods that have no explicit rule.
        """

    @abstractmethod
    def module_losses(
        self, stimulus: Tensor, streams: SaccadeStream, group: int, labels: Tensor | None
    ) -> Iterator[ModuleLoss]:
        """Losses of every module with a graph that ends at the module's lower border, bottom up.

        Raises ValueError when a supervised method gets no labels.
        """
