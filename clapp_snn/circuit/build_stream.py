"""From an encoder and a row of the method table to areas on a stream, in either code."""

from collections.abc import Sequence
from typing import Any, Literal

import torch

from clapp_snn.circuit.basal import Conv
from clapp_snn.circuit.connections import LateralConnections, draw_by_sources
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_context import (
    ContextHierarchy,
    area_with_context,
    stream_source,
    why_not_on_streams,
)
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.two_contexts import TwoContexts
from clapp_snn.circuit.windowed_conv import WindowedConv
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import VGG6_WHOLE, Architecture
from clapp_snn.methods import TABLES, Method
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.interface import Neuron
from clapp_snn.neurons.rate import Rate
from clapp_snn.randomness import generator

Code = Literal["rate", "spiking"]


def learns_on_streams(method: Method) -> bool:
    """Whether the circuit computes what the method asks for, with one glance at a time."""
    return why_not_on_streams(method) is None


def require_stream(method: Method) -> None:
    """Raise ValueError, naming the reason and what can be had, unless `learns_on_streams`."""
    if (reason := why_not_on_streams(method)) is not None:
        able = ", ".join(n for n, each in TABLES["images"].items() if learns_on_streams(each))
        raise ValueError(
            f"Method {method.name!r} cannot learn from a stream: {reason}. Choose one of: {able}."
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
    batch of patches (`Encoder.patches`), each a sample of its own. Windows of methods on maps shrink with the
    patch: 12 of 96 pixels become 2 of 16, and no window is smaller than a position.

    Args:
        encoder: layers, pooling, size of patches and weights.
        method: which synapses learn; one that is local in space and time.
        seed: of the lateral matrices.
        code: "rate" (`Rate`, windows of one step), "spiking" (`EventBurst`), or the neuron itself.
        **options: of every `StreamArea`: window, settle, copies, tau_basal, ...

    Raises ValueError for a method that a stream does not support, an unknown code, and as `StreamArea` does.
    """
    require_stream(method)
    neuron = _neuron(code)
    if code == "rate":
        options = {"window": neuron.dt, **options}
    table = encoder.architecture
    basals = _projections(table, method)
    compared = [
        basal.compared(layer.channels) for basal, layer in zip(basals, table.layers, strict=True)
    ]
    areas, pre = [], encoder.in_channels
    for index, (basal, layer) in enumerate(zip(basals, table.layers, strict=True)):
        area = area_with_context(
            stream_source(method),
            index,
            compared,
            pre,
            layer.channels,
            neuron,
            retro=method.retro,
            basal=basal,
            **options,
        )
        weights = encoder.layer(index)
        area.to(weights.weight.device, weights.weight.dtype)
        with torch.no_grad():
            area.weight.copy_(weights.weight)
            area.bias.copy_(weights.bias)
        draw = LateralConnections.reset_parameters if method.maps is None else draw_by_sources
        stream = generator(seed, "init", "area", index)
        draw(area, stream)
        if isinstance(area, TwoContexts):
            area.reset_top(stream, area.W_top.shape[1])
        areas.append(area)
        pre = layer.channels
    return stack_areas(areas, method)


def stack_areas(areas: Sequence[StreamArea], method: Method) -> StreamHierarchy:
    """Areas on one another, each with its context; raises ValueError as the stacks do."""
    source = stream_source(method)
    return StreamHierarchy(areas) if source == "same" else ContextHierarchy(areas, source)


def _projections(table: Architecture, method: Method) -> list[Conv]:
    found: list[Conv] = []
    side = table.patch
    windows = (None,) * len(table.layers) if method.maps is None else method.maps.windows
    for layer, window in zip(table.layers, windows, strict=True):
        if window is None:
            found.append(Conv(side, side, layer.pool))
        else:
            scaled = max(1, round(window * table.patch / VGG6_WHOLE.patch))
            found.append(WindowedConv(side, side, layer.pool, scaled))
        side = found[-1].unit_shape(1)[0]
    return found


def _neuron(code: Code | Neuron) -> Neuron:
    if isinstance(code, Neuron):
        return code
    if code == "rate":
        return Rate()
    if code == "spiking":
        return EventBurst()
    raise ValueError(f"The code is 'rate', 'spiking' or a neuron, not {code!r}.")
