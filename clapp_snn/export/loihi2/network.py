"""A canonical network in the integers of Loihi 2.

A stage becomes synapses of 8 bits and neurons without synaptic memory (du = 4095). All its weights are 2 q
with |q| at most 127, or fewer where large sums could leave the 24 bits of a current; threshold and bias are
rounded in the same unit, a thousandth of the threshold or finer in most networks. Each synapse delays by one
step, so that stage k runs k + 1 steps behind its input; until then only biases act. The voltage therefore
starts where biases lead it to 0 when the first input arrives.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from clapp_snn.export.canonical import Network, Stage
from clapp_snn.export.canonical_layers import Conv2d, Dense, Reshaping, SumPool
from clapp_snn.export.interpreter import Input, Spikes, as_input, reshape
from clapp_snn.export.loihi2.arithmetic import (
    ALIGNMENT,
    BOUND,
    DECAY_BITS,
    LARGEST_BIAS_EXPONENT,
    LARGEST_BIAS_MANTISSA,
    LARGEST_THRESHOLD,
    WEIGHT_BITS,
    WEIGHT_EXPONENTS,
)
from clapp_snn.export.loihi2.layers import (
    IntegerConv,
    IntegerDense,
    IntegerLIF,
    LIFTrace,
    delayed,
    simulate,
)
from clapp_snn.export.loihi2.two_compartment import NO_MEMORY, decay_constant
from clapp_snn.export.quantise import quantise, round_to

FINE_THRESHOLD = 256
"""Thresholds below are scaled up if there is room."""


@dataclass(frozen=True, eq=False)
class IntegerStage:
    """One layer of neurons with what leads to it.

    Attributes:
        before: pooling and flattening; on the chip part of the synapses.
        synapse: synapses.
        neurons: what they drive.
        recurrent: between the neurons, or None.
        unit: whole-number drive that stands for a drive of 1.
        bits: that weights use.
    """

    before: tuple[Reshaping, ...]
    synapse: IntegerDense | IntegerConv
    neurons: IntegerLIF
    recurrent: IntegerDense | None
    unit: float
    bits: int

    def run(self, spikes: Int64[np.ndarray, "time sample *pre"]) -> LIFTrace:
        """From rest."""
        for layer in self.before:
            spikes = reshape(layer, spikes)
        return simulate(self.neurons, delayed(self.synapse(spikes)), self.recurrent)


class LoihiNetwork:
    """Integer stages, from rest at every run.

    Args:
        network: canonical.

    Attributes:
        network: the same.
        stages: bottom up.
        delay: steps from layer to layer.

    Raises ValueError for decays, thresholds or biases that no register can hold.
    """

    delay = 1

    def __init__(self, network: Network) -> None:
        self.network = network
        self.stages = tuple(integer_stage(stage, k) for k, stage in enumerate(network.stages))

    @property
    def memory_bytes(self) -> int:
        """Synapses expanded, 8 bits each; u and v of 3 bytes, biases of 2 bytes a neuron."""
        total = 0
        for stage, whole in zip(self.network.stages, self.stages, strict=True):
            count = math.prod(stage.neurons.shape)
            total += count * fan_in(stage) + (8 if np.any(whole.neurons.bias) else 6) * count
        return total

    def run(self, spikes: Input) -> list[Spikes]:
        """Spikes of every layer, stage k in step t for input of step t - k - 1; raises as `traces`."""
        return [trace.spikes for trace in self.traces(spikes)]

    def traces(self, spikes: Input) -> list[LIFTrace]:
        """`run` with currents and voltages.

        Raises ValueError for more than one spike of an input in a step: currents have room for one.
        """
        x = as_input(self.network, spikes).astype(np.int64)
        if x.size and (x.max() > 1 or x.min() < 0):
            raise ValueError("On Loihi 2 an input fires at most one spike a step; pass 0 and 1.")
        found = []
        for stage in self.stages:
            trace = stage.run(x)
            found.append(trace)
            x = trace.spikes.astype(np.int64)
        if np.ndim(spikes) == len(self.network.input_shape) + 1:
            return [LIFTrace(*(each[:, 0] for each in trace)) for trace in found]
        return found


def pooled(stage: Stage) -> int:
    """Inputs that pooling sums for one input of the synapse."""
    return math.prod(layer.size**2 for layer in stage.before if isinstance(layer, SumPool))


def fan_in(stage: Stage) -> int:
    """Synapses of one neuron, recurrent ones included."""
    weight = stage.synapse.weight
    own = stage.neurons.recurrent
    return weight[0].size * pooled(stage) + (0 if own is None else own.weight.shape[1])


def integer_stage(stage: Stage, depth: int) -> IntegerStage:
    """Quantise one stage, `depth` stages above the input.

    Raises ValueError as `LoihiNetwork`.
    """
    neurons, own = stage.neurons, stage.neurons.recurrent
    weights = [stage.synapse.weight] + ([] if own is None else [own.weight])
    everything = np.concatenate([each.reshape(len(each), -1) for each in weights], axis=1)
    bits, exponent, scale = _format(
        everything, neurons.threshold, pooled(stage), isinstance(stage.synapse, Conv2d)
    )
    unit = 2.0 ** (1 + exponent) / scale
    bias = stage.synapse.bias + (0 if own is None else own.bias)
    mantissa, bias_exponent = bias_registers(bias * unit * 2**ALIGNMENT)
    shape = neurons.shape
    each = mantissa.reshape(-1, *(1 for _ in shape[1:]))
    vth = round(neurons.threshold * unit)
    dv = decay_constant(neurons.beta)
    return IntegerStage(
        stage.before,
        _synapse(stage, 2 * round_to(stage.synapse.weight, scale, bits), exponent),
        IntegerLIF(
            shape,
            du=NO_MEMORY,
            dv=dv,
            vth=vth,
            bias=each,
            bias_exponent=bias_exponent,
            v0=_start(np.broadcast_to(each << bias_exponent, shape), dv, vth, depth + 1),
        ),
        None if own is None else IntegerDense(2 * round_to(own.weight, scale, bits), exponent),
        unit,
        bits,
    )


def _synapse(stage: Stage, weight: np.ndarray, exponent: int) -> IntegerDense | IntegerConv:
    if isinstance(stage.synapse, Dense):
        return IntegerDense(weight, exponent)
    return IntegerConv(weight, stage.synapse, exponent)


def _format(
    weight: Float64[np.ndarray, "post pre"], threshold: float, pooled: int, conv: bool
) -> tuple[int, int, float]:
    """Bits, exponent and scale: as fine as sums that cannot overflow allow."""
    for bits in range(WEIGHT_BITS, 1, -1):
        scale = quantise(weight, bits).scale
        levels = 2 * round_to(weight, scale, bits) * pooled
        largest = max(int(np.maximum(sign * levels, 0).sum(1).max(initial=0)) for sign in (1, -1))
        vth = 2 * threshold / scale
        exponent = max(0, math.ceil(math.log2(FINE_THRESHOLD / vth)))
        room = min(LARGEST_THRESHOLD / vth, 2**17 / max(largest, 1))
        exponent = min(exponent, math.floor(math.log2(room)), WEIGHT_EXPONENTS[1])
        if exponent >= (0 if conv else WEIGHT_EXPONENTS[0]):
            return bits, exponent, scale
    raise ValueError(
        f"A threshold of {threshold:.3g} is too large for weights of {np.abs(weight).max():.3g}: the chip's "
        "17 bits cannot hold both. Scale the layer's weights and bias with its threshold, or leave it out."
    )


def bias_registers(bias: Float64[np.ndarray, "post"]) -> tuple[Int64[np.ndarray, "post"], int]:
    """Mantissas, and the exponent that they share, of biases in units of voltages.

    Raises ValueError for biases beyond the registers.
    """
    for exponent in range(LARGEST_BIAS_EXPONENT + 1):
        mantissa = np.round(bias / 2**exponent).astype(np.int64)
        if np.abs(mantissa).max(initial=0) <= LARGEST_BIAS_MANTISSA:
            return mantissa, exponent
    raise ValueError(
        f"A bias of {np.abs(bias).max() / 2**ALIGNMENT:.4g} units of weight is more than the chip's "
        f"{LARGEST_BIAS_MANTISSA * 2**LARGEST_BIAS_EXPONENT >> ALIGNMENT}; biases this large make neurons "
        "fire in every step."
    )


def _start(
    bias: Int64[np.ndarray, "*shape"], dv: int, vth: int, steps: int
) -> Int64[np.ndarray, "*shape"]:
    """The voltage from which `steps` steps of bias lead to 0, or as near to it as the range allows."""
    v = np.zeros(bias.shape, np.int64)
    for _ in range(steps):
        size = np.abs(v - bias) << DECAY_BITS
        v = np.sign(v - bias) * -(-size // (2**DECAY_BITS - dv))
    return np.clip(v, -BOUND + 1, vth << ALIGNMENT)
