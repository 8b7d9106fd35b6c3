"""From the record of a run on a stream to its network and its objects."""

from itertools import pairwise

from clapp_snn.circuit.drawn_window import require_drawable
from clapp_snn.circuit.ports import LIFPort, Port, StrictBurstPort
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import Neuron
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.stimuli.digits import Digits, open_digits
from clapp_snn.training.stream_config import StreamConfig

PIXELS = 64


def open_objects(config: StreamConfig) -> Digits:
    """What is looked at, split by the seed of the run."""
    return open_digits(config.seed)


def build_network(config: StreamConfig) -> StreamHierarchy:
    """Fresh areas; equal seeds and sizes give equal weights, whatever the neuron.

    Raises ValueError for windows that are no whole number of steps, or that cannot be drawn.
    """
    neuron, port = _neuron(config)
    rate = config.neuron == "rate"
    areas = [
        StreamArea(
            pre,
            post,
            neuron,
            config.dt if rate else config.window,
            0.0 if rate else config.settle,
            config.copies,
            config.retro,
            port,
            tau_basal=0.0 if rate else config.tau_basal,
        )
        for pre, post in pairwise((PIXELS, *config.units))
    ]
    for area in areas if config.drawn else []:
        require_drawable(area)
    network = StreamHierarchy(areas)
    network.reset_parameters(config.seed)
    return network.requires_grad_(False)


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
    return lif, None if rho is None else LIFPort(lif, rho)
