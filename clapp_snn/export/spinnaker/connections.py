"""Every synapse of a stage, written out: chips of general purpose share no kernels."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from clapp_snn.export.canonical import Stage
from clapp_snn.export.canonical_layers import Conv2d, Dense, Flatten, Shape, SumPool

MOST = 2**26
"""Synapses of one stage that are written out."""


class Connections(NamedTuple):
    """Synapses between flattened layers; weights of 0 are left out."""

    pre: Int64[np.ndarray, "synapse"]
    post: Int64[np.ndarray, "synapse"]
    weight: Float64[np.ndarray, "synapse"]


def dense_connections(weight: Float64[np.ndarray, "post pre"]) -> Connections:
    """All synapses of a matrix."""
    post, pre = np.nonzero(weight)
    return Connections(pre, post, weight[post, pre])


def stage_connections(stage: Stage, shape: Shape) -> Connections:
    """From the layer below, of `shape`, through pools and flattening; recurrent synapses are not among them.

    Raises ValueError for more synapses than can be written out.
    """
    layer, side = _as_convolution(stage, shape)
    cols = layer.input_shape[2]
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    out_rows, out_cols = layer.output_shape[1:]
    most = out_rows * out_cols * layer.weight.size * side**2
    if most > MOST:
        raise ValueError(
            f"A stage of {most} synapses is too large to be written out for SpiNNaker: use smaller maps or "
            "fewer channels."
        )
    i, j = np.indices((out_rows, out_cols)).reshape(2, -1)
    for row, col in np.ndindex(*layer.weight.shape[2:]):
        y = i * layer.stride[0] + row - layer.padding[0]
        x = j * layer.stride[1] + col - layer.padding[1]
        inside = (y >= 0) & (y < layer.input_shape[1]) & (x >= 0) & (x < cols)
        to = np.flatnonzero(inside)
        for dy, dx in np.ndindex(side, side):
            below = (y[inside] * side + dy) * cols * side + x[inside] * side + dx
            found.append((below, to, layer.weight[:, :, row, col]))
    return _joined(found, layer.input_shape[1] * cols * side**2, out_rows * out_cols)


def _joined(
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]], below: int, above: int
) -> Connections:
    """Pairs of positions, each with a matrix of channels."""
    parts = []
    for position, to, weight in found:
        post, pre = np.nonzero(weight)
        parts.append(
            (
                (pre[:, None] * below + position).ravel(),
                (post[:, None] * above + to).ravel(),
                np.repeat(weight[post, pre], len(position)),
            )
        )
    pre, post, values = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Connections(pre, post, values)


def _as_convolution(stage: Stage, shape: Shape) -> tuple[Conv2d, int]:
    """The synapse as a convolution of what is pooled, and the side of the pooled groups."""
    side = 1
    pooled: Shape = shape if len(shape) == 3 else (math.prod(shape), 1, 1)
    for layer in stage.before:
        if isinstance(layer, SumPool):
            side *= layer.size
            pooled = layer.output_shape
    synapse = stage.synapse
    if isinstance(synapse, Dense):
        kernels = synapse.weight.reshape(-1, *pooled)
        return Conv2d(kernels, synapse.bias, (1, 1), (0, 0), pooled), side
    if any(isinstance(layer, Flatten) for layer in stage.before):
        raise ValueError("A convolution of a flattened map cannot be written out.")
    return synapse, side
