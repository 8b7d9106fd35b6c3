"""Layers of the canonical network: synapses, pools and neurons, as plain arrays.

`clapp_snn.export.canonical` says how they form a network. Maps are (channel, row, column), flattened row by
row; the bias is added in every step.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
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
        object.__setattr__(self, "stride", whole_numbers("The stride", self.stride, 1, length=2))
        object.__setattr__(self, "padding", whole_numbers("The padding", self.padding, 0, length=2))
        object.__setattr__(
            self, "input_shape", whole_numbers("A map", self.input_shape, 1, length=3)
        )
        if self.input_shape[0] != self.weight.shape[1]:
            raise ValueError(
                f"Kernels of {self.weight.shape[1]} channels do not fit an input of {self.input_shape[0]}."
            )
        if min(self.output_shape) < 1:
            raise ValueError(
                f"Kernels of {shape_text(self.weight.shape[2:])} do not fit on a map of "
                f"{shape_text(self.input_shape[1:])} with padding {shape_text(self.padding)}."
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
        object.__setattr__(self, "size", whole_numbers("The size of a pool", (self.size,), 1)[0])
        object.__setattr__(
            self, "input_shape", whole_numbers("A map", self.input_shape, 1, length=3)
        )
        if any(side % self.size for side in self.input_shape[1:]):
            raise ValueError(
                f"Groups of {self.size} x {self.size} do not tile a map of "
                f"{shape_text(self.input_shape[1:])}."
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
        object.__setattr__(self, "input_shape", whole_numbers("A shape", self.input_shape, 1))

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
        object.__setattr__(self, "shape", whole_numbers("A layer", self.shape, 1))
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
                f"{shape_text(self.recurrent.weight.shape)}."
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


def same_layer(one: Layer | None, other: Layer | None) -> bool:
    """Whether two layers are of one kind, with equal shapes and values."""
    if one is None or other is None:
        return one is other
    if type(one) is not type(other):
        return False
    if isinstance(one, LIF) and isinstance(other, LIF):
        alike = (one.shape, one.beta, one.threshold) == (other.shape, other.beta, other.threshold)
        return alike and same_layer(one.recurrent, other.recurrent)
    if isinstance(one, Dense | Conv2d) and isinstance(other, Dense | Conv2d):
        alike = np.array_equal(one.weight, other.weight) and np.array_equal(one.bias, other.bias)
        if isinstance(one, Conv2d) and isinstance(other, Conv2d):
            alike &= (one.stride, one.padding) == (other.stride, other.padding)
        return alike and one.input_shape == other.input_shape
    return one == other


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


def whole_numbers(what: str, values: Sequence[int], least: int, length: int | None = None) -> Shape:
    """`values` as a tuple; a ValueError unless they are whole, at least `least`, and `length` of them."""
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"{what} needs whole numbers, not {tuple(values)}.")
    numbers = tuple(int(value) for value in values)
    if numbers != tuple(values) or not numbers or min(numbers) < least:
        raise ValueError(f"{what} needs whole numbers of at least {least}, not {tuple(values)}.")
    if length is not None and len(numbers) != length:
        raise ValueError(f"{what} needs {length} numbers, not {tuple(values)}.")
    return numbers


def shape_text(shape: Sequence[int]) -> str:
    """Such as "3 x 8 x 8"."""
    return " x ".join(map(str, shape))
