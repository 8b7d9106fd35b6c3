"""From the record of a run on a stream to its network and its objects."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from clapp_snn.circuit.ablations import make_area, make_stack
from clapp_snn.circuit.build_stream import build_stream, stack_areas
from clapp_snn.circuit.drawn_window import require_drawable
from clapp_snn.circuit.ports import LIFPort, LinearLIFPort, Port, StrictBurstPort
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_context import area_with_context, stream_source
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import ARCHITECTURES
from clapp_snn.methods import Method, get_method
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import Neuron
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.randomness import generator
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.encoder_weights import fill
from clapp_snn.training.stream_config import StreamConfig
from clapp_snn.training.stream_objects import input_channels, inputs, open_objects

__all__ = ["build_network", "open_objects"]


def trained_network(config: StreamConfig, run: str | Path) -> StreamHierarchy:
    """The network of a configuration with the newest weights of a run.

    Raises ValueError when the weights belong to another network, CheckpointError when they are damaged.
    """
    described = f"areas of {list(config.units)} units on {config.data}"
    return fill(build_network(config), load_checkpoint(run).model, run, described)


def build_network(config: StreamConfig) -> StreamHierarchy:
    """Fresh areas; equal seeds and sizes give equal weights, whatever the neuron.

    Raises ValueError for windows that are no whole number of steps, or that cannot be drawn.
    """
    neuron, port = _neuron(config)
    rate = config.neuron == "rate"
    options: dict[str, Any] = {
        "window": config.dt if rate else config.window,
        "settle": 0.0 if rate else config.settle,
        "copies": config.copies,
        "port": port,
        "tau_basal": 0.0 if rate else config.tau_basal,
        "post_factor": config.post_factor,
        "tau_eligibility": math.inf if config.tau_eligibility is None else config.tau_eligibility,
    }
    if config.encoder == "dense":
        network = _dense(config, neuron, options)
    else:
        network = _convolutional(config, neuron, options)
    for index in range(len(network.areas) if config.drawn else 0):
        require_drawable(network.area(index))
    return network.requires_grad_(False)


def _dense(config: StreamConfig, neuron: Neuron, options: dict[str, Any]) -> StreamHierarchy:
    method, ablated = method_of(config), config.ablation != "none"
    options = {"retro": method.retro, **options}
    areas: list[StreamArea] = []
    for index, (pre, post) in enumerate(pairwise((inputs(config), *config.units))):
        if ablated:
            areas.append(make_area(config.ablation, pre, post, neuron, **options))
        else:
            source, sizes = stream_source(method), config.units
            areas.append(area_with_context(source, index, sizes, pre, post, neuron, **options))
    network = make_stack(config.ablation, areas) if ablated else stack_areas(areas, method)
    network.reset_parameters(config.seed)
    return network


def _convolutional(
    config: StreamConfig, neuron: Neuron, options: dict[str, Any]
) -> StreamHierarchy:
    """As rate mode starts the method with this encoder, width and seed."""
    table = ARCHITECTURES[config.encoder]
    encoder = Encoder(table, config.width, input_channels(config))
    encoder.reset_parameters(generator(config.seed, "init", "encoder"))
    return build_stream(encoder, method_of(config), config.seed, neuron, **options)


def method_of(config: StreamConfig) -> Method:
    """The row of the table; "clapp" takes its W_retro from the configuration, all others have their own."""
    method = get_method(config.method)
    if config.method != "clapp" or method.objective is None:
        return method
    return replace(method, objective=replace(method.objective, retro=config.retro))


def _neuron(config: StreamConfig) -> tuple[Neuron, Port | None]:
    """The neuron, and its port where rho is a matter of the port."""
    rho, dt = config.rho, config.dt
    if config.neuron == "rate":
        return Rate(dt=dt), None
    if config.neuron == "event_burst":
        params = EventBurstParameters(rho=20.0 if rho is None else rho, readout=config.readout)
        return EventBurst(params, dt), None
    if config.neuron == "strict_burst":
        strict = StrictBurst(dt=dt)
        return strict, None if rho is None else StrictBurstPort(strict, rho)
    lif = TwoCompartmentLIF(dt=dt)
    make = LinearLIFPort if config.soma == "linear" else LIFPort
    return lif, make(lif, 20.0 if rho is None else rho)
