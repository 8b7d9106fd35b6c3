"""An area with two predictions: from its own last activity and from that of the top area (CLAPP++, both).

A dendrite tells one coincidence, so each unit has two populations that see the same basal input: the apical
input of one is W_pred c with c from the area itself, that of the other W_top c with c from the top area. Each
population has ON and OFF pathways, a detector and a nucleus of its own, hence its own gamma; basal synapses
add up what both make of them, and each matrix learns from its own population alone:

    dW_ji = gamma A_j d_j xbar_i + gamma' A'_j d'_j xbar_i
    dW_pred = gamma zbar c^T                dW_top = gamma' zbar' c'^T

The area above sees the mean activity of both populations. In rate code both are active alike and the changes
are the gradients of the sum of two hinge losses (arXiv:2601.21683).
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_checks import require_target_side
from clapp_snn.circuit.stream_state import Reading, Step, StreamAreaState
from clapp_snn.functional.window_plasticity import WindowUpdate
from clapp_snn.neurons.interface import Source


class TwoMemories(NamedTuple):
    """As `MemoryState`, and the whole state of the second population, whose context is the top area's."""

    context: Float[Tensor, "sample compared"]
    total: Float[Tensor, "sample compared"]
    second: StreamAreaState


class TwoUpdates(NamedTuple):
    """As `WindowUpdate`, with the change of W_top."""

    weight: Float[Tensor, "post *pre"]
    bias: Float[Tensor, "post"]
    W_pred: Float[Tensor, "compared compared"]
    W_retro: None
    W_top: Float[Tensor, "compared top"]


class TwoContexts(StreamArea):
    """As `StreamArea`, whose score, gamma and traces are those of the population that predicts itself.

    Args:
        pre, post: as for `StreamArea`.
        top: values of the top area's activity.
        **options: as for `StreamArea`; retro must be "zero".

    Raises ValueError as `StreamArea` does.
    """

    def __init__(self, pre: int, post: int, *args: Any, top: int, **options: Any) -> None:
        super().__init__(pre, post, *args, **options)
        require_target_side(self.retro)
        if self.memory.moving:
            raise ValueError("The activity of the top area is latched; this memory traces its own.")
        self.W_top = nn.Parameter(torch.full((len(self.W_pred), top), torch.nan))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """As `StreamArea.reset_parameters`, then W_top by the same rule."""
        super().reset_parameters(generator)
        self.reset_top(generator, len(self.W_top))

    def reset_top(self, generator: torch.Generator, fan: int) -> None:
        """Draw W_top from U(-1/sqrt(fan), 1/sqrt(fan))."""
        with torch.no_grad():
            self.W_top.uniform_(-1 / math.sqrt(fan), 1 / math.sqrt(fan), generator=generator)

    def initial_state(self, samples: int) -> StreamAreaState:
        """As `StreamArea.initial_state`, for both populations."""
        own, second = super().initial_state(samples), super().initial_state(samples)
        c = own.apical.new_zeros(samples, self.W_top.shape[1])
        second = second._replace(memory=self.memory.initial_state(c))
        return with_second(own, second)

    @torch.no_grad()
    def step(
        self,
        x: Float[Tensor, "sample *pre"],
        state: StreamAreaState,
        source: Source | None = None,
    ) -> tuple[Step, StreamAreaState]:
        """As `StreamArea.step`; z is the mean of both populations, the rest that of the first."""
        said, own = super().step(x, state, source)
        again, second = super().step(x.clone(), state.memory.second, source)
        return said._replace(z=(said.z + again.z) / 2), with_second(own, second)

    def told(self, state: StreamAreaState) -> Float[Tensor, "sample *unit"]:
        """As `StreamArea.told`, of both populations."""
        return (super().told(state) + super().told(state.memory.second)) / 2

    @torch.no_grad()
    def read(self, state: StreamAreaState, y: Float[Tensor, "sample"]) -> Reading:
        """As `StreamArea.read`, with the changes of both."""
        second, own = super().read(state.memory.second, y), super().read(state, y)
        weight, bias, W_pred, _ = own.update
        update = TwoUpdates(
            weight + second.update.weight,
            bias + second.update.bias,
            W_pred,
            None,
            second.update.W_pred,
        )
        return own._replace(update=update)  # type: ignore[arg-type]

    @torch.no_grad()
    def latch(
        self, state: StreamAreaState, context: Float[Tensor, "sample top"] | None = None
    ) -> StreamAreaState:
        """As `StreamArea.latch`; `context`, which must be given, is the top area's activity."""
        if context is None or context.shape[1] != self.W_top.shape[1]:
            raise ValueError(
                f"This area needs the {self.W_top.shape[1]} values of the top area, too: latch the stack."
            )
        own = super().latch(state)
        return with_second(
            own, self._begin(state.memory.second, context, lambda c: F.linear(c, self.W_top))
        )

    def changes(self, update: WindowUpdate) -> Iterator[tuple[nn.Parameter, Tensor]]:
        """Each parameter with its change."""
        yield from super().changes(update)
        assert isinstance(update, TwoUpdates)
        yield self.W_top, update.W_top


def with_second(own: StreamAreaState, second: StreamAreaState) -> StreamAreaState:
    """The state of both populations."""
    return own._replace(memory=TwoMemories(own.memory.context, own.memory.total, second))
