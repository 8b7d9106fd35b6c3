"""A canonical network on Xylo, as an integer model."""

import math

import numpy as np

from clapp_snn.export.canonical import Network
from clapp_snn.export.interpreter import Input, Spikes, as_input
from clapp_snn.export.xylo.mapping import chip_of
from clapp_snn.export.xylo.simulation import simulate

STATE_BYTES = 2


class XyloNetwork:
    """The configured chip, from rest at every run.

    Args:
        network: canonical.

    Attributes:
        network: the same.
        chip: its configuration.
        units: what 1 of the whole numbers of every stage stands for.
        delay: steps from layer to layer, and from the arrival of input to its delivery.

    Raises ValueError as `chip_of`.
    """

    delay = 1

    def __init__(self, network: Network) -> None:
        self.network = network
        self.chip, self.units = chip_of(network)

    @property
    def memory_bytes(self) -> int:
        """Weights that exist in the network and biases of 1 byte; current, voltage and threshold of 2."""
        weights = sum(
            stage.synapse.weight.size
            + (0 if stage.neurons.recurrent is None else stage.neurons.recurrent.weight.size)
            for stage in self.network.stages
        )
        return weights + (1 + 3 * STATE_BYTES) * self.network.neurons

    def run(self, spikes: Input) -> list[Spikes]:
        """Where every layer fires, once or more; stage k in step t for input of step t - k - 1.

        Input waits for one step, so that all layers are as late as the one below and one more.
        """
        x = as_input(self.network, spikes).astype(np.int64)
        trace = simulate(self.chip, x.reshape(*x.shape[:2], -1))
        counts = np.concatenate((trace.hidden, trace.outputs), axis=2)
        late = np.concatenate((np.zeros_like(counts[:1]), counts[:-1])) > 0
        shapes = [stage.neurons.shape for stage in self.network.stages]
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        found = [
            part.reshape(*part.shape[:2], *shape)
            for part, shape in zip(np.split(late, ends[:-1], axis=2), shapes, strict=True)
        ]
        if np.ndim(spikes) == len(self.network.input_shape) + 1:
            return [each[:, 0] for each in found]
        return found
