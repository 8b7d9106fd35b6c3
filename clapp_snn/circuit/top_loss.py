"""Networks with one objective, at the top: how its error reaches the areas below is left to subclasses."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.circuit.area import Area
from clapp_snn.circuit.image_network import ImageNetwork
from clapp_snn.circuit.network import AreaUpdate, ModuleLoss, SaccadeStream
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.functional import convolution
from clapp_snn.functional.cells import from_cells, to_cells
from clapp_snn.functional.plasticity import AreaSignals
from clapp_snn.functional.saccades import Draw
from clapp_snn.methods.record import Method


class TopLossNetwork(ImageNetwork):
    """An encoder of patches and one `Area` on its top layer.

    The saccades are drawn from the streams of module 0, as those of the end-to-end methods.

    Attributes:
        areas: the area of the top layer, alone.
    """

    def __init__(self, encoder: Encoder, method: Method) -> None:
        super().__init__(encoder, method)
        if method.objective is None:
            raise ValueError(f"Method {method.name!r} has no objective.")
        self.grid = encoder.architecture.grid
        width = encoder.channels[-1]
        self.areas = nn.ModuleList([Area(width, width, method.objective)])

    @property
    def top(self) -> Area:
        """The area that has an objective."""
        return cast(Area, self.areas[0])

    def heads(self, index: int) -> list[nn.Module]:
        """The area belongs to the top module."""
        return [self.top] if index == len(self.method.splits) - 1 else []

    @abstractmethod
    def learn(
        self, stimulus: Float[Tensor, "image channel row col"], streams: SaccadeStream, group: int
    ) -> Iterator[AreaUpdate]:
        """Updates bottom up; loss and gate are those of the top area in all of them."""

    def learn_area(
        self, index: int, stimulus: Tensor, streams: SaccadeStream, group: int
    ) -> AreaUpdate:
        """Always raises ValueError: no area learns without the top area's error."""
        raise ValueError(
            f"No area of method {self.method.name!r} learns without the error of the top area."
        )

    def module_losses(
        self, stimulus: Tensor, streams: SaccadeStream, group: int, labels: Tensor | None = None
    ) -> Iterator[ModuleLoss]:
        """Always raises ValueError: the updates are not the gradient of one loss a module."""
        raise ValueError(f"Method {self.method.name!r} learns by its own rule, without a graph.")

    def draw(self, streams: SaccadeStream, group: int, device: torch.device) -> list[Draw]:
        """The saccades of the top area."""
        return self.top.draw([streams(0, 0)], group, self.grid, device)

    def compare(
        self, feature: Float[Tensor, "patch channel"], images: int, group: int, draw: list[Draw]
    ) -> tuple[AreaSignals, Float[Tensor, "patch channel"]]:
        """Signals of the top area, and what every patch's top activity should change (minus the gradient)."""
        cells = to_cells(feature, images, group, self.grid)
        signals = self.top.compare(cells, cells, draw, self.encoder.engine)
        assert signals.context is not None
        return signals, from_cells(signals.target + signals.context)

    def named(
        self,
        index: int,
        change: convolution.ConvolutionUpdate,
        signals: AreaSignals,
        draw: Draw,
    ) -> AreaUpdate:
        """The update of one layer; the top one brings that of W_pred, and the scores."""
        layer = self.encoder.layer(index)
        changes = [(layer.weight, change.weight), (layer.bias, change.bias)]
        scores: list[Tensor] = []
        if index == len(self.method.splits) - 1:
            changes.append((self.top.W_pred, signals.W_pred))
            scores = signals.scores
        return AreaUpdate(index, changes, signals.loss, signals.gate, scores, draw)
