"""Presynaptic traces of 7 bits, and the ways to round.

A trace decays by exp(-1 / tau) a step; what falls between two integers is rounded up where a random number
is less than the fraction. Spikes add an impulse and the trace saturates at 127. Traces are updated at the
end of a learning epoch, from the time of the last spike in it; earlier spikes of the epoch count at once.
Source: the bit-approximate learning model of lava-nc 0.10.
"""

from typing import Protocol

import numpy as np
from jaxtyping import Float64, Int64

LARGEST_TRACE = 127
Random = float | Float64[np.ndarray, "*shape"]


class Rounding(Protocol):
    """Random numbers in [0, 1) for one set of synapses."""

    def advance(self) -> None:
        """To be called once a time step."""

    def pre(self, shape: tuple[int, ...]) -> Random:
        """For the decay of presynaptic traces."""

    def post(self, shape: tuple[int, ...]) -> Random:
        """For the decay of postsynaptic traces."""

    def synapse(self, shape: tuple[int, ...]) -> Random:
        """For synaptic variables; drawn anew at every call."""


class Nearest:
    """No randomness: always 1/2."""

    def advance(self) -> None:
        """Nothing."""

    def pre(self, shape: tuple[int, ...]) -> Random:
        """1/2."""
        return 0.5

    post = pre
    synapse = pre


class Shared:
    """One number for all synapses of a connection, as Lava draws them.

    Args:
        seed: `rng_seed` of Lava's learning rule.
        synapse_seed: of the numbers for synaptic variables; Lava uses 2.
    """

    def __init__(self, seed: int, synapse_seed: int = 2) -> None:
        self._pre = np.random.default_rng(seed)
        self._post = np.random.default_rng(seed + 2)
        self._synapse = np.random.default_rng(synapse_seed)
        self._pre_now = self._pre.random()
        self._post_now = self._post.random()
        self._synapse.random()

    def advance(self) -> None:
        """Two numbers a step, of which the second is used."""
        self._pre_now = self._pre.random(2)[1]
        self._post_now = self._post.random(2)[1]

    def pre(self, shape: tuple[int, ...]) -> Random:
        """The step's number."""
        return self._pre_now

    def post(self, shape: tuple[int, ...]) -> Random:
        """The step's number."""
        return self._post_now

    def synapse(self, shape: tuple[int, ...]) -> Random:
        """The next number."""
        return self._synapse.random()


class Independent:
    """A number of its own for every trace and synapse, as on a chip.

    Args:
        generator: where they come from.
    """

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def advance(self) -> None:
        """Nothing."""

    def pre(self, shape: tuple[int, ...]) -> Random:
        """New numbers."""
        return self._generator.random(shape)

    post = pre
    synapse = pre


def rounded(values: Float64[np.ndarray, "*shape"], random: Random) -> Int64[np.ndarray, "*shape"]:
    """Down, or up where `random` is less than the fraction; unbiased for uniform numbers."""
    down = np.floor(values)
    return (down + (random < values - down)).astype(np.int64)


def decayed_trace(
    trace: Int64[np.ndarray, "*shape"], tau: float, random: Random
) -> Int64[np.ndarray, "*shape"]:
    """One step; tau = 0 clears the trace."""
    if not trace.any():
        return trace
    return rounded(np.exp(-1 / tau) * trace, random) if tau else np.zeros_like(trace)


def with_impulse(trace: Int64[np.ndarray, "*shape"], impulse: int) -> Int64[np.ndarray, "*shape"]:
    """After a spike."""
    return np.minimum(trace + impulse, LARGEST_TRACE)
