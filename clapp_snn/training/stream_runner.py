"""Who carries a stack of areas through its windows: the eager code, or the compiled engine.

| runner | engine | windows | random numbers |
|---|---|---|---|
| `EagerRunner` | torch | step by step, or L3's counts drawn at once | generators of every sample |
| `DrawnRunner` | native | rate neurons, or L3's counts drawn at once (`FastDrawn`) | by counter |
| `BlockRunner` | native | every step, block by block (`FastHierarchy`) | by counter |

The compiled runners do whole windows at a time, so an interrupted run waits for the end of its window.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.drawn_window import drawn_windows
from clapp_snn.circuit.engine_choice import Engine, one_draw, require_native
from clapp_snn.circuit.fast_drawn import FastDrawn
from clapp_snn.circuit.fast_window import FastHierarchy
from clapp_snn.circuit.stream_area import StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.interface import Source
from clapp_snn.neurons.noise import SampleStreams
from clapp_snn.training.stream_learner import AreaWindow, StreamLearner


class Runner(ABC):
    """Holds the states of the areas and the sources of their random numbers.

    Attributes:
        engine: see above.
        network: as given.
        sources: of the areas' random numbers.
    """

    engine: Engine
    sources: Sequence[Source]

    def __init__(self, network: StreamHierarchy) -> None:
        self.network = network

    @property
    @abstractmethod
    def states(self) -> list[StreamAreaState]:
        """Of the areas."""

    @property
    @abstractmethod
    def elapsed(self) -> int:
        """Steps of the present window."""

    @abstractmethod
    def advance(self, x: Tensor, in_time: bool) -> bool:
        """A step, or a window of input `x` (with `in_time` one for each step); whether the window is over."""

    @abstractmethod
    def learn(self, learner: StreamLearner, y: Float[Tensor, "sample"]) -> list[AreaWindow]:
        """Learn at the end of a window, and latch."""

    @abstractmethod
    def randomness(self) -> dict[str, Tensor]:
        """Where the random streams are, as named tensors."""

    @abstractmethod
    def restore(self, states: Sequence[StreamAreaState], tensors: dict[str, Tensor]) -> None:
        """Go on from `states` and `randomness`; raises ValueError for those of another engine."""


class EagerRunner(Runner):
    """Arguments: the network, numbers of the samples, master seed, whether windows are drawn at once."""

    engine: Engine = "torch"
    sources: list[SampleStreams]

    def __init__(
        self, network: StreamHierarchy, samples: Sequence[int], seed: int, drawn: bool
    ) -> None:
        super().__init__(network)
        self.drawn = drawn
        self._states = network.initial_state(len(samples))
        device = network.area(0).weight.device
        self.sources = [
            SampleStreams(seed, list(samples), "stream area", index, device=device)
            for index in range(len(network.areas))
        ]

    @property
    def states(self) -> list[StreamAreaState]:
        """Of the areas."""
        return self._states

    @property
    def elapsed(self) -> int:
        """Steps of the present window."""
        return int(self._states[0].elapsed)

    def advance(self, x: Tensor, in_time: bool) -> bool:
        """See `Runner`: one step, or a drawn window."""
        if self.drawn:
            self._states = drawn_windows(self.network, x, self._states, self.sources)
        else:
            now = x[self.elapsed] if in_time else x
            _, self._states = self.network.step(now, self._states, self.sources)
        return self.elapsed == self.network.steps

    def learn(self, learner: StreamLearner, y: Float[Tensor, "sample"]) -> list[AreaWindow]:
        """See `Runner`."""
        seen = learner.learn(self._states, y)
        self._states = self.network.latch(self._states)
        return seen

    def randomness(self) -> dict[str, Tensor]:
        """States of all generators."""
        return {
            f"stream.random_{index + 1}": torch.stack(
                [each.get_state() for pair in source.streams for each in pair]
            )
            for index, source in enumerate(self.sources)
        }

    def restore(self, states: Sequence[StreamAreaState], tensors: dict[str, Tensor]) -> None:
        """See `Runner`."""
        for index, source in enumerate(self.sources):
            generators = [each for pair in source.streams for each in pair]
            rows = _stored(tensors, f"stream.random_{index + 1}", "native")
            if rows.shape != (len(generators), len(generators[0].get_state())):
                raise ValueError(
                    f"The stored random numbers are not those of a {generators[0].device.type} generator: "
                    "the run was begun on another device; resume with that one."
                )
            for each, row in zip(generators, rows, strict=True):
                # set_state reads from the start of the storage: a row of a table needs its own.
                each.set_state(row.clone())
        self._states = list(states)


class _CompiledRunner(Runner):
    """Arguments: the network, numbers of the samples, master seed."""

    engine: Engine = "native"
    sources: list[CounterStreams]

    def __init__(self, network: StreamHierarchy, samples: Sequence[int], seed: int) -> None:
        super().__init__(network)
        self.sources = [
            CounterStreams(seed, "stream area", index, samples=list(samples))
            for index in range(len(network.areas))
        ]

    @property
    def elapsed(self) -> int:
        """0: windows are whole."""
        return 0

    def randomness(self) -> dict[str, Tensor]:
        """The next step of every area's counter."""
        return {
            f"stream.counter_{index + 1}": torch.tensor(source.step)
            for index, source in enumerate(self.sources)
        }

    def restore(self, states: Sequence[StreamAreaState], tensors: dict[str, Tensor]) -> None:
        """See `Runner`."""
        for index, source in enumerate(self.sources):
            source.step = int(_stored(tensors, f"stream.counter_{index + 1}", "torch"))


class DrawnRunner(_CompiledRunner):
    """Windows that are one draw."""

    def __init__(self, network: StreamHierarchy, samples: Sequence[int], seed: int) -> None:
        super().__init__(network, samples, seed)
        self.fast = FastDrawn(network, len(samples))

    @property
    def states(self) -> list[StreamAreaState]:
        """Of the areas."""
        return self.fast.states()

    def advance(self, x: Tensor, in_time: bool) -> bool:
        """See `Runner`: a window."""
        self.fast.window(x, self.sources)
        return True

    def learn(self, learner: StreamLearner, y: Float[Tensor, "sample"]) -> list[AreaWindow]:
        """See `Runner`."""
        seen = learner.apply(self.fast.learn(y), y)
        self.fast.latch()
        return seen

    def randomness(self) -> dict[str, Tensor]:
        """Also the order in which windows are summed."""
        return super().randomness() | {"stream.turn": torch.tensor(self.fast.turn)}

    def restore(self, states: Sequence[StreamAreaState], tensors: dict[str, Tensor]) -> None:
        """See `Runner`."""
        super().restore(states, tensors)
        self.fast.load(states, int(_stored(tensors, "stream.turn", "torch")))


class BlockRunner(_CompiledRunner):
    """Windows whose every step is simulated."""

    def __init__(self, network: StreamHierarchy, samples: Sequence[int], seed: int) -> None:
        super().__init__(network, samples, seed)
        self.fast = FastHierarchy(network)
        self._states = network.initial_state(len(samples))

    @property
    def states(self) -> list[StreamAreaState]:
        """Of the areas."""
        return self._states

    def advance(self, x: Tensor, in_time: bool) -> bool:
        """See `Runner`: a window."""
        self._states = self.fast.window(x, self._states, self.sources)
        return True

    def learn(self, learner: StreamLearner, y: Float[Tensor, "sample"]) -> list[AreaWindow]:
        """See `Runner`."""
        seen = learner.learn(self._states, y)
        self._states = self.network.latch(self._states)
        return seen

    def restore(self, states: Sequence[StreamAreaState], tensors: dict[str, Tensor]) -> None:
        """See `Runner`."""
        super().restore(states, tensors)
        self._states = list(states)


def make_runner(
    network: StreamHierarchy, samples: Sequence[int], seed: int, drawn: bool, engine: Engine
) -> Runner:
    """The runner of these windows; raises as `require_native` does."""
    if engine == "torch":
        return EagerRunner(network, samples, seed, drawn)
    require_native(network, drawn)
    kind = DrawnRunner if one_draw(network, drawn) else BlockRunner
    return kind(network, samples, seed)


def engine_of(tensors: dict[str, Tensor]) -> Engine:
    """Which engine wrote a stored stream."""
    return "torch" if "stream.random_1" in tensors else "native"


def _stored(tensors: dict[str, Tensor], name: str, other: Engine) -> Tensor:
    found = tensors.get(name)
    if found is None:
        raise ValueError(
            f"The stored stream has no {name}: it was begun with engine={other!r}, whose random numbers are "
            "others; resume with that engine, or 'auto'."
        )
    return found
