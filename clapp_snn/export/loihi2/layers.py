"""Synapses and neurons of Loihi 2, in integers.

    synapse:  a(t) = W s(t-1) 2^exponent                                   one step of delay
    neuron:   u <- wrap(u (4095 - du) / 4096 + 64 a)                       du = 4095 for no memory
              v <- clip(v (4096 - dv) / 4096 + u + bias 2^bias_exponent)   dv = 0 for no leak
              z = [v > 64 vth],   v <- 0 where z

Quotients round towards zero. Spikes are counts, so that pooled or graded spikes fit in. Sums over synapses
are computed in float64, where sums of whole numbers up to 2^53 are exact and fast.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from clapp_snn.export.canonical_layers import Conv2d
from clapp_snn.export.interpreter import correlate
from clapp_snn.export.loihi2.arithmetic import (
    ALIGNMENT,
    DECAY_BITS,
    LARGEST_BIAS_EXPONENT,
    LARGEST_BIAS_MANTISSA,
    LARGEST_THRESHOLD,
    WEIGHT_BITS,
    WEIGHT_EXPONENTS,
    Whole,
    clipped,
    decayed,
    shifted,
    stored_weights,
    whole,
    wrapped,
)


@dataclass(frozen=True, eq=False)
class IntegerDense:
    """Dense synapses.

    Attributes:
        weight: whole numbers, -256 to 255; kept as a synapse of `bits` bits holds them.
        exponent: -8 to 7, of all of them.
        bits: of one synapse, sign included if signs are mixed; 1 to 8.

    Raises ValueError for what a synapse cannot hold.
    """

    weight: Int64[np.ndarray, "post pre"]
    exponent: int = 0
    bits: int = WEIGHT_BITS

    def __post_init__(self) -> None:
        weight = _weights(self.weight, 2, self.exponent, self.bits)
        object.__setattr__(self, "weight", stored_weights(weight, self.bits))

    def __call__(self, spikes: Int64[np.ndarray, "*lead pre"]) -> Int64[np.ndarray, "*lead post"]:
        """Sums of one step, before the delay."""
        sums = spikes.astype(np.float64) @ self.weight.T.astype(np.float64)
        return shifted(sums.astype(np.int64), self.exponent)


@dataclass(frozen=True, eq=False)
class IntegerConv:
    """A convolution. Lava applies no exponent to it, so that its files hold weight 2^exponent.

    Attributes:
        weight: kernels (post, pre, row, col) as above.
        geometry: stride, padding and shapes; its weights are not used.
        exponent, bits: as above; no negative exponent.

    Raises ValueError for what a synapse cannot hold.
    """

    weight: Int64[np.ndarray, "post pre row col"]
    geometry: Conv2d
    exponent: int = 0
    bits: int = WEIGHT_BITS

    def __post_init__(self) -> None:
        weight = _weights(self.weight, 4, self.exponent, self.bits)
        if weight.shape != self.geometry.weight.shape:
            raise ValueError(
                f"Kernels of shape {weight.shape} do not fit {self.geometry.weight.shape}."
            )
        if self.exponent < 0:
            raise ValueError(
                f"A convolution has no negative weight exponent; it is {self.exponent}."
            )
        object.__setattr__(self, "weight", stored_weights(weight, self.bits))

    def __call__(
        self, spikes: Int64[np.ndarray, "*lead pre row col"]
    ) -> Int64[np.ndarray, "*lead post row col"]:
        """Sums of one step, before the delay, in 24 bits."""
        lead, shape = spikes.shape[:-3], spikes.shape[-3:]
        flat, kernels = (each.astype(np.float64) for each in (spikes, self.weight))
        sums = correlate(flat.reshape(-1, *shape), kernels, self.geometry)
        maps = sums.astype(np.int64) << self.exponent
        half = 2**23
        return ((maps + half) % (2 * half) - half).reshape(*lead, *maps.shape[1:])


@dataclass(frozen=True, eq=False)
class IntegerLIF:
    """Neurons.

    Attributes:
        shape: of the layer.
        du, dv: decay constants, 0 to 4095; a step keeps (4095 - du) / 4096 of the current and
            (4096 - dv) / 4096 of the voltage.
        vth: threshold, 0 to 131071, in units of weights.
        bias: mantissa, -4096 to 4095, of every neuron; broadcast to `shape`.
        bias_exponent: 0 to 7.
        v0: voltage before the first step; broadcast to `shape`.

    Raises ValueError for what a register cannot hold.
    """

    shape: tuple[int, ...]
    du: int
    dv: int
    vth: int
    bias: Whole | int = 0
    bias_exponent: int = 0
    v0: Whole | int = 0

    def __post_init__(self) -> None:
        for name, most in (
            ("du", 2**DECAY_BITS - 1),
            ("dv", 2**DECAY_BITS - 1),
            ("vth", LARGEST_THRESHOLD),
            ("bias_exponent", LARGEST_BIAS_EXPONENT),
        ):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} lies between 0 and {most}; it is {getattr(self, name)}.")
        bias = np.broadcast_to(whole(np.asarray(self.bias), "Biases"), self.shape)
        if abs(bias).max(initial=0) > LARGEST_BIAS_MANTISSA:
            raise ValueError(f"A bias mantissa lies within +-{LARGEST_BIAS_MANTISSA}.")
        object.__setattr__(self, "bias", bias)
        v0 = np.broadcast_to(whole(np.asarray(self.v0), "Initial voltages"), self.shape)
        object.__setattr__(self, "v0", v0)

    def begin(self, lead: tuple[int, ...] = ()) -> "LIFState":
        """The state before the first step."""
        u = np.zeros((*lead, *self.shape), np.int64)
        return LIFState(u, np.broadcast_to(self.v0, u.shape).copy())

    def step(
        self, drive: Int64[np.ndarray, "*lead_shape"], state: "LIFState"
    ) -> tuple["LIFState", Bool[np.ndarray, "*lead_shape"]]:
        """One step: the new state, after reset, and spikes."""
        u = wrapped(decayed(state.u, self.du + 1) + (drive << ALIGNMENT))
        v = clipped(decayed(state.v, self.dv) + u + (self.bias << self.bias_exponent))
        z = v > self.vth << ALIGNMENT
        return LIFState(u, np.where(z, 0, v)), z


class LIFState(NamedTuple):
    """Current u and voltage v, in units of 2^-6 weights."""

    u: Whole
    v: Whole


class LIFTrace(NamedTuple):
    """Spikes, currents and voltages (after reset) of all steps."""

    spikes: Bool[np.ndarray, "time *shape"]
    u: Int64[np.ndarray, "time *shape"]
    v: Int64[np.ndarray, "time *shape"]


def delayed(sums: Int64[np.ndarray, "time *shape"]) -> Int64[np.ndarray, "time *shape"]:
    """What arrives at the neurons: the sums of one step before."""
    return np.concatenate((np.zeros_like(sums[:1]), sums[:-1]))


def simulate(
    neurons: IntegerLIF,
    drive: Int64[np.ndarray, "time *shape"],
    recurrent: IntegerDense | None = None,
) -> LIFTrace:
    """Drive neurons for as many steps as there are.

    Args:
        neurons: what is driven.
        drive: time, perhaps samples, shape of the neurons; as it arrives.
        recurrent: synapses between the neurons (flattened), with their step of delay.
    """
    state = neurons.begin(drive.shape[1 : drive.ndim - len(neurons.shape)])
    trace = LIFTrace(
        np.zeros(drive.shape, bool), *(np.zeros(drive.shape, np.int64) for _ in range(2))
    )
    for t, now in enumerate(drive):
        if recurrent is not None and t > 0:
            before = trace.spikes[t - 1].reshape(*state.u.shape[: -len(neurons.shape)], -1)
            now = now + recurrent(before.astype(np.int64)).reshape(now.shape)
        state, trace.spikes[t] = neurons.step(now, state)
        trace.u[t], trace.v[t] = state
    return trace


def _weights(weight: np.ndarray, axes: int, exponent: int, bits: int) -> Whole:
    found = whole(weight, "Weights")
    if found.ndim != axes:
        raise ValueError(f"Weights need {axes} axes, not shape {found.shape}.")
    least, most = -(2**WEIGHT_BITS), 2**WEIGHT_BITS - 1
    if found.size and (found.min() < least or found.max() > most):
        raise ValueError(f"Weights lie between -256 and 255; here {found.min()} to {found.max()}.")
    if not WEIGHT_EXPONENTS[0] <= exponent <= WEIGHT_EXPONENTS[1]:
        raise ValueError(f"The weight exponent lies between -8 and 7; it is {exponent}.")
    if not 1 <= bits <= WEIGHT_BITS:
        raise ValueError(f"A synapse has 1 to 8 bits, not {bits}.")
    return found
