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

import numpy as np
from jaxtyping import Float64

Shape = tuple[int, ...]
Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Dense:
    """drive = weight @ spikes + bias.

    Attributes:
        weight: one row a neuron.
        bias: drive in every step.

    Raises ValueError for shapes that do not fit, or values that are not finite.
    """

    weight: Float64[np.ndarray, "post pre"]
    bias: Float64[np.ndarray, "post"]

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", _array("the weights of a dense layer", self.weight, 2))
        bias = _array("the bias of a dense layer", self.bias, 1)
        object.__setattr__(self, "bias", _one_each("dense", bias, len(self.weight)))

    @property
    def input_shape(self) -> Shape:
        """(pre,)."""
        return (self.weight.shape[1],)

    @property
    def output_shape(self) -> Shape:
        """(post,)."""
        return (self.weight.shape[0],)


@dataclass(frozen=True, eq=False)
class Conv2d:
    """A convolution with zero padding; no dilation, no groups.

    Attributes:
        weight: kernels.
        bias: drive of every neuron of a channel in every step.
        stride, padding: rows, columns.
        input_shape: channels, rows, columns.

    Raises ValueError for shapes that do not fit, or values that are not finite.
    """

    weight: Float64[np.ndarray, "post pre row col"]
    bias: Float64[np.ndarray, "post"]
    stride: Pair
    padding: Pair
    input_shape: Shape

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", _array("the kernels of a convolution", self.weight, 4))
        bias = _array("the bias of a convolution", self.bias, 1)
        object.__setattr__(self, "bias", _one_each("convolution", bias, len(self.weight)))
        object.__setattr__(self, "stride", _whole("The stride", self.stride, 1, length=2))
        object.__setattr__(self, "padding", _whole("The padding", self.padding, 0, length=2))
        object.__setattr__(self, "input_shape", _whole("A map", self.input_shape, 1, length=3))
        if self.input_shape[0] != self.weight.shape[1]:
            raise ValueError(
                f"Kernels of {self.weight.shape[1]} channels do not fit an input of {self.input_shape[0]}."
            )
        if min(self.output_shape) < 1:
            raise ValueError(
                f"Kernels of {_text(self.weight.shape[2:])} do not fit on a map of "
                f"{_text(self.input_shape[1:])} with padding {_text(self.padding)}."
            )

    @property
    def output_shape(self) -> Shape:
        """Channels, rows, columns."""
        sides = zip(
            self.input_shape[1:], self.padding, self.weight.shape[2:], self.stride, strict=True
        )
        return (
            len(self.weight),
            *((side + 2 * pad - kernel) // stride + 1 for side, pad, kernel, stride in sides),
        )


@dataclass(frozen=True)
class SumPool:
    """Sums over groups of `size` x `size` positions that do not overlap.

    Raises ValueError for a map that such groups do not tile.
    """

    size: int
    input_shape: Shape

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _whole("The size of a pool", (self.size,), 1)[0])
        object.__setattr__(self, "input_shape", _whole("A map", self.input_shape, 1, length=3))
        if any(side % self.size for side in self.input_shape[1:]):
            raise ValueError(
                f"Groups of {self.size} x {self.size} do not tile a map of {_text(self.input_shape[1:])}."
            )

    @property
    def output_shape(self) -> Shape:
        """Channels, rows, columns."""
        channels, rows, cols = self.input_shape
        return (channels, rows // self.size, cols // self.size)


@dataclass(frozen=True)
class Flatten:
    """A map as one axis, row by row."""

    input_shape: Shape

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_shape", _whole("A shape", self.input_shape, 1))

    @property
    def output_shape(self) -> Shape:
        """(number of inputs,)."""
        return (math.prod(self.input_shape),)


@dataclass(frozen=True, eq=False)
class LIF:
    """Neurons of one layer.

    Attributes:
        shape: of the layer.
        beta: factor of the voltage in one step; 1 for no leak.
        threshold: a spike where the voltage exceeds it.
        recurrent: from the layer's spikes of the last step (flattened) to its drive, or None.

    Raises ValueError for a beta outside (0, 1], a threshold that is not positive and finite, and recurrent
    weights of another size.
    """

    shape: Shape
    beta: float = 1.0
    threshold: float = 1.0
    recurrent: Dense | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _whole("A layer", self.shape, 1))
        object.__setattr__(self, "beta", float(self.beta))
        object.__setattr__(self, "threshold", float(self.threshold))
        if not 0 < self.beta <= 1:
            raise ValueError(f"beta must lie in (0, 1], not {self.beta}.")
        if not 0 < self.threshold < math.inf:
            raise ValueError(f"A threshold must be positive and finite, not {self.threshold}.")
        size = math.prod(self.shape)
        if self.recurrent is not None and self.recurrent.weight.shape != (size, size):
            raise ValueError(
                f"A layer of {size} neurons needs {size} x {size} recurrent weights, not "
                f"{_text(self.recurrent.weight.shape)}."
            )

    @property
    def input_shape(self) -> Shape:
        """`shape`."""
        return self.shape

    @property
    def output_shape(self) -> Shape:
        """`shape`."""
        return self.shape


Synapse = Dense | Conv2d
Reshaping = SumPool | Flatten
Layer = Synapse | Reshaping | LIF


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
        object.__setattr__(self, "input_shape", _whole("The input", self.input_shape, 1))
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
                    f"Layer {index} ({type(layer).__name__}) takes {_text(layer.input_shape)} inputs, but "
                    f"{_text(shape)} arrive."
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
        and all(_same_layer(a, b) for a, b in zip(one.layers, other.layers, strict=True))
    )


def _same_layer(one: Layer | None, other: Layer | None) -> bool:
    if one is None or other is None:
        return one is other
    if type(one) is not type(other):
        return False
    if isinstance(one, LIF) and isinstance(other, LIF):
        alike = (one.shape, one.beta, one.threshold) == (other.shape, other.beta, other.threshold)
        return alike and _same_layer(one.recurrent, other.recurrent)
    if isinstance(one, Dense | Conv2d) and isinstance(other, Dense | Conv2d):
        alike = np.array_equal(one.weight, other.weight) and np.array_equal(one.bias, other.bias)
        if isinstance(one, Conv2d) and isinstance(other, Conv2d):
            alike &= (one.stride, one.padding) == (other.stride, other.padding)
        return alike and one.input_shape == other.input_shape
    return one == other


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


def _array(what: str, values: Any, axes: int) -> np.ndarray:
    array = np.array(values, dtype=np.float64)
    if array.ndim != axes or not array.size:
        raise ValueError(f"{what[0].upper()}{what[1:]} need {axes} axes, not shape {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"Values of {what} are not finite (NaN or inf).")
    array.setflags(write=False)
    return array


def _one_each(what: str, bias: np.ndarray, post: int) -> np.ndarray:
    if len(bias) != post:
        raise ValueError(f"A {what} layer with {post} rows of weights needs as many biases.")
    return bias


def _whole(what: str, values: Sequence[int], least: int, length: int | None = None) -> Shape:
    numbers = tuple(int(value) for value in values)
    if numbers != tuple(values) or not numbers or min(numbers) < least:
        raise ValueError(f"{what} needs whole numbers of at least {least}, not {tuple(values)}.")
    if length is not None and len(numbers) != length:
        raise ValueError(f"{what} needs {length} numbers, not {tuple(values)}.")
    return numbers


def _text(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
