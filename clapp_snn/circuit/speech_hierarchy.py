"""A stack of areas that listens: every convolution an area, and a recurrent one on top.

In a convolution context and target are the same activity, one to twelve frames apart. In the top area the
context is the activity of the GRU and the target that of the last convolution: both learn from their
comparison, through the synapses that end on them, and nothing below does, since neither the target's signal
nor that of the context passes on. With splits (1, 1, 1, 1, 2) this comparison is all the last convolution
learns from; with (1, 1, 1, 1, 1, 1) it learns by itself and the GRU takes it as given.
"""

from collections.abc import Iterator
from typing import cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from clapp_snn.circuit import speech_backprop
from clapp_snn.circuit.connections import LateralConnections
from clapp_snn.circuit.network import AreaUpdate, ModuleLoss, Network, SaccadeStream
from clapp_snn.encoders.speech import SpeechEncoder
from clapp_snn.functional.gru import GRUWeights, Recurrence, detached_update, eprop_update
from clapp_snn.functional.sequence_contrast import (
    SequenceDraw,
    SequenceSignals,
    draw_frames,
    sequence_signals,
)
from clapp_snn.functional.wave_convolution import wave_update
from clapp_snn.methods.record import Method

CONVOLUTIONS = 5


class SpeechArea(LateralConnections):
    """W_pred of the prediction steps; W_retro is its transpose."""

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw W_pred from U(-1/sqrt(C), 1/sqrt(C)), C = neurons of the context (published default)."""
        bound = self.W_pred.shape[-1] ** -0.5
        with torch.no_grad():
            self.W_pred.uniform_(-bound, bound, generator=generator)


class SpeechHierarchy(Network):
    """The speech encoder and one head for each module of a method.

    Args:
        encoder: convolutions and GRU.
        method: the row of the table to run.
        classes: phones, for supervised methods.
        recurrence: how the GRU learns.

    Attributes:
        encoder: as given.
        areas: matrices W_pred of each module (contrastive methods), else empty.
        classifiers: a linear read-out of every frame for each module (supervised methods), else empty.
    """

    encoder: SpeechEncoder
    grid = 1

    def __init__(
        self,
        encoder: SpeechEncoder,
        method: Method,
        classes: int,
        recurrence: Recurrence = "bptt",
    ) -> None:
        super().__init__(encoder, method)
        self.recurrence = recurrence
        widths = [encoder.channels[top] for top in method.tops]
        if method.objective is not None:
            steps = (len(method.objective.distances),)
            targets = [*widths[:-1], encoder.channels[CONVOLUTIONS - 1]]
            self.areas.extend(
                SpeechArea(z, c, False, steps) for z, c in zip(targets, widths, strict=True)
            )
        elif method.task == "supervised":
            self.classifiers.extend(nn.Linear(width, classes) for width in widths)

    def area(self, index: int) -> LateralConnections:
        """Matrices of module `index`, counted from 0."""
        return cast(LateralConnections, self.areas[index])

    def gru_weights(self) -> GRUWeights:
        """Weights of the recurrent layer."""
        return GRUWeights(*self.encoder.gru.parameters())

    def draw(
        self, module: int, streams: SaccadeStream, samples: int, frames: int, group: int
    ) -> SequenceDraw:
        """Window and saccades of one module."""
        objective = self.method.objective
        assert objective is not None
        if samples % group:
            raise ValueError(
                f"A batch of {samples} windows does not split into groups of {group}; choose a batch size "
                "that is a multiple of the group size."
            )
        window = self.encoder.architecture.window
        device = self.area(module).W_pred.device
        return draw_frames(objective, streams(module, 0), group, frames, window, device)

    @torch.no_grad()
    def learn(
        self, stimulus: Float[Tensor, "sample time"], streams: SaccadeStream, group: int
    ) -> Iterator[AreaUpdate]:
        """Respond area by area and yield each area's update as soon as it is known.

        Raises ValueError for methods that are trained by back-propagation.
        """
        self.require_explicit()
        x = stimulus[:, None]
        last = len(self.areas) - 1
        for index in range(last):
            z = self.encoder.respond(index, x)
            cells = z.transpose(1, 2)
            signals = self._compare(index, cells, cells, streams, group)
            signal = signals.target + signals.context
            changes = self._convolution_changes(index, x, z, signal)
            yield self._update(index, changes, signals)
            x = z
        joint = self.method.splits[-1] == 2
        z = self.encoder.respond(last, x) if joint else x
        heard = z.transpose(1, 2)
        states = self.encoder.gru(heard)[0]
        signals = self._compare(last, heard, states, streams, group)
        changes = self._convolution_changes(last, x, z, signals.target) if joint else []
        told = self._recurrent_changes(heard, states, signals.context)
        changes += zip(self.encoder.gru.parameters(), told, strict=True)
        yield self._update(last, changes, signals)

    def _compare(
        self, module: int, z: Tensor, c: Tensor, streams: SaccadeStream, group: int
    ) -> SequenceSignals:
        objective = self.method.objective
        assert objective is not None
        draw = self.draw(module, streams, z.shape[0], z.shape[1], group)
        return sequence_signals(objective, z, c, self.area(module).W_pred.detach(), draw)

    def _convolution_changes(
        self, index: int, x: Tensor, z: Tensor, signal: Tensor
    ) -> list[tuple[nn.Parameter, Tensor]]:
        layer, table = self.encoder.convolution(index), self.encoder.architecture.layers[index]
        change = wave_update(
            x, z, signal.transpose(1, 2), layer.weight.detach(), table.stride, table.padding
        )
        return list(zip(layer.parameters(), change, strict=True))

    def _recurrent_changes(self, x: Tensor, states: Tensor, signal: Tensor) -> GRUWeights:
        """Changes of the GRU's weights, in the order of its parameters."""
        weights = GRUWeights(*(weight.detach() for weight in self.gru_weights()))
        if self.recurrence == "eprop":
            return eprop_update(x, weights, signal)
        if self.recurrence == "detached":
            return detached_update(x, weights, states, signal)
        return speech_backprop.through_time(x, weights, signal)

    def _update(
        self,
        index: int,
        changes: list[tuple[nn.Parameter, Tensor]],
        signals: SequenceSignals,
    ) -> AreaUpdate:
        changes.append((self.area(index).W_pred, signals.W_pred))
        return AreaUpdate(index, changes, signals.loss, signals.gate, signals.scores, None)

    def module_losses(
        self,
        stimulus: Float[Tensor, "sample time"],
        streams: SaccadeStream,
        group: int,
        labels: Int64[Tensor, "sample frame"] | None = None,
    ) -> Iterator[ModuleLoss]:
        """Losses with a graph, for methods that are not local (`circuit.speech_backprop`)."""
        return speech_backprop.module_losses(self, stimulus, streams, group, labels)
