"""A stack of areas on clips: each learns from its own activity as soon as it has responded."""

import math
from collections.abc import Iterator
from typing import cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from clapp_snn.circuit import clip_backprop
from clapp_snn.circuit.connections import LateralConnections
from clapp_snn.circuit.network import AreaUpdate, ModuleLoss, Network, SaccadeStream
from clapp_snn.encoders.video import VideoEncoder
from clapp_snn.functional.clip_contrast import area_signals, context_times
from clapp_snn.functional.clip_plasticity import update
from clapp_snn.methods.record import Method


class ClipArea(LateralConnections):
    """W_pred of the prediction steps; W_retro is its transpose, as in the published video code."""

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__(channels, channels, own_retro=False, steps=(steps,))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw W_pred from N(0, 2 / channels)."""
        with torch.no_grad():
            self.W_pred.normal_(0, math.sqrt(2 / self.W_pred.shape[-2]), generator=generator)


class ClipHierarchy(Network):
    """A video encoder and one head for each module of a method.

    Args:
        encoder: the convolutional blocks.
        method: the row of the table of video methods to run.
        frames, side: length of the clips and side of their square frames, in pixels.
        classes: number of classes, for supervised methods.

    Attributes:
        encoder: as given.
        areas: a `ClipArea` for each module (contrastive methods), else empty.
        classifiers: for each module (supervised methods) a linear read-out of its time-averaged output at
            every place, else empty.

    Raises ValueError if the method has another number of layers, or for clips too short or too small.
    """

    encoder: VideoEncoder
    grid = 1

    def __init__(
        self, encoder: VideoEncoder, method: Method, frames: int, side: int, classes: int = 101
    ) -> None:
        super().__init__(encoder, method)
        shapes = encoder.architecture.shapes(frames, side)
        for top in method.tops:
            channels, times, row, col = shapes[top]
            if method.objective is not None:
                context_times(times, method.objective)
                self.areas.append(ClipArea(channels, len(method.objective.distances)))
            elif method.task == "supervised":
                self.classifiers.append(nn.Linear(channels * row * col, classes))

    def area(self, index: int) -> ClipArea:
        """Area of module `index`, counted from 0."""
        return cast(ClipArea, self.areas[index])

    def running_statistics(self) -> list[Tensor]:
        """Mean and variance of every channel of every normalised block."""
        return list(self.encoder.buffers())

    def classify(
        self, index: int, z: Float[Tensor, "clip time row col channel"]
    ) -> Float[Tensor, "clip class"]:
        """Class scores of a supervised module from the time average of its output."""
        logits: Tensor = self.classifiers[index](z.mean(1).flatten(1))
        return logits

    @torch.no_grad()
    def learn(
        self,
        stimulus: Float[Tensor, "clip time row col 3"],
        streams: SaccadeStream,
        group: int,
    ) -> Iterator[AreaUpdate]:
        """Respond area by area and yield each area's update (Eqs. 6-8) as soon as it is known.

        Nothing is drawn: every other place of the group is a saccade. The running statistics of the
        normalisation move with every call. Raises ValueError for methods that are not layer-wise.
        """
        self.require_explicit()
        objective = self.method.objective
        assert objective is not None
        x = stimulus
        for index in range(len(self.areas)):
            block, area = self.encoder.layer(index), self.area(index)
            output, memory, statistics = self.encoder.respond(index, x, learn=True)
            assert memory is not None
            if statistics is not None:
                block.follow(statistics)
            signals = area_signals(objective, output, area.W_pred.detach(), group)
            change = update(
                x,
                memory,
                signals.signal,
                block.weight.detach(),
                block.shape,
                block.norm(),
                block.order,
                precision=self.encoder.precision,
            )
            changes: list[tuple[nn.Parameter, Tensor]] = [
                (block.weight, change.weight),
                (block.bias, change.bias),
                (area.W_pred, signals.W_pred),
            ]
            if block.gain is not None and change.gain is not None:
                changes.append((block.gain, change.gain))
            if block.shift is not None and change.shift is not None:
                changes.append((block.shift, change.shift))
            yield AreaUpdate(index, changes, signals.loss, signals.gate, list(signals.scores), None)
            x = output

    def module_losses(
        self,
        stimulus: Float[Tensor, "clip time row col 3"],
        streams: SaccadeStream,
        group: int,
        labels: Int64[Tensor, "clip"] | None = None,
    ) -> Iterator[ModuleLoss]:
        """Losses with a graph, for methods that are not local (`circuit.clip_backprop`)."""
        return clip_backprop.module_losses(self, stimulus, group, labels)
