"""How an area remembers the activity c of the last window, from which it predicts the present one."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from jaxtyping import Float
from torch import Tensor


class MemoryState(NamedTuple):
    """What is remembered.

    Attributes:
        context: activity that predicts in this step.
        total: sum of the contexts of the window so far; stays 0 for the latch, whose context does not change.
    """

    context: Float[Tensor, "sample unit"]
    total: Float[Tensor, "sample unit"]


class ApicalMemory(ABC):
    """Common to both memories.

    Attributes:
        moving: True if the context changes within a window.
        dt: time step it was made for, ms; None if it fits any.
    """

    moving: ClassVar[bool]
    dt: float | None = None

    def initial_state(self, like: Float[Tensor, "sample unit"]) -> MemoryState:
        """Nothing remembered, in the shape of `like`."""
        return MemoryState(like.new_zeros(like.shape), like.new_zeros(like.shape))

    @abstractmethod
    def step(self, z: Float[Tensor, "sample unit"], state: MemoryState) -> MemoryState:
        """One time step in which the activity was `z`."""

    @abstractmethod
    def average(self, state: MemoryState, steps: int) -> Float[Tensor, "sample unit"]:
        """Mean context over a window of `steps` steps, the c of Eq. 8."""

    @abstractmethod
    def close(self, z: Float[Tensor, "sample unit"], state: MemoryState) -> MemoryState:
        """The window is over; `z` is its mean activity."""


class Latch(ApicalMemory):
    """A plateau written at the end of a window and held through the next (default).

    Dendritic plateaus outlast somatic activity; for windows beyond 50-100 ms the latch stands for a plateau
    that is kept up.
    """

    moving = False

    def step(self, z: Float[Tensor, "sample unit"], state: MemoryState) -> MemoryState:
        """Hold."""
        return state

    def average(self, state: MemoryState, steps: int) -> Float[Tensor, "sample unit"]:
        """What is held."""
        return state.context

    def close(self, z: Float[Tensor, "sample unit"], state: MemoryState) -> MemoryState:
        """Write the window's activity."""
        return MemoryState(z, state.total)


class LeakyTrace(ApicalMemory):
    """A trace that forgets with time constant tau (ablation).

    It mixes past and present. Averaged over a window of length T, the share of what was there before the
    window is (tau / T) (1 - exp(-T / tau)) (`carried_over`): with tau = T / 2 only 43 %. The rest
    predicts the present from itself, on fixations and saccades alike.

    Args:
        tau: ms.
        dt: ms.

    Raises ValueError unless both are positive.
    """

    moving = True

    def __init__(self, tau: float, dt: float = 1.0) -> None:
        if not (tau > 0 and dt > 0):
            raise ValueError(f"tau and dt of a trace must be positive, not {tau} and {dt}.")
        self.tau = tau
        self.dt = dt
        self.decay = math.exp(-dt / tau)

    def step(self, z: Float[Tensor, "sample unit"], state: MemoryState) -> MemoryState:
        """Forget a little and take up `z`."""
        context = self.decay * state.context + (1 - self.decay) * z
        return MemoryState(context, state.total + context)

    def average(self, state: MemoryState, steps: int) -> Float[Tensor, "sample unit"]:
        """Mean of the trace over the window."""
        return state.total / steps

    def close(self, z: Float[Tensor, "sample unit"], state: MemoryState) -> MemoryState:
        """The trace runs on; a new average begins."""
        return MemoryState(state.context, state.total.new_zeros(state.total.shape))

    def carried_over(self, window: float) -> float:
        """Share of the content from before a window of `window` ms in the average over it."""
        return self.tau / window * (1 - math.exp(-window / self.tau))
