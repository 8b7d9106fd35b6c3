"""Numbers of SpiNNaker's cores: s16.15, whole multiples of 2^-15 in 32 bits with sign.

Sources: sPyNNaker (`neuron/models/neuron_model_lif_impl.h`, `neuron/decay.h`,
`neuron/synapse_types/exp_synapse_utils.h`, `population_vertex.py`) and SpiNNFrontEndCommon
(`DataType.S1615`), version 7.4. The exponential of the cores is taken to be correctly rounded, quotients to
be rounded down; neither is documented, and each may be wrong by 2^-15.
"""

import math

import numpy as np
from jaxtyping import Float, Int64

FRACTION_BITS = 15
ONE = 1 << FRACTION_BITS
LARGEST = 2**31 - 1
LARGEST_DRIVE = 32767.0
"""Voltages that drive leads to stay below half of the format, so that their differences fit, too."""
BUFFER_BITS = 16
"""Of one entry of a ring buffer, which sums the weights that arrive in one step; no sign."""

Fixed = Int64[np.ndarray, "*shape"]


def fixed(values: Float[np.ndarray, "*shape"] | float, what: str) -> Fixed:
    """The nearest numbers of the format, as multiples of 2^-15.

    Raises ValueError for values that do not fit.
    """
    found = np.round(np.asarray(values, np.float64) * ONE)
    if not (np.abs(found) <= LARGEST).all():
        raise ValueError(f"{what} must lie within +-65536 on SpiNNaker.")
    return found.astype(np.int64)


def times(x: Fixed, y: Fixed | int) -> Fixed:
    """x y, rounded to the nearest, halves upwards."""
    return (x * y + (ONE >> 1)) >> FRACTION_BITS


def quotient(x: int, y: int) -> int:
    """x / y for positive numbers, rounded down."""
    return (x << FRACTION_BITS) // y


def exponential(x: int) -> int:
    """exp(-x), rounded to the nearest."""
    return round(math.exp(-x / ONE) * ONE)


def fraction(x: float) -> int:
    """A factor below 1 in 32 bits, as synapses decay with."""
    return min(2**32 - 1, round(x * 2**32))


def decayed(x: Fixed, factor: int) -> Fixed:
    """x times such a factor, rounded down."""
    return (x * factor) >> 32


def buffer_shift(largest: float) -> int:
    """By how many bits a ring buffer is shifted to hold sums up to `largest`: weights are multiples of
    2^(shift - 15)."""
    shift = 0 if largest <= 0 else math.ceil(max(0.0, math.log2(largest)))
    return shift + (2.0**shift <= largest)
