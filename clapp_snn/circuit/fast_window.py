"""Windows of a stack on the compiled CPU engine: what `StreamHierarchy.window` does, faster.

    fast = FastHierarchy(hierarchy)
    sources = [CounterStreams(seed, "area", index, samples=range(batch)) for index in range(areas)]
    states = fast.window(x, states, sources)             # then learn and latch as ever

Time is cut into blocks; every area works through a block before the next one starts, upper areas on what the
lower ones said in each of its steps. Memory is that of a block, however long the window; input that would
not fit into memory can be given block by block. `clapp_snn.circuit.fast_area` says when spikes equal those of
`StreamHierarchy.window` and when their law does.

Supported: L0 to L3 on their own ports, dense and convolutional areas with or without pooling, copies, all
read-outs and post-factors, settling, synaptic filters; constant or time-dependent input; float32 on the CPU.
Refused: the rate neuron, leaky memories, decaying eligibility traces, leaky or synaptic nuclei, monitors.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.fast_area import FastArea
from clapp_snn.circuit.stream_area import StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.neurons.interface import Source

BLOCK = 1 << 21
"""Drives of an area in a block, for all its neurons: 8 MiB, which stay in the cache of a processor."""

GIVEN = 32
"""At least so many steps where drives are given: there is nothing to keep in the cache but the state."""

Blocks = Callable[[int, int], Tensor]
"""From the first step and the one behind the last to the input of these steps, (time, sample, *pre)."""


class FastHierarchy:
    """A stack whose windows run block by block.

    Args:
        hierarchy: of areas that pass `fast_area.require_fast`; its weights are read anew in every window.
        block: steps of a block; None takes as many as keep the largest area's drives within `BLOCK`.

    Raises ValueError for an area that is not supported or a block that is not positive, NativeUnavailable
    without a C compiler.
    """

    def __init__(self, hierarchy: StreamHierarchy, block: int | None = None) -> None:
        if block is not None and block < 1:
            raise ValueError(f"A block has at least one step, not {block}.")
        self.hierarchy = hierarchy
        self.block = block
        self.areas = [FastArea(hierarchy.area(index)) for index in range(len(hierarchy.areas))]

    @torch.no_grad()
    def window(
        self,
        x: Float[Tensor, "sample *pre"] | Float[Tensor, "time sample *pre"] | Blocks,
        states: Sequence[StreamAreaState],
        sources: Sequence[Source | None],
    ) -> list[StreamAreaState]:
        """All steps of one window.

        Args:
            x: input activity: constant, one for each of the hierarchy's `steps` steps, or block by block.
            states: as `initial_state` or `latch` left them.
            sources: of random numbers, one an area, best `CounterStreams`; None where neurons draw none.

        Raises ValueError for an input of another length, size or precision, another number of states or
        sources than there are areas, a state in mid-window, and for drives that are not finite. An input that
        is not finite stops L3 at the end of the window (`StreamArea.read`, `latch`).
        """
        for name, given in (("states", states), ("sources", sources)):
            if len(given) != len(self.areas):
                raise ValueError(
                    f"A hierarchy of {len(self.areas)} areas needs as many {name}, not {len(given)}."
                )
        blocks = x if callable(x) else self._cut(x, len(states[0].size))
        for area, state, source in zip(self.areas, states, sources, strict=True):
            area.begin(state, source)
        for first, last in self._bounds(len(states[0].size)):
            now: Tensor | None = blocks(first, last)
            for index, area in enumerate(self.areas):
                assert now is not None
                if len(now) != last - first:
                    raise ValueError(
                        f"Steps {first} to {last} need as many inputs, not {len(now)}."
                    )
                now = area.advance(now, first, speak=index + 1 < len(self.areas))
        return [area.finish() for area in self.areas]

    def _cut(self, x: Tensor, samples: int) -> Blocks:
        shape = (samples, *self.hierarchy.area(0).input_shape)
        if tuple(x.shape) == shape:
            x = x.expand(self.hierarchy.steps, *shape)
        elif tuple(x.shape) != (self.hierarchy.steps, *shape):
            raise ValueError(
                f"The input must have shape {shape}, or in front of it {self.hierarchy.steps} steps, not "
                f"{tuple(x.shape)}."
            )
        return lambda first, last: x[first:last]

    def _bounds(self, samples: int) -> list[tuple[int, int]]:
        """Blocks of the window; settling and counted steps are never in one."""
        largest = max(
            math.prod(each.area.basal.drive_shape(len(each.area.weight))) * each.lanes
            for each in self.areas
        )
        least = GIVEN if all(each.bare for each in self.areas) else 1
        block = self.block or max(least, BLOCK // max(1, largest * samples))
        steps = self.hierarchy.steps
        cuts = sorted({0, steps, *(each.area.settle for each in self.areas)})
        starts = [at for cut, after in pairwise(cuts) for at in range(cut, after, block)]
        return list(pairwise([*starts, steps]))
