"""A network in the middle of its stream: everything that an exact continuation needs, at any time step."""

from typing import Any, TypeVar

import torch
from torch import Tensor

from clapp_snn.circuit.drawn_window import drawn_windows
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.stream_input import stream_input
from clapp_snn.neurons.noise import SampleStreams
from clapp_snn.stimuli.glances import GlanceStream, Position
from clapp_snn.training.stream_learner import AreaWindow, StreamLearner

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
    """

    def __init__(
        self, learner: StreamLearner, stream: GlanceStream, seed: int, drawn: bool = False
    ) -> None:
        self.learner, self.stream, self.drawn = learner, stream, drawn
        self.network: StreamHierarchy = learner.hierarchy
        samples = list(stream.samples)
        self.states = self.network.initial_state(len(samples))
        self.sources = [
            SampleStreams(seed, samples, "stream area", index)
            for index in range(len(self.network.areas))
        ]
        self.position = stream.start()
        self._look()

    def _look(self) -> None:
        """See the glance at the present position; an ended stream has none."""
        ended = self.stream.windows is not None and self.position.window >= self.stream.windows
        self._seen = None if ended else self.stream.next(self.position)
        if self._seen is not None:
            self._input = stream_input(self.network, self._seen[0].view)
            self._in_time = self._input.dim() == self.states[0].basal.dim() + 1

    @property
    def windows(self) -> int:
        """Windows that are done."""
        return self.position.window

    def advance(self) -> list[AreaWindow] | None:
        """One time step, or one window where it is drawn; at the end of a window learn, and report.

        Raises EOFError at the end of the stream, DivergedWeights as the learner does.
        """
        if self._seen is None:
            self._seen = self.stream.next(self.position)
        glance, after = self._seen
        x = self._input
        if self.drawn:
            self.states = drawn_windows(self.network, x, self.states, self.sources)
        else:
            now = x[int(self.states[0].elapsed)] if self._in_time else x
            _, self.states = self.network.step(now, self.states, self.sources)
            if int(self.states[0].elapsed) < self.network.steps:
                return None
        seen = self.learner.learn(self.states, glance.y.to(x.dtype))
        self.states = self.network.latch(self.states)
        self.position = after
        self._look()
        return seen

    def tensors(self) -> dict[str, Tensor]:
        """States of areas and random streams, and the objects of the last window."""
        result: dict[str, Tensor] = {}
        for index, (state, source) in enumerate(zip(self.states, self.sources, strict=True)):
            result |= flatten(state, f"stream.area_{index + 1}")
            generators = [each.get_state() for pair in source.streams for each in pair]
            result[f"stream.random_{index + 1}"] = torch.stack(generators)
        if self.position.index is not None:
            result["stream.objects"] = self.position.index
        return result

    def load(self, tensors: dict[str, Tensor], windows: int) -> None:
        """Go on from `tensors`, `windows` of them done; raises ValueError where they do not fit."""
        self.states = [
            unflatten(state, f"stream.area_{index + 1}", tensors)
            for index, state in enumerate(self.states)
        ]
        for index, source in enumerate(self.sources):
            generators = [each for pair in source.streams for each in pair]
            rows = tensors[f"stream.random_{index + 1}"]
            for each, row in zip(generators, rows, strict=True):
                # set_state reads from the start of the storage: a row of a table needs its own.
                each.set_state(row.clone())
        self.position = Position(windows, tensors.get("stream.objects"))
        self._look()
