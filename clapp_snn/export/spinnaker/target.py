"""SpiNNaker as a target of `clapp-snn export`."""

from pathlib import Path

from clapp_snn.export.canonical import Network
from clapp_snn.export.interpreter import Input
from clapp_snn.export.interpreter import run as judge
from clapp_snn.export.learning import Learning
from clapp_snn.export.nir_circuit import prediction_sizes
from clapp_snn.export.spinnaker.circuit import DIFFERENCES, learning_netlist, window_of
from clapp_snn.export.spinnaker.encoder import netlist_of
from clapp_snn.export.spinnaker.files import write_netlist
from clapp_snn.export.spinnaker.limits import cores_of, limits_of, neurons_per_core
from clapp_snn.export.spinnaker.network import SpinnakerNetwork
from clapp_snn.export.target import Energy, Limit, Placement, exceeded

LEARNING = "learning"
"""Folder of the circuit that learns."""


class Spinnaker:
    """A SpiNN-5 board of the first generation; see `clapp_snn.export.spinnaker`."""

    name = "spinnaker"
    title = "SpiNNaker"
    learns = True
    energy: Energy | None = None

    def check(self, network: Network) -> list[Limit]:
        """Cores, memory, rows and delays.

        Raises ValueError for weights too large beside the threshold, and for too many synapses.
        """
        return limits_of(netlist_of(network))

    def place(self, network: Network) -> list[Placement]:
        """Cores of every population; sPyNNaker chooses which ones.

        Raises ValueError for a network that does not fit.
        """
        netlist = netlist_of(network)
        beyond = exceeded(limits_of(netlist))
        if beyond:
            raise ValueError(f"The network does not fit on SpiNNaker: too much {beyond[0].name}.")
        return [
            Placement(
                f"population {cells.name}: {cells.size} neurons",
                f"{cores_of(netlist, cells)} cores of up to {neurons_per_core(netlist, cells)}",
            )
            for cells in netlist.cells
        ]

    def quantise(self, network: Network, samples: Input | None = None) -> SpinnakerNetwork:
        """16-bit weights and 32-bit voltages; `samples` are not needed."""
        return SpinnakerNetwork(network)

    def write(
        self,
        folder: Path,
        network: Network,
        learning: Learning | None,
        samples: Input | None = None,
    ) -> list[Path]:
        """network.npz, network.json and run_pynn.py; with learning, the same once more in `learning`, of the
        circuit that learns.

        Raises ValueError for a network or a circuit that does not fit, and for layers that are not dense.
        """
        self.place(network)
        written = write_netlist(folder, network, netlist_of(network), {})
        if learning is not None:
            if samples is None:
                raise ValueError(
                    "Learning on SpiNNaker needs samples, from which thresholds follow."
                )
            sizes = prediction_sizes(learning, judge(network, samples))
            circuit = learning_netlist(network, learning, sizes)
            beyond = exceeded(limits_of(circuit))
            if beyond:
                raise ValueError(
                    f"The learning circuit does not fit on SpiNNaker: {beyond[0].name}. {beyond[0].advice}"
                )
            (folder / LEARNING).mkdir()
            record = {
                "rule": learning.record(),
                "steps_of_a_window": window_of(learning),
                "differences": list(DIFFERENCES),
            }
            written += write_netlist(folder / LEARNING, network, circuit, record)
        return written
