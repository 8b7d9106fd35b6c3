"""What a soma writes for its learning synapses at the end of a window: whole steps, rounded at random.

The engine cuts 3 bits off x1 y1 and 5 off t y2, and rounds down. So that nothing is cut off, the soma rounds
before, in its own program, to steps of 8 and 32:

    y1       = 8 k1      k1 = [gamma A d + h sign(target - z)] / 8, rounded, within +-15
    y2       = 32 k2     k2 = [gamma R] / 8, rounded, -4 to 3
    y3       = 8 d       d = [z > 0]
    W_pred   y1 = 8 gamma [z / 2^count_bits], rounded, at most 15;   W_retro likewise with c

The term with h is homeostasis: it pulls the spikes of a window towards `target` with probability h / 8 a
window, and keeps neurons from falling silent. Rounding adds random bits and shifts right. Every soma draws
them from a state of 15 bits, noise <- (205 noise + 12345) mod 2^15, four times a window, from its highest
bits; products fit into the 24 bits of a state. The program needs products, sums, comparisons, shifts and
masks of integers, and no source of random numbers.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int64

from clapp_snn.export.loihi2.learning import Post
from clapp_snn.randomness import generator

NOISE_BITS = 15
MULTIPLIER, INCREMENT = 205, 12345
"""Period 2^15. Of the multipliers 4 k + 1 below 256, the one whose numbers, pairs of numbers four draws apart
included, lie on the finest lattices in two and three dimensions (at least 0.75 of the finest possible)."""
FRACTION = 3
"""Bits of A and R below one step of y1 and y2."""
LARGEST_STEP = 15
CONTEXT_STEPS = (-4, 3)

Counts = Int64[np.ndarray, "post"]


@dataclass(frozen=True)
class SomaProgram:
    """Constants of the program.

    Attributes:
        target: spikes of a window that homeostasis aims at.
        homeostasis: h, 0 to 7; 0 for none.
        count_bits: of counts below one step of the lateral y1, 0 to 3.

    Raises ValueError for what the program cannot do.
    """

    target: int = 6
    homeostasis: int = 3
    count_bits: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.homeostasis < 2**FRACTION:
            raise ValueError(
                f"The homeostatic term lies between 0 and {2**FRACTION - 1}; it is {self.homeostasis}."
            )
        if not 0 <= self.count_bits <= 3:
            raise ValueError(
                f"Between 0 and 3 bits of counts are rounded away, not {self.count_bits}."
            )
        if self.target < 0:
            raise ValueError(f"The target is a number of spikes; it is {self.target}.")


class Held(NamedTuple):
    """What a soma holds at the end of a window: z, c, A, R; and gamma, which all share."""

    z: Counts
    c: Counts
    A: Counts
    R: Counts
    gamma: int


class Written(NamedTuple):
    """For basal synapses, W_pred and W_retro, and the noise from then on."""

    basal: Post
    pred: Post
    retro: Post
    noise: Counts | None


def initial_noise(post: int, seed: int = 0) -> Counts:
    """Different states for up to 2^15 somata, drawn without replacement.

    Raises ValueError for more of them.
    """
    if post > 2**NOISE_BITS:
        raise ValueError(f"{post} somata are more than {2**NOISE_BITS} states of the noise.")
    states = torch.randperm(2**NOISE_BITS, generator=generator(seed, "noise of somata"))
    return states[:post].numpy()


def write(program: SomaProgram, held: Held, noise: Counts | None) -> Written:
    """Run the program once, at the end of a window.

    Args:
        program: constants.
        held: state.
        noise: of every soma; None rounds to the nearest.
    """
    z, c, A, R, gamma = held
    d, nothing = (z > 0).astype(np.int64), np.zeros_like(z)
    pull = program.homeostasis * np.sign(program.target - z)
    k1, noise = _in_steps(gamma * A * d + pull, FRACTION, noise)
    k2, noise = _in_steps(gamma * R, FRACTION, noise)
    k3, noise = _in_steps(z, program.count_bits, noise)
    k4, noise = _in_steps(c, program.count_bits, noise)
    return Written(
        Post(8 * np.clip(k1, -LARGEST_STEP, LARGEST_STEP), 32 * np.clip(k2, *CONTEXT_STEPS), 8 * d),
        Post(8 * gamma * np.minimum(k3, LARGEST_STEP), nothing, nothing),
        Post(8 * gamma * np.minimum(k4, LARGEST_STEP), nothing, nothing),
        noise,
    )


def _in_steps(values: Counts, bits: int, noise: Counts | None) -> tuple[Counts, Counts | None]:
    """values / 2^bits, rounded by the next random bits."""
    if noise is None:
        return (values + (1 << bits >> 1)) >> bits, None
    noise = (MULTIPLIER * noise + INCREMENT) % 2**NOISE_BITS
    return (values + (noise >> (NOISE_BITS - bits))) >> bits, noise
