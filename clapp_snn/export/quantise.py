"""Symmetric quantisation of weights, shared by all chips: w = scale q, q a whole number of some bits.

With b bits q lies within +-(2^(b-1) - 1); 2 bits leave -1, 0 and 1. The scale of a layer is searched: from
the largest weight downwards, where clipping a few weights pays for finer steps of all others. The error that
is minimised is that of the weights, or, given samples of the layer's input, of the drives that they cause.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense, Layer

CANDIDATES = 60
SMALLEST_SHARE = 0.2


class Quantised(NamedTuple):
    """Weights of a layer as scale times whole numbers."""

    values: Int64[np.ndarray, "*shape"]
    scale: float

    @property
    def weight(self) -> Float64[np.ndarray, "*shape"]:
        """What they stand for."""
        return self.scale * self.values


def largest_level(bits: int) -> int:
    """2^(bits-1) - 1; raises ValueError below 2 or above 16 bits."""
    if not 2 <= bits <= 16:
        raise ValueError(f"Weights are quantised to 2 to 16 bits, not {bits}.")
    return int(2 ** (bits - 1) - 1)


def round_to(
    weight: Float64[np.ndarray, "*shape"], scale: float, bits: int
) -> Int64[np.ndarray, "*shape"]:
    """The nearest levels, clipped at the largest."""
    most = largest_level(bits)
    return np.clip(np.round(weight / scale), -most, most).astype(np.int64)


def quantise(
    weight: Float64[np.ndarray, "post *pre"],
    bits: int,
    inputs: Float64[np.ndarray, "sample pre"] | None = None,
) -> Quantised:
    """Quantise one layer with the scale that leaves the smallest squared error.

    Args:
        weight: of any layout with neurons or channels first.
        bits: of one weight, sign included.
        inputs: samples of what every row of weights (flattened) is multiplied with, to weigh errors by; None
            weighs all weights alike.

    Raises ValueError for weights that are not finite or inputs of another length.
    """
    most = largest_level(bits)
    if not np.isfinite(weight).all():
        raise ValueError("Only finite weights can be quantised; some are NaN or inf.")
    rows = weight.reshape(len(weight), -1)
    moments = None
    if inputs is not None:
        if inputs.ndim != 2 or inputs.shape[1] != rows.shape[1]:
            raise ValueError(
                f"Samples of input need {rows.shape[1]} columns, not shape {inputs.shape}."
            )
        moments = inputs.T @ inputs
    extent = float(np.abs(weight).max(initial=0.0))
    if extent == 0:
        return Quantised(np.zeros(weight.shape, np.int64), 1.0)
    scales = extent / most * np.linspace(1, SMALLEST_SHARE, CANDIDATES)
    errors = [_error(rows, scale, bits, moments) for scale in scales]
    scale = float(scales[int(np.argmin(errors))])
    return Quantised(round_to(weight, scale, bits), scale)


def quantised_network(network: Network, bits: int) -> Network:
    """The same network with weights of `bits` bits in every synapse; biases and thresholds stay exact."""
    return replace(network, layers=tuple(_quantised_layer(each, bits) for each in network.layers))


def _quantised_layer(layer: Layer, bits: int) -> Layer:
    if isinstance(layer, Dense | Conv2d):
        return replace(layer, weight=quantise(layer.weight, bits).weight)
    if isinstance(layer, LIF) and layer.recurrent is not None:
        weight = quantise(layer.recurrent.weight, bits).weight
        return replace(layer, recurrent=replace(layer.recurrent, weight=weight))
    return layer


def _error(
    rows: Float64[np.ndarray, "post pre"],
    scale: float,
    bits: int,
    moments: Float64[np.ndarray, "pre pre"] | None,
) -> float:
    wrong = scale * round_to(rows, scale, bits) - rows
    if moments is None:
        return float((wrong**2).sum())
    return float(((wrong @ moments) * wrong).sum())
