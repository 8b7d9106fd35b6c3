"""What a core of Speck computes: a square convolution, neurons without leak, and a sum pool behind them.

A dense layer is a convolution whose kernel covers its whole map, or one of 1 x 1 where there is no map.
"""

import math
from dataclasses import dataclass

from clapp_snn.export.canonical import Network, Stage
from clapp_snn.export.canonical_layers import LIF, Conv2d, Flatten, Shape, SumPool

STRIDES = (1, 2, 4, 8)
POOLS = (1, 2, 4)


@dataclass(frozen=True, eq=False)
class CoreStage:
    """One stage as a core holds it.

    Attributes:
        convolution: on the map that arrives, pooled.
        neurons: of the network, in their own shape.
        pool: side of the groups that are summed on the way to the core above; 1 for none.
    """

    convolution: Conv2d
    neurons: LIF
    pool: int


def core_stages(network: Network) -> tuple[CoreStage, ...]:
    """All stages, bottom up.

    Raises ValueError for what no core has: leak, recurrent connections, kernels that are not square, other
    strides and pools, pooling of the input.
    """
    shape = network.input_shape
    convolutions, pools = [], []
    for index, stage in enumerate(network.stages):
        _require_plain(index, stage.neurons)
        pools.append(_pool(index, stage))
        convolutions.append(_convolution(index, stage, shape))
        shape = stage.neurons.shape
    above = (*pools[1:], 1)
    return tuple(
        CoreStage(convolution, stage.neurons, pool)
        for convolution, stage, pool in zip(convolutions, network.stages, above, strict=True)
    )


def as_map(shape: Shape) -> tuple[int, int, int]:
    """Channels, rows and columns: of anything but a map, every element is a channel."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (math.prod(shape), 1, 1)


def _require_plain(index: int, neurons: LIF) -> None:
    if neurons.beta != 1:
        raise ValueError(
            f"Stage {index} leaks (beta = {neurons.beta:g}); neurons of Speck do not. Convert a network that "
            "learned in rates with beta 1; one that learned as a leaky network stays one."
        )
    if neurons.recurrent is not None:
        raise ValueError(
            f"Stage {index} has recurrent connections, for which Speck has no place: leave them out."
        )


def _pool(index: int, stage: Stage) -> int:
    size = math.prod(layer.size for layer in stage.before if isinstance(layer, SumPool))
    if size not in POOLS:
        raise ValueError(
            f"Speck sums groups of {_sides(POOLS)}, not of {size} x {size} as in front of stage {index}."
        )
    if size > 1 and index == 0:
        raise ValueError(
            "Speck pools behind neurons, not in front of the first: pool the input before it gets there."
        )
    return size


def _convolution(index: int, stage: Stage, shape: Shape) -> Conv2d:
    synapse = stage.synapse
    if not isinstance(synapse, Conv2d):
        pooled = as_map(shape)
        for layer in stage.before:
            pooled = as_map(layer.output_shape) if isinstance(layer, SumPool) else pooled
        kernels = synapse.weight.reshape(-1, *pooled)
        synapse = Conv2d(kernels, synapse.bias, (1, 1), (0, 0), pooled)
        reason = (
            f"stage {index} is dense, and its map of {pooled[1]} x {pooled[2]} becomes the kernel"
        )
    else:
        if any(isinstance(layer, Flatten) for layer in stage.before):
            raise ValueError(f"Stage {index} flattens a map and convolves it again.")
        rows, cols = synapse.weight.shape[2:]
        reason = f"stage {index} has {rows} x {cols}"
    if synapse.weight.shape[2] != synapse.weight.shape[3]:
        raise ValueError(f"Speck needs square kernels; {reason}.")
    if not set(synapse.stride) <= set(STRIDES):
        raise ValueError(
            f"Speck convolves with strides of 1, 2, 4 or 8; stage {index} has {synapse.stride}."
        )
    return synapse


def _sides(sizes: tuple[int, ...]) -> str:
    return " or ".join(f"{size} x {size}" for size in sizes)
