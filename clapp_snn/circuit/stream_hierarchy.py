"""A stack of areas on one stream: activity travels upward in every step, nothing travels back."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.circuit.stream_area import Reading, Step, StreamArea, StreamAreaState
from clapp_snn.neurons.interface import Source
from clapp_snn.randomness import generator

Watcher = Callable[[int, int, Step, StreamAreaState], None]
"""Called after every step of every area: area, step in the window, what happened, state."""


class StreamUpdate(NamedTuple):
    """What one area learned from one window.

    Attributes:
        area: index from 0, bottom up.
        changes: parameter and change, of equal shape, in the direction of learning.
        reading: score, gamma and traces.
    """

    area: int
    changes: list[tuple[nn.Parameter, Tensor]]
    reading: Reading


class StreamHierarchy(nn.Module):
    """Areas that share the length of a window and the time step.

    Args:
        areas: bottom up; each takes as many inputs as the one below has units.

    Raises ValueError for areas that do not fit on one another, or that keep different time.
    """

    def __init__(self, areas: Sequence[StreamArea]) -> None:
        super().__init__()
        if not areas:
            raise ValueError("A hierarchy needs at least one area.")
        for below, above in pairwise(areas):
            if above.input_shape != below.unit_shape:
                raise ValueError(
                    f"An area of {_text(above.input_shape)} inputs cannot follow one of "
                    f"{_text(below.unit_shape)} units."
                )
            if (above.steps, above.neuron.dt) != (below.steps, below.neuron.dt):
                raise ValueError(
                    f"All areas need the same window: {below.steps} steps of {below.neuron.dt:g} ms below, "
                    f"{above.steps} steps of {above.neuron.dt:g} ms above."
                )
        self.areas = nn.ModuleList(areas)

    def area(self, index: int) -> StreamArea:
        """Area `index`, counted from 0."""
        return cast(StreamArea, self.areas[index])

    @property
    def steps(self) -> int:
        """Time steps of a window."""
        return self.area(0).steps

    def reset_parameters(self, seed: int) -> None:
        """Draw all weights from streams named by the master seed and the area."""
        for index in range(len(self.areas)):
            self.area(index).reset_parameters(generator(seed, "init", "stream area", index))

    def initial_state(self, samples: int) -> list[StreamAreaState]:
        """All areas at rest."""
        return [self.area(index).initial_state(samples) for index in range(len(self.areas))]

    def step(
        self,
        x: Float[Tensor, "sample *pre"],
        states: Sequence[StreamAreaState],
        sources: Sequence[Source | None],
    ) -> tuple[list[Step], list[StreamAreaState]]:
        """One time step, bottom up; `x` as for `StreamArea.step`, one state and one source an area.

        Raises ValueError for another number of states or sources than there are areas.
        """
        self._require_one_each("states", states)
        self._require_one_each("sources", sources)
        steps, after = [], []
        for index, (state, source) in enumerate(zip(states, sources, strict=True)):
            step, state = self.area(index).step(x, state, source)
            steps.append(step)
            after.append(state)
            x = step.z
        return steps, after

    def window(
        self,
        x: Float[Tensor, "sample *pre"] | Float[Tensor, "time sample *pre"],
        states: Sequence[StreamAreaState],
        sources: Sequence[Source | None],
        watch: Watcher | None = None,
    ) -> list[StreamAreaState]:
        """All steps of one window.

        Args:
            x: input activity, constant or one for each of `steps` steps.
            states: as `initial_state` or `latch` left them.
            sources: of random numbers, one an area; None where neurons draw none.
            watch: sees every step.

        Raises ValueError for an input of another length or size, or with values that are not finite, and for
        another number of states or sources than there are areas.
        """
        self._require_one_each("states", states)
        self._require_one_each("sources", sources)
        samples, shape = len(states[0].size), self.area(0).input_shape
        in_time = x.dim() == len(shape) + 2
        if tuple(x.shape[1:] if in_time else x.shape) != (samples, *shape):
            raise ValueError(
                f"The input must have {samples} samples of {_text(shape)}, not shape {tuple(x.shape)}."
            )
        if not torch.isfinite(x).all():
            raise ValueError("The input holds values that are not finite (NaN or inf).")
        if in_time and len(x) != self.steps:
            raise ValueError(f"A window has {self.steps} steps, but the input has {len(x)}.")
        now = list(states)
        for index in range(self.steps):
            steps, now = self.step(x[index] if in_time else x, now, sources)
            if watch is not None:
                for area, (step, state) in enumerate(zip(steps, now, strict=True)):
                    watch(area, index, step, state)
        return now

    @torch.no_grad()
    def learn(
        self, states: Sequence[StreamAreaState], y: Float[Tensor, "sample"]
    ) -> Iterator[StreamUpdate]:
        """Read all areas at the end of a window; each update depends on its own area alone."""
        self._require_one_each("states", states)
        for index, state in enumerate(states):
            reading = self.area(index).read(state, y)
            yield StreamUpdate(index, list(self.area(index).changes(reading.update)), reading)

    def latch(self, states: Sequence[StreamAreaState]) -> list[StreamAreaState]:
        """Begin the next window in all areas, with the weights as they are now."""
        self._require_one_each("states", states)
        return [self.area(index).latch(state) for index, state in enumerate(states)]

    def _require_one_each(self, name: str, given: Sequence[object]) -> None:
        if len(given) != len(self.areas):
            raise ValueError(
                f"A hierarchy of {len(self.areas)} areas needs as many {name}, not {len(given)}."
            )


def _text(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
