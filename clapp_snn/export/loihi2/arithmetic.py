"""Loihi's number formats: decays of 12 bits, states of 24 bits, weights of 8 bits with an exponent.

Sources: the fixed-point process models of lava-nc 0.10, described there as bit-accurate; Davies et al. 2018
(doi:10.1109/MM.2018.112130359) for the formats. Integers are int64 throughout, so that nothing overflows
except where the chip does.
"""

from typing import Literal

import numpy as np
from jaxtyping import Int64

STATE_BITS = 24
DECAY_BITS = 12
ALIGNMENT = 6
"""Synaptic input and thresholds are shifted left by this before they meet the state."""
LARGEST_THRESHOLD = 2**17 - 1
LARGEST_BIAS_MANTISSA = 2**12 - 1
LARGEST_BIAS_EXPONENT = 7
WEIGHT_BITS = 8
WEIGHT_EXPONENTS = (-8, 7)
BOUND = 2 ** (STATE_BITS - 1)

SignMode = Literal["mixed", "excitatory", "inhibitory"]
Whole = Int64[np.ndarray, "*shape"]


def decayed(state: Whole, constant: int) -> Whole:
    """state (4096 - constant) / 4096, rounded towards zero."""
    if constant == 0:
        return state
    product = np.abs(state) * (2**DECAY_BITS - constant)
    return np.sign(state) * (product >> DECAY_BITS)


def wrapped(current: Whole) -> Whole:
    """A synaptic current beyond 24 bits comes back from the other side, once."""
    down = np.where(current > BOUND, current - 2 * BOUND, current)
    return np.where(down <= -BOUND, current + 2 * BOUND, down)


def clipped(voltage: Whole) -> Whole:
    """A voltage stops at +-(2^23 - 1)."""
    return np.clip(voltage, -BOUND + 1, BOUND - 1)


def shifted(values: Whole, exponent: int) -> Whole:
    """values 2^exponent; negative exponents round down."""
    return values << exponent if exponent > 0 else values >> -exponent


def sign_mode(weights: Whole) -> SignMode:
    """Whether all weights share a sign, which is worth one bit."""
    if weights.size == 0 or weights.min() >= 0:
        return "excitatory"
    return "inhibitory" if weights.max() <= 0 else "mixed"


def stored_weights(weights: Whole, bits: int = WEIGHT_BITS) -> Whole:
    """Weights as a synapse of `bits` bits holds them: clipped to 8 bits and sign, low bits cut off.

    Mixed signs cost one bit, so that with 8 bits all weights are even.
    """
    mode = sign_mode(weights)
    values = -weights if mode == "inhibitory" else weights
    least = -(2**WEIGHT_BITS) if mode == "mixed" else 0
    low = WEIGHT_BITS - bits + (mode == "mixed")
    values = (np.clip(values, least, 2**WEIGHT_BITS - 1) >> low) << low
    return -values if mode == "inhibitory" else values


def whole(values: np.ndarray, what: str) -> Whole:
    """`values` as int64; raises ValueError if any is not a whole number."""
    array = np.asarray(values)
    found = array.astype(np.int64)
    if array.dtype.kind not in "biuf" or not np.array_equal(found, array):
        raise ValueError(f"{what} must be whole numbers.")
    return found
