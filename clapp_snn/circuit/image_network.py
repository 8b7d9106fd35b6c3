"""What all networks on images share: the encoder, and the order of their parameters."""

from abc import abstractmethod
from typing import Protocol, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.circuit.network import AreaUpdate, Network, SaccadeStream
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.randomness import generator


class Head(Protocol):
    """Weights on top of a module."""

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw all weights anew from one stream."""


class ImageNetwork(Network):
    """An encoder whose layers are grouped into the modules of a method, with heads on top of each module.

    Attributes:
        encoder: the convolutional layers.
        areas: one head with `reset_parameters(generator)` for each module that has one, bottom up.
    """

    encoder: Encoder
    areas: nn.ModuleList

    def reset_parameters(self, seed: int) -> None:
        """Draw all weights from streams named by the master seed.

        The encoder's stream does not depend on the method, so all methods start from one encoder.
        """
        self.encoder.reset_parameters(generator(seed, "init", "encoder"))
        for index, area in enumerate(self.areas):
            cast(Head, area).reset_parameters(generator(seed, "init", "area", index))

    @abstractmethod
    def learn_area(
        self,
        index: int,
        stimulus: Float[Tensor, "image channel row col"],
        streams: SaccadeStream,
        group: int,
    ) -> AreaUpdate:
        """The update of one area alone: those below respond and forget, those above stay silent.

        Raises ValueError for methods whose areas do not learn on their own.
        """

    def heads(self, index: int) -> list[nn.Module]:
        """What sits on top of module `index`."""
        return [self.areas[index]] if len(self.areas) else []

    def module_parameters(self) -> list[list[nn.Parameter]]:
        """Parameters of every module, bottom up: its layers, then its heads."""
        modules, first = [], 0
        for index, top in enumerate(self.method.tops):
            layers = range(first, top + 1)
            own = [p for layer in layers for p in self.encoder.layer(layer).parameters()]
            own += [p for head in self.heads(index) for p in head.parameters()]
            modules.append(own)
            first = top + 1
        return modules
