"""Which neurons go on which core.

Limits of a core are those of Loihi 1, as nengo-loihi 1.1 states them (`nengo_loihi/block.py`): 1024
compartments, 4096 input and 4096 output axons, 2^20 bits of synapses. Loihi 2 divides its memory freely and
holds more, so that a network that fits here fits there; a chip has 128 cores. Convolutions are counted with
all their synapses written out. Neurons are placed position by position, all channels of a position first, so
that the neurons of a core share input.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from clapp_snn.export.canonical import Network, Stage
from clapp_snn.export.canonical_layers import Conv2d, SumPool
from clapp_snn.export.loihi2.network import fan_in

CORES = 128
COMPARTMENTS = 1024
IN_AXONS = 4096
OUT_AXONS = 4096
SYNAPSE_BITS = 2**20
BITS_PER_SYNAPSE = 8
SYNAPSES = SYNAPSE_BITS // BITS_PER_SYNAPSE


class Core(NamedTuple):
    """Neurons of one stage on one core.

    Attributes:
        stage: index.
        positions: first and one behind the last position of the map; 0, 1 for a dense layer.
        channels: first and one behind the last channel or neuron.
        in_axons: distinct inputs.
    """

    stage: int
    positions: tuple[int, int]
    channels: tuple[int, int]
    in_axons: int

    @property
    def neurons(self) -> int:
        """Compartments that are used."""
        return (self.positions[1] - self.positions[0]) * (self.channels[1] - self.channels[0])


@dataclass(frozen=True)
class StageCores:
    """A stage on its cores.

    Attributes:
        cores: in order.
        synapses: of one neuron.
        out_axons: of one neuron: cores that its spikes go to.
        in_axons: distinct inputs of the neurons at one position.
        fits: whether single neurons fit on a core at all.
    """

    cores: tuple[Core, ...]
    synapses: int
    out_axons: int
    in_axons: int
    fits: bool


def place_stages(network: Network) -> list[StageCores]:
    """All stages, bottom up; those whose single neurons do not fit have no cores."""
    placed: list[StageCores] = []
    targets = 0
    for index, stage in reversed(list(enumerate(network.stages))):
        found = _place(index, stage, targets)
        placed.append(found)
        targets = len(found.cores)
    return placed[::-1]


def _place(index: int, stage: Stage, above: int) -> StageCores:
    synapses = fan_in(stage)
    shape = stage.neurons.shape
    channels, positions = shape[0], math.prod(shape[1:])
    own = 0 if stage.neurons.recurrent is None else math.prod(shape)
    axons = _inputs(stage, 0, 1) + own
    if synapses > SYNAPSES or axons > IN_AXONS:
        return StageCores((), synapses, above, axons, False)
    for parts in range(1, math.prod(shape) + 1):
        # Recurrent spikes go to all cores of the stage, whose number the placement decides.
        out = max(1, above) + (parts if own else 0)
        most = min(COMPARTMENTS, SYNAPSES // max(1, synapses), OUT_AXONS // out)
        if most < 1:
            return StageCores((), synapses, out, axons, False)
        cores = _cut(index, stage, channels, positions, most, own)
        if not own or len(cores) <= parts:
            return StageCores(cores, synapses, out, axons, True)
    return StageCores((), synapses, above, axons, False)


def _cut(
    index: int, stage: Stage, channels: int, positions: int, most: int, own: int
) -> tuple[Core, ...]:
    together = min(channels, most)
    cores = []
    for first in range(0, channels, together):
        last = min(first + together, channels)
        begin = 0
        while begin < positions:
            end = min(positions, begin + max(1, most // (last - first)))
            while end > begin + 1 and _inputs(stage, begin, end) + own > IN_AXONS:
                end = begin + (end - begin) // 2
            axons = _inputs(stage, begin, end) + own
            cores.append(Core(index, (begin, end), (first, last), axons))
            begin = end
    return tuple(cores)


def _inputs(stage: Stage, begin: int, end: int) -> int:
    """Distinct inputs of the neurons at positions `begin` to `end`, before pooling."""
    area = math.prod(layer.size**2 for layer in stage.before if isinstance(layer, SumPool))
    synapse = stage.synapse
    if not isinstance(synapse, Conv2d):
        return synapse.weight.shape[1] * area
    rows, cols = _touched(synapse, begin, end)
    return synapse.input_shape[0] * len(np.unique(rows * synapse.input_shape[2] + cols)) * area


def _touched(
    synapse: Conv2d, begin: int, end: int
) -> tuple[Int64[np.ndarray, "touched"], Int64[np.ndarray, "touched"]]:
    position = np.arange(begin, end)
    width = synapse.output_shape[2]
    kernel = np.indices(synapse.weight.shape[2:]).reshape(2, -1)
    starts = (position // width, position % width)
    rows, cols = (
        (start[:, None] * stride + offset - pad).ravel()
        for start, stride, offset, pad in zip(
            starts, synapse.stride, kernel, synapse.padding, strict=True
        )
    )
    inside = (rows >= 0) & (rows < synapse.input_shape[1])
    inside &= (cols >= 0) & (cols < synapse.input_shape[2])
    return rows[inside], cols[inside]


def describe(stage: Stage, core: Core) -> str:
    """Words for the neurons of a core."""
    kind = type(stage.synapse).__name__
    first, last = core.channels
    if len(stage.neurons.shape) == 1:
        return f"stage {core.stage}: {kind}, neurons {first} to {last - 1}"
    begin, end = core.positions
    return f"stage {core.stage}: {kind}, channels {first} to {last - 1} at positions {begin} to {end - 1}"
