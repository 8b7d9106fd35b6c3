"""A network in the middle of its stream: everything that an exact continuation needs, at any time step."""

from collections.abc import Sequence
from typing import Any, TypeVar

from torch import Tensor

from clapp_snn.circuit.engine_choice import Engine
from clapp_snn.circuit.stream_area import StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.stream_input import stream_input
from clapp_snn.neurons.interface import Source
from clapp_snn.stimuli.glances import GlanceStream, Position
from clapp_snn.training.stream_learner import AreaWindow, StreamLearner
from clapp_snn.training.stream_runner import make_runner

T = TypeVar("T")


def flatten(state: Any, name: str) -> dict[str, Tensor]:
    """All tensors of nested named tuples, by their path."""
    if isinstance(state, Tensor):
        return {name: state}
    return {
        path: tensor
        for field in state._fields
        for path, tensor in flatten(getattr(state, field), f"{name}.{field}").items()
    }


def unflatten(like: T, name: str, tensors: dict[str, Tensor]) -> T:
    """Named tuples like `like` that hold the tensors of `flatten`.

    Raises ValueError for a tensor that is missing or has another shape or precision.
    """
    if isinstance(like, Tensor):
        found = tensors.get(name)
        if found is None or (found.shape, found.dtype) != (like.shape, like.dtype):
            raise ValueError(
                f"The stored stream has no {name} of shape {tuple(like.shape)} in {like.dtype}; resume with "
                "the configuration of the run."
            )
        return found.to(like.device)  # type: ignore[return-value]
    fields: Any = like
    parts = [unflatten(getattr(like, f), f"{name}.{f}", tensors) for f in fields._fields]
    return type(like)(*parts)


class StreamSession:
    """Looks, steps and learns; between two calls of `advance` it can be saved and restored.

    Every sample draws its random numbers from streams of its own, so what a sample does never depends on the
    rest of its batch, but for the weights that all of them change.

    Args:
        learner: with the network.
        stream: of glances.
        seed: of the neurons' random numbers.
        drawn: True draws the counts of a window at once.
        engine: who computes windows (`clapp_snn.training.stream_runner`).

    Raises ValueError or NativeUnavailable for an engine that cannot.
    """

    def __init__(
        self,
        learner: StreamLearner,
        stream: GlanceStream,
        seed: int,
        drawn: bool = False,
        engine: Engine = "torch",
    ) -> None:
        self.learner, self.stream, self.drawn = learner, stream, drawn
        self.network: StreamHierarchy = learner.hierarchy
        self.runner = make_runner(self.network, stream.samples, seed, drawn, engine)
        self.position = stream.start()
        self._look()

    def _look(self) -> None:
        """See the glance at the present position; an ended stream has none."""
        ended = self.stream.windows is not None and self.position.window >= self.stream.windows
        self._seen = None if ended else self.stream.next(self.position)
        if self._seen is not None:
            self._input = stream_input(self.network, self._seen[0].view)
            shape = self.network.area(0).input_shape
            self._in_time = self._input.dim() == len(shape) + 2

    @property
    def windows(self) -> int:
        """Windows that are done."""
        return self.position.window

    @property
    def states(self) -> list[StreamAreaState]:
        """Of the areas."""
        return self.runner.states

    @property
    def sources(self) -> Sequence[Source]:
        """Of the areas' random numbers."""
        return self.runner.sources

    def advance(self) -> list[AreaWindow] | None:
        """One time step, or one window where it is done at once; at the end of a window learn, and report.

        Raises EOFError at the end of the stream, DivergenceError as the learner does.
        """
        if self._seen is None:
            self._seen = self.stream.next(self.position)
        glance, after = self._seen
        if not self.runner.advance(self._input, self._in_time):
            return None
        seen = self.runner.learn(self.learner, glance.y.to(self._input))
        self.position = after
        self._look()
        return seen

    def tensors(self) -> dict[str, Tensor]:
        """States of areas and random streams, and the objects of the last window."""
        result: dict[str, Tensor] = {}
        for index, state in enumerate(self.states):
            result |= flatten(state, f"stream.area_{index + 1}")
        result |= self.runner.randomness()
        if self.position.index is not None:
            result["stream.objects"] = self.position.index
        return result

    def load(self, tensors: dict[str, Tensor], windows: int) -> None:
        """Go on from `tensors`, `windows` of them done; raises ValueError where they do not fit."""
        states = [
            unflatten(state, f"stream.area_{index + 1}", tensors)
            for index, state in enumerate(self.states)
        ]
        self.runner.restore(states, tensors)
        self.position = Position(windows, tensors.get("stream.objects"))
        self._look()
