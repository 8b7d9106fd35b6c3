"""Speck as a target of `clapp-snn export`."""

from pathlib import Path

from clapp_snn.export.canonical import Network
from clapp_snn.export.interpreter import Input
from clapp_snn.export.learning import Learning
from clapp_snn.export.speck.cores import CoreStage
from clapp_snn.export.speck.files import write_network
from clapp_snn.export.speck.network import SpeckNetwork
from clapp_snn.export.speck.placement import (
    BIAS_MEMORY,
    CHANNELS,
    CORES,
    DESTINATIONS,
    LARGEST_KERNEL,
    assign,
    largest_kernel_memory,
    memory,
)
from clapp_snn.export.target import Energy, Limit, Placement, exceeded


class Speck:
    """The chip; see `clapp_snn.export.speck` for its arithmetic and `placement` for its limits."""

    name = "speck"
    title = "SynSense Speck"
    learns = False
    energy: Energy | None = None

    def check(self, network: Network) -> list[Limit]:
        """Cores of the chip, and the memories that every stage needs of its core.

        Raises ValueError for what no core has: leak, recurrent connections, kernels that are not square,
        other strides and pools; and for weights that 8 bits cannot hold beside bias and threshold.
        """
        stages = _stages(SpeckNetwork(network))
        placed = sum(core is not None for core in assign(stages))
        available = len(CORES) if placed == len(stages) else placed
        limits = [
            Limit(
                "cores for all stages",
                len(stages),
                available,
                "",
                f"The chip has {len(CORES)} cores, few of which hold large kernels or large maps: use fewer "
                "stages, or smaller ones.",
            ),
            Limit(
                "channels of the input",
                stages[0].convolution.input_shape[0],
                CHANNELS,
                "",
                "Arrange the inputs as a map of several rows and columns, or use fewer.",
            ),
        ]
        for index, stage in enumerate(stages):
            limits += _stage_limits(index, stage, above=index + 1 < len(stages))
        return limits

    def place(self, network: Network) -> list[Placement]:
        """One core a stage.

        Raises ValueError for a network that does not fit.
        """
        stages = _stages(SpeckNetwork(network))
        return [
            Placement(_describe(index, stage), f"core {core}")
            for index, (stage, core) in enumerate(
                zip(stages, self._cores(network, stages), strict=True)
            )
        ]

    def quantise(self, network: Network, samples: Input | None = None) -> SpeckNetwork:
        """8-bit weights and biases, one scale a layer; `samples` are not needed."""
        return SpeckNetwork(network)

    def write(
        self,
        folder: Path,
        network: Network,
        learning: Learning | None,
        samples: Input | None = None,
    ) -> list[Path]:
        """network.npz and network.json.

        Raises ValueError for learning, which the chip cannot do, and for a network that does not fit.
        """
        if learning is not None:
            raise ValueError("Speck cannot learn; export without --learning.")
        model = self.quantise(network)
        cores = self._cores(network, _stages(model))
        return write_network(folder, model, cores, self.place(network))

    def _cores(self, network: Network, stages: tuple[CoreStage, ...]) -> list[int]:
        beyond = exceeded(self.check(network))
        if beyond:
            raise ValueError(f"The network does not fit on Speck: {beyond[0].name}.")
        return [core for core in assign(stages) if core is not None]


def _stages(model: SpeckNetwork) -> tuple[CoreStage, ...]:
    return tuple(core.stage for core in model.cores)


def _stage_limits(index: int, stage: CoreStage, above: bool) -> list[Limit]:
    layer, need = stage.convolution, memory(stage.convolution)
    name = f"stage {index}: "
    return [
        Limit(
            f"{name}kernel memory",
            need.kernel,
            largest_kernel_memory(need),
            "words",
            "Use fewer channels or smaller kernels; cores for many neurons have little room for kernels.",
        ),
        Limit(
            f"{name}neuron memory",
            need.neuron,
            max(core.neuron for core in CORES),
            "words",
            "Use fewer channels, a larger stride or a smaller map; sides just above a power of 2 waste most.",
        ),
        Limit(f"{name}bias memory", need.bias, BIAS_MEMORY, "words", "Use fewer channels."),
        Limit(
            f"{name}side of the kernel",
            layer.weight.shape[2],
            LARGEST_KERNEL,
            "",
            "Pool the map in front of a dense layer, or use a smaller kernel.",
        ),
        Limit(f"{name}channels", layer.weight.shape[0], CHANNELS, "", "Use fewer units."),
        Limit(f"{name}destinations", int(above), DESTINATIONS, "", "Use a chain of layers."),
    ]


def _describe(index: int, stage: CoreStage) -> str:
    channels, rows, cols = stage.convolution.output_shape
    side = stage.convolution.weight.shape[2]
    pool = f", pooled {stage.pool} x {stage.pool}" if stage.pool > 1 else ""
    return f"stage {index}: kernels of {side} x {side}, {channels} x {rows} x {cols} neurons{pool}"
