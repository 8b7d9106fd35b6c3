"""From an encoder and a row of the method table to areas on a stream, in either code."""

from typing import Any, Literal

import torch

from clapp_snn.circuit.basal import Conv
from clapp_snn.circuit.connections import LateralConnections
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.methods import METHODS, Method
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.interface import Neuron
from clapp_snn.neurons.rate import Rate
from clapp_snn.randomness import generator

Code = Literal["rate", "spiking"]


def learns_on_streams(method: Method) -> bool:
    """Whether the circuit computes what the method asks for, with one glance at a time.

    Each layer is an area of its own, sees one fixation or one saccade (local in time), and has a gate and a
    prediction. Distances, and where saccades land, are the stream's business.
    """
    objective = method.objective
    return (
        objective is not None
        and method.explicit
        and method.context == "same"
        and objective.time_local
        and objective.gate
        and objective.prediction
    )


def build_stream(
    encoder: Encoder,
    method: Method,
    seed: int,
    code: Code | Neuron = "spiking",
    **options: Any,
) -> StreamHierarchy:
    """A stack of convolutional areas with the layers of an encoder.

    The areas start from copies of the encoder's weights, in their precision, and from lateral matrices of the
    streams that rate mode draws from, so that both codes start from one network. The input of the stack is a
    batch of patches (`Encoder.patches`), each a sample of its own.

    Args:
        encoder: layers, pooling, size of patches and weights.
        method: which synapses learn; one that is local in space and time.
        seed: of the lateral matrices.
        code: "rate" (`Rate`, windows of one step), "spiking" (`EventBurst`), or the neuron itself.
        **options: of every `StreamArea`: window, settle, copies, tau_basal, ...

    Raises ValueError for a method that a stream does not support, an unknown code, and as `StreamArea` does.
    """
    if not learns_on_streams(method):
        able = ", ".join(name for name, each in METHODS.items() if learns_on_streams(each))
        raise ValueError(
            f"Method {method.name!r} cannot learn from a stream: it is not local in space and time, or has "
            f"no gate and prediction in every layer. Choose one of: {able}."
        )
    assert method.objective is not None
    neuron = _neuron(code)
    if code == "rate":
        options = {"window": neuron.dt, **options}
    table = encoder.architecture
    areas, pre, side = [], encoder.in_channels, table.patch
    for index, layer in enumerate(table.layers):
        basal = Conv(side, side, layer.pool)
        area = StreamArea(
            pre, layer.channels, neuron, retro=method.objective.retro, basal=basal, **options
        )
        weights = encoder.layer(index)
        area.to(weights.weight.device, weights.weight.dtype)
        with torch.no_grad():
            area.weight.copy_(weights.weight)
            area.bias.copy_(weights.bias)
        LateralConnections.reset_parameters(area, generator(seed, "init", "area", index))
        areas.append(area)
        pre, side = layer.channels, basal.unit_shape(1)[0]
    return StreamHierarchy(areas)


def _neuron(code: Code | Neuron) -> Neuron:
    if isinstance(code, Neuron):
        return code
    if code == "rate":
        return Rate()
    if code == "spiking":
        return EventBurst()
    raise ValueError(f"The code is 'rate', 'spiking' or a neuron, not {code!r}.")
