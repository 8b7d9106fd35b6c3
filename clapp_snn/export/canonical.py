"""The interchange form of a spiking network: plain arrays, one neuron model, whole time steps.

    v <- beta v + drive;   z = [v > threshold];   v <- 0 where z            (beta = 1: no leak, IF)

A network is a chain of stages; a stage is any number of `SumPool` and `Flatten`, one synapse (`Dense` or
`Conv2d`) and one `LIF`. Everything happens within one step: a spike reaches all layers above in the step in
which it occurs, the recurrent connections of a layer carry its spikes of the step before. The bias is added
in every step. Maps are (channel, row, column), flattened row by row.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from clapp_snn.export.canonical_layers import (
    LIF,
    Flatten,
    Layer,
    Reshaping,
    Shape,
    SumPool,
    Synapse,
    same_layer,
    shape_text,
    whole_numbers,
)


@dataclass(frozen=True, eq=False)
class Stage:
    """One layer of neurons with what leads to it.

    Attributes:
        before: pooling and flattening of the input, in order.
        synapse: dense or convolution.
        neurons: what it drives.
    """

    before: tuple[Reshaping, ...]
    synapse: Synapse
    neurons: LIF


@dataclass(frozen=True, eq=False)
class Network:
    """A chain of stages.

    Attributes:
        input_shape: of the input spikes of one step.
        layers: see the top of this file for their order.
        dt: time step, ms.
        name: what files call it; letters, digits, `_` and `-`.
        metadata: anything that JSON can hold: where weights come from, how they learned.

    Raises ValueError for layers in another order or that do not fit one another, a dt that is not positive,
    an impossible name, and metadata that JSON cannot hold.
    """

    input_shape: Shape
    layers: tuple[Layer, ...]
    dt: float = 1.0
    name: str = "network"
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_shape", whole_numbers("The input", self.input_shape, 1))
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "dt", float(self.dt))
        if not 0 < self.dt < math.inf:
            raise ValueError(f"The time step must be positive and finite, not {self.dt} ms.")
        if not self.name or not all(c.isascii() and (c.isalnum() or c in "_-") for c in self.name):
            raise ValueError(
                f"A network's name needs letters, digits, '_' and '-' only, not {self.name!r}."
            )
        try:
            object.__setattr__(
                self, "metadata", json.loads(json.dumps(self.metadata, allow_nan=False))
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"The metadata of a network must fit into JSON: {error}.") from error
        self._require_chain()

    def _require_chain(self) -> None:
        shape = self.input_shape
        for index, layer in enumerate(self.layers):
            if layer.input_shape != shape:
                raise ValueError(
                    f"Layer {index} ({type(layer).__name__}) takes "
                    f"{shape_text(layer.input_shape)} inputs, but {shape_text(shape)} arrive."
                )
            shape = layer.output_shape
        if not self.layers or not isinstance(self.layers[-1], LIF):
            raise ValueError("A network needs at least one layer and ends with neurons.")
        if len(tuple(self.stages)) != sum(isinstance(layer, LIF) for layer in self.layers):
            raise ValueError("A network needs one layer of neurons behind every synapse.")

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The chain, cut behind every layer of neurons.

        Raises ValueError for layers that are no stages.
        """
        return tuple(_stages(self.layers))

    @property
    def output_shape(self) -> Shape:
        """Shape of the last layer."""
        return self.layers[-1].output_shape

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return sum(math.prod(stage.neurons.shape) for stage in self.stages)


def same_network(one: Network, other: Network) -> bool:
    """Whether two networks have equal shapes, values, time step, name and metadata."""
    return (
        (one.input_shape, one.dt, one.name, one.metadata)
        == (other.input_shape, other.dt, other.name, other.metadata)
        and len(one.layers) == len(other.layers)
        and all(same_layer(a, b) for a, b in zip(one.layers, other.layers, strict=True))
    )


def _stages(layers: Sequence[Layer]) -> Iterator[Stage]:
    before: list[Reshaping] = []
    synapse: Synapse | None = None
    for layer in layers:
        if isinstance(layer, LIF):
            if synapse is None:
                raise ValueError("A layer of neurons needs a dense or convolutional synapse.")
            yield Stage(tuple(before), synapse, layer)
            before, synapse = [], None
        elif synapse is not None:
            raise ValueError(f"Only neurons may follow a synapse, not {type(layer).__name__}.")
        elif isinstance(layer, SumPool | Flatten):
            before.append(layer)
        else:
            synapse = layer
