"""A canonical network in the integers of Speck.

    v <- clip(v + sum q s + b, -2^15, 2^15 - 1);   z = [v >= threshold];   v <- 0 where z

Weights q and biases b have 8 bits, v and threshold 16. All of a layer share one scale: that of the weights is
searched, and made coarser where biases or the threshold would not fit otherwise. As v is whole, v > theta is
v >= floor(theta) + 1, so that the threshold is exact.

The chip has no steps: it adds spikes one by one and fires as soon as it can, and its biases come from a clock
of their own. The model adds all spikes of a step before neurons fire, as `sinabs.layers.IAF` does with whole
weights, at most once a step.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import Conv2d, SumPool
from clapp_snn.export.common_scale import (
    HIGHEST,
    LOWEST,
    STATE_BITS,
    WEIGHT_BITS,
    common_scale,
)
from clapp_snn.export.interpreter import Input, Spikes, as_input, correlate, reshape
from clapp_snn.export.quantise import round_to
from clapp_snn.export.speck.cores import CoreStage, core_stages
from clapp_snn.export.speck.placement import memory

STATE_BYTES = STATE_BITS // 8


@dataclass(frozen=True, eq=False)
class IntegerCore:
    """One core.

    Attributes:
        weight: kernels.
        bias: added in every step, one a channel.
        threshold: the least voltage that fires.
        stage: geometry, and the pool behind the neurons.
        scale: what 1 stands for in the network.
    """

    weight: Int64[np.ndarray, "post pre row col"]
    bias: Int64[np.ndarray, "post"]
    threshold: int
    stage: CoreStage
    scale: float

    @property
    def geometry(self) -> Conv2d:
        """Shapes, stride and padding."""
        return self.stage.convolution

    def drive(self, spikes: Int64[np.ndarray, "time sample *pre"]) -> Int64[np.ndarray, "drive"]:
        """Sums of all steps, bias included; time, sample, channel, row, column."""
        lead, shape = spikes.shape[:2], self.geometry.input_shape
        flat = spikes.reshape(-1, *shape).astype(np.float64)
        # Sums of whole numbers are exact in float64, and fast.
        sums = correlate(flat, self.weight.astype(np.float64), self.geometry).astype(np.int64)
        return (sums + self.bias[:, None, None]).reshape(*lead, *sums.shape[1:])

    def pooled(self, spikes: Int64[np.ndarray, "time sample *post"]) -> Int64[np.ndarray, "pooled"]:
        """What the core above receives."""
        if self.stage.pool == 1:
            return spikes
        layer = SumPool(self.stage.pool, self.geometry.output_shape)
        return reshape(layer, spikes)


class SpeckNetwork:
    """Integer cores, from rest at every run.

    Args:
        network: canonical.

    Attributes:
        network: the same.
        cores: bottom up.
        delay: steps from layer to layer.

    Raises ValueError for what no core has (see `core_stages`), and for thresholds or biases so large that
    all weights of the layer would be 0.
    """

    delay = 0

    def __init__(self, network: Network) -> None:
        self.network = network
        stages = enumerate(core_stages(network))
        self.cores = tuple(integer_core(index, stage) for index, stage in stages)

    @property
    def memory_bytes(self) -> int:
        """Words of kernels and biases (1 byte) and neurons (2 bytes) that the cores set aside."""
        needs = [memory(core.geometry) for core in self.cores]
        return sum(need.kernel + need.bias + STATE_BYTES * need.neuron for need in needs)

    def run(self, spikes: Input) -> list[Spikes]:
        """Spikes of every layer, in the step of the input that causes them."""
        x = as_input(self.network, spikes).astype(np.int64)
        found = []
        for core in self.cores:
            x = fire(core.drive(x), core.threshold)
            found.append((x > 0).reshape(*x.shape[:2], *core.stage.neurons.shape))
            x = core.pooled(x)
        if np.ndim(spikes) == len(self.network.input_shape) + 1:
            return [each[:, 0] for each in found]
        return found


def integer_core(index: int, stage: CoreStage) -> IntegerCore:
    """Quantise one stage; raises as `SpeckNetwork`."""
    weight, bias = stage.convolution.weight, stage.convolution.bias
    threshold = stage.neurons.threshold
    scale = common_scale(index, weight, bias, threshold)
    return IntegerCore(
        round_to(weight, scale, WEIGHT_BITS),
        round_to(bias, scale, WEIGHT_BITS),
        math.floor(threshold / scale) + 1,
        stage,
        scale,
    )


def fire(
    drive: Int64[np.ndarray, "time *shape"], threshold: int
) -> Int64[np.ndarray, "time *shape"]:
    """Spikes, 0 and 1, of neurons from rest."""
    v = np.zeros(drive.shape[1:], np.int64)
    z = np.zeros(drive.shape, np.int64)
    for step, now in enumerate(drive):
        v = np.clip(v + now, LOWEST, HIGHEST)
        z[step] = v >= threshold
        v[z[step] > 0] = 0
    return z
