"""Loihi 2 as a target of `clapp-snn export`."""

from pathlib import Path

from clapp_snn.export.canonical import Network
from clapp_snn.export.interpreter import Input
from clapp_snn.export.learning import Learning
from clapp_snn.export.loihi2.arithmetic import LARGEST_THRESHOLD
from clapp_snn.export.loihi2.files import write_network
from clapp_snn.export.loihi2.learning_export import write_learning
from clapp_snn.export.loihi2.network import LoihiNetwork
from clapp_snn.export.loihi2.placement import (
    COMPARTMENTS,
    CORES,
    IN_AXONS,
    OUT_AXONS,
    SYNAPSES,
    StageCores,
    describe,
    place_stages,
)
from clapp_snn.export.target import Energy, Limit, Placement

DAVIES = Energy(
    23.6,
    81.0,
    "Davies et al. 2018, doi:10.1109/MM.2018.112130359, circuit simulations of Loihi 1 at 0.75 V: 23.6 pJ a "
    "synaptic operation, 81 pJ an update of an active neuron (52 pJ of an inactive one); every neuron is "
    "counted as active, and nothing is published for Loihi 2",
)


class Loihi2:
    """The chip; see `clapp_snn.export.loihi2` for its arithmetic and `placement` for its limits."""

    name = "loihi2"
    title = "Intel Loihi 2"
    learns = True
    energy: Energy | None = DAVIES

    def check(self, network: Network) -> list[Limit]:
        """Cores of one chip, and for every stage what its fullest core holds.

        Raises ValueError for decays, thresholds or biases that no register can hold.
        """
        model = LoihiNetwork(network)
        placed = place_stages(network)
        limits = [
            Limit(
                "cores of one chip",
                sum(len(each.cores) for each in placed),
                CORES,
                "",
                "Use fewer units or smaller maps, or several chips.",
            )
        ]
        for index, (stage, whole) in enumerate(zip(placed, model.stages, strict=True)):
            limits += _stage_limits(f"stage {index}: ", stage)
            limits.append(
                Limit(
                    f"stage {index}: threshold",
                    whole.neurons.vth,
                    LARGEST_THRESHOLD,
                    "",
                    "Scale weights, bias and threshold of the layer down together.",
                )
            )
        return limits

    def place(self, network: Network) -> list[Placement]:
        """Cores are numbered from the input side.

        Raises ValueError for a network that does not fit.
        """
        placed = place_stages(network)
        if not all(each.fits for each in placed):
            raise ValueError("Single neurons of this network do not fit on a core of Loihi 2.")
        cores = [core for each in placed for core in each.cores]
        return [
            Placement(describe(network.stages[core.stage], core), f"core {number}")
            for number, core in enumerate(cores)
        ]

    def quantise(self, network: Network, samples: Input | None = None) -> LoihiNetwork:
        """8-bit weights with a scale searched for each layer; `samples` are not needed."""
        return LoihiNetwork(network)

    def write(
        self,
        folder: Path,
        network: Network,
        learning: Learning | None,
        samples: Input | None = None,
    ) -> list[Path]:
        """network.npz, network.json and run_lava.py; with learning, learning.npz and learning.json.

        Raises ValueError for learning that the chip cannot do: convolutional or recurrent layers, windows of
        fewer than 5 steps.
        """
        written = write_network(folder, self.quantise(network), self.place(network))
        if learning is not None:
            written += write_learning(folder, network, learning)
        return written


def _stage_limits(name: str, stage: StageCores) -> list[Limit]:
    neurons = max((core.neurons for core in stage.cores), default=1)
    axons = max((core.in_axons for core in stage.cores), default=stage.in_axons)
    return [
        Limit(f"{name}compartments of a core", neurons, COMPARTMENTS, "", "Place fewer on a core."),
        Limit(
            f"{name}synapses of a core",
            neurons * stage.synapses,
            SYNAPSES,
            "",
            f"A neuron has {stage.synapses} synapses: give it fewer inputs, pool its input less, or use "
            "smaller kernels.",
        ),
        Limit(
            f"{name}input axons of a core",
            axons,
            IN_AXONS,
            "",
            "Give the layer fewer inputs, or a convolution in front of it.",
        ),
        Limit(
            f"{name}output axons of a core",
            neurons * stage.out_axons,
            OUT_AXONS,
            "",
            "The layer above needs too many cores: use fewer units there.",
        ),
    ]
