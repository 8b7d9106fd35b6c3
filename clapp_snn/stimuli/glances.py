"""A stream of glances: fixations stay with an object and see it anew, saccades go to another object.

Time is counted in windows, one glance each. Every draw comes from a random stream that is named by the master
seed, the number of the sample and the window. So a stream goes on from its `Position` alone, and what a
sample sees does not depend on which others share its batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from clapp_snn.randomness import generator

FIXATION, SACCADE = 1.0, -1.0


class Objects(Protocol):
    """What can be glanced at."""

    @property
    def labels(self) -> Int64[Tensor, "object"] | None:
        """Class of every object, counted from 0, or None."""

    def __len__(self) -> int:
        """Number of objects."""

    def views(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "sample *shape"]:
        """One view of each of these objects; all that is random comes from the sample's generator."""


class Inspectable(Objects, Protocol):
    """Objects that can also be looked at to be told apart: a probe averages over several looks."""

    @property
    def looks(self) -> int:
        """Looks at each object."""

    def inspect(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "sample look *shape"]:
        """All looks at each of these objects; what is random comes from the sample's generator."""

    def raw(self, seen: Float[Tensor, "sample look *shape"]) -> Float[Tensor, "sample feature"]:
        """What a read-out of the looks themselves gets."""


@dataclass(frozen=True, eq=False)
class Glance:
    """What is seen in one window.

    Attributes:
        view: input of the network.
        y: +1 after a fixation (same object as in the window before), -1 after a saccade (another object).
        index: the object.
    """

    view: Float[Tensor, "sample *shape"]
    y: Float32[Tensor, "sample"]
    index: Int64[Tensor, "sample"]


@dataclass(frozen=True, eq=False)
class Position:
    """Where a stream is: the next window, and the objects of the last one (None at the start)."""

    window: int
    index: Int64[Tensor, "sample"] | None


class GlanceStream:
    """Glances of several samples side by side.

    Args:
        objects: what is seen.
        samples: numbers of the samples; each names its own random stream.
        seed: master seed.
        p_saccade: probability that a window is reached by a saccade. The first one always is.
        windows: length of the stream; None for endless.

    A saccade goes to any other object with equal probability. Raises ValueError for fewer than two objects,
    no sample, an impossible probability or a negative length.
    """

    def __init__(
        self,
        objects: Objects,
        samples: Sequence[int],
        seed: int,
        p_saccade: float = 0.5,
        windows: int | None = None,
    ) -> None:
        if len(objects) < 2:
            raise ValueError(f"a saccade needs another object, but there are {len(objects)}")
        if not samples:
            raise ValueError("a stream needs at least one sample")
        if not 0.0 <= p_saccade <= 1.0:
            raise ValueError(f"p_saccade is a probability, from 0 to 1, not {p_saccade}")
        if windows is not None and windows < 0:
            raise ValueError(f"a stream cannot have {windows} windows")
        self.objects = objects
        self.samples = tuple(samples)
        self.seed = seed
        self.p_saccade = p_saccade
        self.windows = windows

    def start(self) -> Position:
        """Position before the first glance."""
        return Position(0, None)

    def next(self, position: Position) -> tuple[Glance, Position]:
        """The glance at `position`, and the position after it.

        Raises EOFError beyond the end of a finite stream, ValueError for a position of another batch.
        """
        window, last = position.window, position.index
        if self.windows is not None and window >= self.windows:
            raise EOFError(
                f"the stream ends after {self.windows} windows, but one more was asked for; "
                f"learn for fewer windows or give a longer stream"
            )
        if last is not None and len(last) != len(self.samples):
            raise ValueError(
                f"the position is for {len(last)} samples, but the stream has {len(self.samples)}; "
                f"continue with the batch it was saved with"
            )
        streams = [generator(self.seed, "glance", sample, window) for sample in self.samples]
        coin, place = torch.stack(
            [torch.rand(2, generator=stream, dtype=torch.float64) for stream in streams], dim=1
        )
        if last is None:
            saccade = torch.ones(len(streams), dtype=torch.bool)
            index = (place * len(self.objects)).long()
        else:
            saccade = coin < self.p_saccade
            other = (place * (len(self.objects) - 1)).long()
            index = torch.where(saccade, other + (other >= last), last)
        y = torch.where(saccade, SACCADE, FIXATION)
        glance = Glance(self.objects.views(index, streams), y, index)
        return glance, Position(window + 1, index)
