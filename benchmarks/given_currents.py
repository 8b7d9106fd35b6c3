"""Layers whose currents are given: our circuit without weights in front, and the peers' own neuron.

`same_neuron` is what is left to compare when circuits are left out: the LIF neuron of the peers' rows
(v <- 0.9 v + current, spike above 1, reset to 0; no random numbers, no dendrite, no second pathway, no
prediction) takes the same currents through all time steps on the compiled engine. Then, as in the peers'
rows, an error of every spike count is given; the gain and the bias of every channel change by the three
factors of Eq. 6: that error, whether the mean drive is positive, the mean input. The peers carry the same
error back to the current of every step.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.basal import Basal, Shape
from clapp_snn.native.lif_window import LIFCounts, run_lif_window

Currents = Callable[[int, int], Tensor]
"""From the first step and the one behind the last to currents (time, sample, unit)."""


class Given(Basal):
    """The input is the drive; weight and bias of a channel are learned, but stand still here."""

    given = True

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def weight_shape(self, pre: int, post: int) -> Shape:
        """(post,)."""
        return (post,)

    def input_shape(self, pre: int) -> Shape:
        """The layer's."""
        return self.shape

    def drive_shape(self, post: int) -> Shape:
        """The layer's."""
        return self.unit_shape(post)

    def unit_shape(self, post: int) -> Shape:
        """The layer's."""
        return (*self.shape[:-1], post)

    def drive(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The input."""
        return x

    def change(
        self, signal: Float[Tensor, "sample *drive"], x: Float[Tensor, "sample *pre"]
    ) -> tuple[Tensor, Float[Tensor, "post"]]:
        """Sums over samples and positions."""
        return (signal * x).flatten(0, -2).sum(0), signal.flatten(0, -2).sum(0)


def same_neuron(
    currents: Currents,
    shape: tuple[int, ...],
    steps: int,
    block: int,
    decay: float,
    error: Tensor,
) -> tuple[Tensor, Tensor]:
    """One learning step: changes of gain and bias of every channel, summed over samples and positions.

    Args:
        currents: see there; contiguous.
        shape: of the layer, (sample, *unit), channels last.
        steps: of time.
        block: steps that are asked for at a time.
        decay: of the membrane in a step.
        error: of every spike count.
    """
    samples, channels, size = shape[0], shape[-1], math.prod(shape[1:])
    counts = LIFCounts(
        torch.zeros(samples, size),
        torch.zeros(samples, 1, channels),
        torch.zeros(samples, size),
        torch.zeros(samples, 2, dtype=torch.int64),
        drive=torch.zeros(samples, size),
    )
    for first in range(0, steps, block):
        last = min(first + block, steps)
        run_lif_window(
            currents(first, last).view(last - first, samples, size),
            counts.dendrite,
            (1.0, 1.0, 0.0),
            (decay, 0.0, 1.0, math.inf),
            counts,
            counted=True,
        )
    assert counts.drive is not None
    felt = error.view(samples, size) * (counts.drive > 0)
    gain = (felt * counts.drive).view(-1, channels).sum(0) / steps
    return gain, felt.view(-1, channels).sum(0)
