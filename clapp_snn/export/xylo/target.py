"""Xylo as a target of `clapp-snn export`, and its files.

Limits are those of rockpool: 16 inputs, 1000 hidden neurons, 8 outputs, weights of 8 bits, decays of 4.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from clapp_snn.export.canonical import Network
from clapp_snn.export.interpreter import Input
from clapp_snn.export.learning import Learning
from clapp_snn.export.target import Energy, Limit, Placement, exceeded
from clapp_snn.export.xylo.network import XyloNetwork
from clapp_snn.files import atomic_path, write_text

INPUTS, HIDDEN, OUTPUTS = 16, 1000, 8
ARRAYS, DESCRIPTION = "network.npz", "network.json"


class Xylo:
    """The chip; see `clapp_snn.export.xylo` for its arithmetic."""

    name = "xylo"
    title = "SynSense Xylo"
    learns = False
    energy: Energy | None = None

    def check(self, network: Network) -> list[Limit]:
        """Inputs, hidden neurons, outputs.

        Raises ValueError for what the chip does not have: convolutions, pools, recurrent outputs, a single
        layer; and for weights that 8 bits cannot hold beside bias and threshold.
        """
        chip = XyloNetwork(network).chip
        return [
            Limit(
                "inputs",
                len(chip.w_in),
                INPUTS,
                "",
                "Train on fewer channels; signed input takes two lines each.",
            ),
            Limit("hidden neurons", len(chip.w_rec), HIDDEN, "", "Use fewer units or layers."),
            Limit(
                "outputs",
                chip.w_out.shape[1],
                OUTPUTS,
                "",
                "Put a last layer of at most 8 neurons on top; hidden spikes do not leave the chip.",
            ),
        ]

    def place(self, network: Network) -> list[Placement]:
        """Hidden neurons are numbered from the input side.

        Raises ValueError for a network that does not fit.
        """
        beyond = exceeded(self.check(network))
        if beyond:
            raise ValueError(f"The network does not fit on Xylo: too many {beyond[0].name}.")
        placed, first = [], 0
        sizes = [math.prod(stage.neurons.shape) for stage in network.stages]
        for index, size in enumerate(sizes[:-1]):
            where = f"hidden neurons {first} to {first + size - 1}"
            placed.append(Placement(f"stage {index}: {size} neurons", where))
            first += size
        last = Placement(f"stage {len(sizes) - 1}: {sizes[-1]} neurons", "outputs")
        return [*placed, last]

    def quantise(self, network: Network, samples: Input | None = None) -> XyloNetwork:
        """8-bit weights and biases with a scale searched for each layer; `samples` are not needed."""
        return XyloNetwork(network)

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
            raise ValueError("Xylo cannot learn; export without --learning.")
        placed = self.place(network)
        model = self.quantise(network)
        chip = model.chip
        arrays: dict[str, Any] = {
            "w_in": chip.w_in.astype(np.int8),
            "w_rec": chip.w_rec.astype(np.int8),
            "w_out": chip.w_out.astype(np.int8),
        }
        for name, neurons in (("hidden", chip.hidden), ("out", chip.outputs)):
            arrays[f"dash_mem_{name}"] = neurons.dash_mem.astype(np.int8)
            arrays[f"threshold_{name}"] = neurons.threshold.astype(np.int16)
            arrays[f"bias_{name}"] = neurons.bias.astype(np.int8)
        record = {
            "name": network.name,
            "dt_ms": network.dt,
            "weight_shift": chip.shift,
            "dash_syn": chip.dash_syn,
            "drive_of_1": list(model.units),
            "placement": [list(each) for each in placed],
            "metadata": network.metadata,
        }
        with atomic_path(folder / ARRAYS) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)
        write_text(folder / DESCRIPTION, json.dumps(record, indent=1))
        return [folder / ARRAYS, folder / DESCRIPTION]
