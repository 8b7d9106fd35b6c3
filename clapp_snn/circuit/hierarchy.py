"""A stack of areas: each learns from its own activity as soon as it has responded.

`Hierarchy.learn` is a generator of updates. For an ordinary method, area l yields its update before area
l + 1 has even responded, so nothing of a later area can reach an earlier one, and only the input, the
winner code and the output of one area are in memory at a time.
"""

from collections.abc import Iterator
from itertools import islice
from typing import cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from clapp_snn.circuit import backprop
from clapp_snn.circuit.area import Area
from clapp_snn.circuit.image_network import ImageNetwork
from clapp_snn.circuit.network import AreaUpdate, ModuleLoss, SaccadeStream
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.functional import convolution
from clapp_snn.functional.cells import from_cells, to_cells
from clapp_snn.functional.plasticity import AreaSignals
from clapp_snn.functional.saccades import Draw
from clapp_snn.methods.record import Method


class Hierarchy(ImageNetwork):
    """An encoder and one head for each module of a method.

    Args:
        encoder: the convolutional layers.
        method: the row of the table to run.
        classes: number of classes, for supervised methods.

    Attributes:
        encoder: as given.
        areas: an `Area` for each module (contrastive methods), else empty.
        classifiers: a linear read-out for each module (supervised methods), else empty.
    """

    def __init__(self, encoder: Encoder, method: Method, classes: int = 10) -> None:
        super().__init__(encoder, method)
        self.grid = encoder.architecture.grid
        widths = [encoder.channels[top] for top in method.tops]
        above = [*widths[1:], widths[-1]] if method.context == "above" else widths
        if method.objective is not None:
            self.areas.extend(
                Area(z, c, method.objective) for z, c in zip(widths, above, strict=True)
            )
        elif method.task == "supervised":
            self.classifiers.extend(nn.Linear(width, classes) for width in widths)

    def area(self, index: int) -> Area:
        """Area of module `index`, counted from 0."""
        return cast(Area, self.areas[index])

    def module_losses(
        self,
        stimulus: Float[Tensor, "image channel row col"],
        streams: SaccadeStream,
        group: int,
        labels: Int64[Tensor, "image"] | None = None,
    ) -> Iterator[ModuleLoss]:
        """Losses with a graph, for methods that are not local (`circuit.backprop`)."""
        return backprop.module_losses(self, stimulus, streams, group, labels)

    def draws(
        self, streams: SaccadeStream, group: int, device: torch.device | str
    ) -> Iterator[list[Draw]]:
        """The saccades of every module, one list of losses at a time.

        With sharing="paper" all modules get the same draw, that of module 0.
        """
        objective = self.method.objective
        grid = self.encoder.architecture.grid
        shared = None
        for index in range(len(self.areas)):
            area = self.area(index)
            if shared is None:
                each = [streams(index, loss) for loss in range(area.losses)]
                drawn = area.draw(each, group, grid, device)
                if objective is not None and objective.sharing == "paper":
                    shared = drawn
            yield shared or drawn

    @torch.no_grad()
    def learn(
        self,
        stimulus: Float[Tensor, "image channel row col"],
        streams: SaccadeStream,
        group: int,
    ) -> Iterator[AreaUpdate]:
        """Respond area by area and yield each area's update (Eqs. 6-8) as soon as it is known.

        An update that is applied at once cannot change what later areas see: their input was computed
        before it. Raises ValueError for methods whose modules are not single layers.
        """
        self.require_explicit()
        draws = self.draws(streams, group, stimulus.device)
        if self.method.context == "above":
            yield from self._learn_from_above(stimulus, draws, group)
            return
        x = self.encoder.patches(stimulus)
        for index, drawn in enumerate(draws):
            response = self.encoder.respond(index, x, learn=True)
            cells = self._cells(response, stimulus.shape[0], group)
            signals = self.area(index).compare(cells, cells, drawn, self.encoder.engine)
            signal = signals.target
            if signals.context is not None:
                signal = signal.add_(signals.context)
            yield self._update(index, x, response, signal, signals, drawn[0])
            x = response.output

    @torch.no_grad()
    def learn_area(
        self,
        index: int,
        stimulus: Float[Tensor, "image channel row col"],
        streams: SaccadeStream,
        group: int,
    ) -> AreaUpdate:
        """What `learn` yields for this area, while no other area learns.

        With context from the area above, that area also responds, but learns nothing as context.
        """
        self.require_explicit()
        x = self.below(index, stimulus)
        response = self.encoder.respond(index, x, learn=True)
        z = self._cells(response, stimulus.shape[0], group)
        (drawn,) = islice(self.draws(streams, group, stimulus.device), index, index + 1)
        above = self.method.context == "above" and index + 1 < len(self.areas)
        c = z
        if above:
            higher = self.encoder.respond(index + 1, response.output, learn=False)
            c = self._cells(higher, stimulus.shape[0], group)
        signals = self.area(index).compare(z, c, drawn, self.encoder.engine)
        signal = signals.target
        if signals.context is not None and not above:
            signal = signal + signals.context
        return self._update(index, x, response, signal, signals, drawn[0])

    def _learn_from_above(
        self, images: Tensor, draws: Iterator[list[Draw]], group: int
    ) -> Iterator[AreaUpdate]:
        """Context from the area above: all areas respond first, then each sums what it was told.

        An inner area learns as target of its own comparison and as context of the one below. The published
        code takes an optimiser step for each; here both parts enter one step.
        """
        inputs = [self.encoder.patches(images)]
        responses = []
        for index in range(len(self.areas)):
            response = self.encoder.respond(index, inputs[-1], learn=True)
            responses.append(response)
            inputs.append(response.output)
        cells = [self._cells(response, images.shape[0], group) for response in responses]
        from_below: Tensor | None = None
        for index, drawn in enumerate(draws):
            above = min(index + 1, len(cells) - 1)
            signals = self.area(index).compare(
                cells[index], cells[above], drawn, self.encoder.engine
            )
            signal = signals.target
            if from_below is not None:
                signal = signal + from_below
            from_below = signals.context
            if above == index and signals.context is not None:
                signal = signal + signals.context
            yield self._update(index, inputs[index], responses[index], signal, signals, drawn[0])

    def _cells(self, response: convolution.Response, images: int, group: int) -> Tensor:
        return to_cells(response.feature, images, group, self.encoder.architecture.grid)

    def _update(
        self,
        index: int,
        x: Tensor,
        response: convolution.Response,
        signal: Tensor,
        signals: AreaSignals,
        draw: Draw,
    ) -> AreaUpdate:
        layer, area = self.encoder.layer(index), self.area(index)
        assert response.code is not None
        change = convolution.update(
            x, response.code, from_cells(signal), layer.pool, engine=self.encoder.engine
        )
        changes = [
            (layer.weight, change.weight),
            (layer.bias, change.bias),
            (area.W_pred, signals.W_pred),
        ]
        if area.W_retro is not None and signals.W_retro is not None:
            changes.append((area.W_retro, signals.W_retro))
        return AreaUpdate(index, changes, signals.loss, signals.gate, signals.scores, draw)
