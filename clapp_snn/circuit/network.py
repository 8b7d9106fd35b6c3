"""What training asks of a network, whatever it looks at: images, speech or clips."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.functional.engine import Engine
from clapp_snn.functional.saccades import Draw
from clapp_snn.methods.record import Method
from clapp_snn.randomness import generator

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


class LayeredEncoder(Protocol):
    """Layers without heads."""

    @property
    def channels(self) -> Sequence[int]:
        """Features of every layer, bottom up."""

    def layer(self, index: int) -> nn.Module:
        """Weights of one layer, counted from 0."""

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw all weights anew from one stream."""


class Head(Protocol):
    """Weights on top of a module."""

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw all weights anew from one stream."""


class Network(nn.Module, ABC):
    """An encoder whose layers are grouped into the modules of a method, with heads on top of each module.

    Args:
        encoder: the layers.
        method: the row of the table to run.

    Attributes:
        encoder, method: as given.
        areas: one head with `reset_parameters(generator)` for each module that compares, bottom up.
        classifiers: a linear read-out for each module that is supervised, bottom up.
        grid: cells side by side that share a row of the score tensors (7 for images, 1 for sequences).
        weight_decay: of the optimisers; 0 unless the published setting of the modality has one.
        plain_steps: changes are added to the weights, times the learning rate, in place of Adam.

    Raises ValueError if the method has another number of layers.
    """

    encoder: LayeredEncoder
    grid: int
    weight_decay: float = 0.0
    plain_steps: bool = False

    def __init__(self, encoder: LayeredEncoder, method: Method) -> None:
        super().__init__()
        layers = len(encoder.channels)
        if sum(method.splits) != layers:
            raise ValueError(
                f"Method {method.name!r} splits {sum(method.splits)} layers, but the encoder has {layers}."
            )
        self.encoder = encoder
        self.method = method
        self.areas = nn.ModuleList()
        self.classifiers = nn.ModuleList()

    @property
    def engine(self) -> Engine:
        """Who computes the steps of learning."""
        return "torch"

    def reset_parameters(self, seed: int) -> None:
        """Draw all weights from streams named by the master seed.

        The encoder's stream does not depend on the method, so all methods start from one encoder. Read-outs
        are drawn from U(-1/sqrt(inputs), 1/sqrt(inputs)), PyTorch's default.
        """
        self.encoder.reset_parameters(generator(seed, "init", "encoder"))
        for index, area in enumerate(self.areas):
            cast(Head, area).reset_parameters(generator(seed, "init", "area", index))
        for index, classifier in enumerate(self.classifiers):
            linear = cast(nn.Linear, classifier)
            stream = generator(seed, "init", "classifier", index)
            bound = linear.in_features**-0.5
            with torch.no_grad():
                linear.weight.uniform_(-bound, bound, generator=stream)
                linear.bias.uniform_(-bound, bound, generator=stream)

    def heads(self, index: int) -> list[nn.Module]:
        """What sits on top of module `index`."""
        return [group[index] for group in (self.areas, self.classifiers) if len(group)]

    def module_parameters(self) -> list[list[nn.Parameter]]:
        """Parameters of every module, bottom up: its layers, then its heads; each has its own optimiser."""
        modules, first = [], 0
        for index, top in enumerate(self.method.tops):
            layers = range(first, top + 1)
            own = [p for layer in layers for p in self.encoder.layer(layer).parameters()]
            own += [p for head in self.heads(index) for p in head.parameters()]
            modules.append(own)
            first = top + 1
        return modules

    def running_statistics(self) -> list[Tensor]:
        """What layers remember of their batches; averaged over processes after every step."""
        return []

    def require_explicit(self) -> None:
        """Raise ValueError unless the rule of the method is applied in closed form."""
        if not self.method.explicit:
            raise ValueError(
                f"Method {self.method.name!r} has modules of several layers or needs labels; its weights "
                "are trained by back-propagation (module_losses)."
            )

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
