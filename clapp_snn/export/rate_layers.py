"""What a rate-trained network is to the conversion: layers as arrays, activity z = [W x + b]_+."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from clapp_snn.circuit.basal import Conv
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.export.canonical_layers import Conv2d, Dense, Flatten, SumPool, Synapse
from clapp_snn.export.interpreter import drive, reshape

PADDING = (1, 1)
SIDE = 2
"""Of the groups that are pooled."""


@dataclass(frozen=True, eq=False)
class RateLayer:
    """One layer of units z = [W x + b]_+.

    Attributes:
        synapse: weights and bias.
        pool: whether the largest of every 2 x 2 group goes on.
    """

    synapse: Synapse
    pool: bool = False


def layers_of_stream(network: StreamHierarchy) -> list[RateLayer]:
    """Layers of the areas of a stream, whatever their neuron."""
    layers: list[RateLayer] = []
    for index in range(len(network.areas)):
        area = network.area(index)
        weight, bias = _numpy(area.weight), _numpy(area.bias)
        basal = area.basal
        if isinstance(basal, Conv):
            shape = (weight.shape[1], basal.rows, basal.cols)
            synapse: Synapse = Conv2d(weight, bias, (1, 1), PADDING, shape)
            layers.append(RateLayer(synapse, basal.pool))
        else:
            layers.append(RateLayer(Dense(weight, bias)))
    return layers


def layers_of_encoder(encoder: Encoder) -> list[RateLayer]:
    """Layers of a convolutional encoder, for one patch."""
    side, layers = encoder.architecture.patch, []
    for index, row in enumerate(encoder.architecture.layers):
        weights = encoder.layer(index)
        weight = _numpy(weights.weight)
        shape = (weight.shape[1], side, side)
        conv = Conv2d(weight, _numpy(weights.bias), (1, 1), PADDING, shape)
        layers.append(RateLayer(conv, row.pool))
        side //= SIDE if row.pool else 1
    return layers


def respond(
    layer: RateLayer, x: Float64[np.ndarray, "sample *pre"], *, average: bool = False
) -> tuple[Float64[np.ndarray, "sample *post"], Float64[np.ndarray, "sample *pooled"]]:
    """Activity of the units, and what goes on to the next layer.

    `average` pools by averaging instead of taking the largest.
    """
    z = np.maximum(drive(layer.synapse, x), 0)
    if not layer.pool:
        return z, z
    channels, rows, cols = layer.synapse.output_shape
    if average:
        return z, reshape(SumPool(SIDE, (channels, rows, cols)), z) / SIDE**2
    groups = z.reshape(len(z), channels, rows // SIDE, SIDE, cols // SIDE, SIDE)
    return z, groups.max((-3, -1))


def flattening(shape: tuple[int, ...], synapse: Synapse) -> tuple[Flatten, ...]:
    """The flattening between a map and a dense layer, if there is one."""
    return (Flatten(shape),) if isinstance(synapse, Dense) and len(shape) > 1 else ()


def _numpy(parameter: Tensor) -> np.ndarray:
    return np.asarray(parameter.detach().to("cpu", torch.float64).numpy())
