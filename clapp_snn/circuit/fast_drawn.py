"""Windows that are one draw, on the compiled CPU engine: rate neurons, and L3 whose counts are drawn at once.

    fast = FastDrawn(hierarchy, samples)
    fast.window(x, sources)                     # respond, area by area
    for learned in fast.learn(y):               # Eqs. 6-8; whoever learns applies the changes
        ...
    fast.latch()                                # the next window begins

Does what `StreamHierarchy.step` does for rate neurons and `drawn_windows` for L3, then `learn` and `latch`
(`clapp_snn.circuit.fast_drawn_area` says how). Rate neurons agree with the eager stack but for rounding
(Winograd's scheme, order of sums). Counts of L3 have the same law, from other random numbers: those of
`CounterStreams`. `states` and `load` exchange what areas hold between windows with the eager stack.

Supported: dense and 3x3 convolutional `StreamArea`s with rate neurons or L3 on their own ports, float32 on
the CPU, latches, ideal detectors, no filters or traces, post-factor "drive"; contexts from other areas
(`ContextHierarchy`), but no maps that are compared window by window.
"""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.fast_drawn_area import FastDrawnArea
from clapp_snn.circuit.stream_context import ContextHierarchy
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.stream_state import Learned, StreamAreaState
from clapp_snn.neurons.fast_streams import CounterStreams


def require_plain(hierarchy: StreamHierarchy) -> None:
    """Raise ValueError for a subclass, whose areas may not learn by themselves."""
    if type(hierarchy) not in (StreamHierarchy, ContextHierarchy):
        raise ValueError(
            f"The compiled engine learns area by area; {type(hierarchy).__name__} may do otherwise."
        )


class FastDrawn:
    """A stack in the middle of its stream; what areas hold lives in buffers here.

    Args:
        hierarchy: of areas that pass `require_fast_drawn`; its weights are read anew in every window.
        samples: side by side.

    Raises ValueError for an area that is not supported, naming the reason, and for a stack that learns
    otherwise than `StreamHierarchy`.
    """

    def __init__(self, hierarchy: StreamHierarchy, samples: int) -> None:
        require_plain(hierarchy)
        self.hierarchy = hierarchy
        self.areas = [
            FastDrawnArea(hierarchy.area(index), samples) for index in range(len(hierarchy.areas))
        ]

    @torch.no_grad()
    def window(
        self, x: Float[Tensor, "sample *pre"], sources: Sequence[CounterStreams | None]
    ) -> None:
        """The response of every area, bottom up.

        Args:
            x: input activity, in units of z.
            sources: of random numbers, one an area, which number the samples; None for rate neurons.

        Raises ValueError for an input of another shape or precision, values that are not finite, another
        number of sources than areas, and between a window and its `latch`. The stack is then as it was
        before, but for the numbers that sources have drawn.
        """
        if len(sources) != len(self.areas):
            raise ValueError(
                f"A hierarchy of {len(self.areas)} areas needs as many sources, not {len(sources)}."
            )
        if any(area.score is not None for area in self.areas):
            raise ValueError("The last window has not been latched yet.")
        self.areas[0].take(x)
        try:
            for index, (area, source) in enumerate(zip(self.areas, sources, strict=True)):
                above = self.areas[index + 1] if index + 1 < len(self.areas) else None
                area.respond(source, None if above is None else above.input)
        except BaseException:
            for area in self.areas:  # a window that ends in some area is none in any
                area.score = None
            raise

    @torch.no_grad()
    def learn(self, y: Float[Tensor, "sample"]) -> Iterator[Learned]:
        """What every area learns from the window, bottom up; each depends on its own area alone.

        Raises ValueError unless a window has passed, and for a y that is neither +1 nor -1.
        """
        for index, area in enumerate(self.areas):
            yield area.learn(index, y)

    @torch.no_grad()
    def latch(self) -> None:
        """Begin the next window in all areas, with the weights as they are now.

        Raises ValueError unless a window has passed.
        """
        if any(area.score is None for area in self.areas):
            raise ValueError("No window has passed since the last latch.")
        seen = [area.z for area in self.areas]
        stack = self.hierarchy
        sources = stack.predicted_by if isinstance(stack, ContextHierarchy) else range(len(seen))
        for area, source in zip(self.areas, sources, strict=True):
            area.latch(seen[source])

    @torch.no_grad()
    def states(self) -> list[StreamAreaState]:
        """What the areas hold between windows; raises ValueError between a window and its `latch`."""
        return [area.state() for area in self.areas]

    @property
    def turn(self) -> int:
        """Which half of its buffers holds the present window, 0 or 1: the order of sums depends on it."""
        return self.areas[0].now

    @torch.no_grad()
    def load(self, states: Sequence[StreamAreaState], turn: int = 0) -> None:
        """Go on from `states`, bit by bit where `turn` is theirs.

        Raises ValueError in mid-window or for states of other areas.
        """
        for area, state in zip(self.areas, states, strict=True):
            area.load(state, turn)
