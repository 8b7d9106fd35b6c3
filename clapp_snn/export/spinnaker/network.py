"""A canonical network on SpiNNaker, as a fixed-point model."""

import numpy as np

from clapp_snn.export.canonical import Network
from clapp_snn.export.interpreter import Input, Spikes, as_input
from clapp_snn.export.spinnaker.encoder import INPUT, netlist_of
from clapp_snn.export.spinnaker.limits import memory
from clapp_snn.export.spinnaker.simulation import simulate


class SpinnakerNetwork:
    """Populations, from rest at every run.

    Args:
        network: canonical.

    Attributes:
        network: the same.
        netlist: its populations and projections.
        delay: steps from layer to layer.

    Raises ValueError as `netlist_of`.
    """

    delay = 1

    def __init__(self, network: Network) -> None:
        self.network = network
        self.netlist = netlist_of(network)

    @property
    def memory_bytes(self) -> int:
        """Synaptic rows, and parameters of neurons."""
        return memory(self.netlist)

    def run(self, spikes: Input) -> list[Spikes]:
        """Spikes of every layer, stage k in step t for input of step t - k - 1.

        Raises ValueError for more than one spike of an input in a step, which spike sources do not have.
        """
        x = as_input(self.network, spikes)
        if x.size and (x.max() > 1 or x.min() < 0):
            raise ValueError("An input of SpiNNaker spikes once in a step, or not at all.")
        trains = simulate(self.netlist, {INPUT: x.reshape(*x.shape[:2], -1).astype(bool)})
        found = [
            trains[name].reshape(*x.shape[:2], *stage.neurons.shape)
            for name, stage in zip(self.netlist.recorded, self.network.stages, strict=True)
        ]
        if np.ndim(spikes) == len(self.network.input_shape) + 1:
            return [each[:, 0] for each in found]
        return found
