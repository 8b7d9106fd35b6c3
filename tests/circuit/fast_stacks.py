"""Small stacks, their input and random numbers, for tests of `clapp_snn.circuit.fast_window`."""

from typing import Any

import torch
from torch import Tensor

from clapp_snn.circuit.basal import Basal, Conv
from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.interface import Neuron
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler
from clapp_snn.neurons.noise import SampleStreams
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.randomness import generator

PRE, SAMPLES, WINDOW = 9, 3, 40.0
NEURONS: dict[str, Neuron[Any]] = {
    "L0": TwoCompartmentLIF(),
    "L1": NaudSprekeler(),
    "L2": StrictBurst(),
    "L3": EventBurst(EventBurstParameters(rho=60.0, readout="opponent")),
    "L3 refractory": EventBurst(EventBurstParameters(rho=60.0, t_ref=5.0)),
}


def dyadic(shape: tuple[int, ...], scale: float, key: str) -> Tensor:
    """Numbers on a coarse grid: sums of their products are exact in any order."""
    drawn = torch.randn(shape, generator=generator(0, key))
    return (drawn * scale * 32).round() / 32


def stack(neuron: Neuron[Any], units: tuple[int, ...] = (6, 5), **options: Any) -> StreamHierarchy:
    areas, pre = [], PRE
    for index, post in enumerate(units):
        area = StreamArea(pre, post, neuron, window=WINDOW, **options)
        area.reset_parameters(generator(index, "area"))
        with torch.no_grad():
            area.weight.copy_(dyadic(area.weight.shape, 2.0, f"weight {index}"))
            area.bias.copy_(dyadic(area.bias.shape, 0.5, f"bias {index}"))
        areas.append(area)
        pre = post
    return StreamHierarchy(areas)


def maps(pool: bool, post: int = 4, **options: Any) -> StreamHierarchy:
    basal: Basal = Conv(4, 6, pool)
    neuron = EventBurst(EventBurstParameters(rho=60.0))
    area = StreamArea(3, post, neuron, window=WINDOW, basal=basal, **options)
    area.reset_parameters(generator(0, "area"))
    with torch.no_grad():
        area.weight *= 4
    return StreamHierarchy([area])


def counters(areas: int, samples: int = SAMPLES, key: str = "draws") -> list[CounterStreams]:
    return [CounterStreams(4, key, index, samples=range(samples)) for index in range(areas)]


def sampled(areas: int) -> list[SampleStreams]:
    return [SampleStreams(4, list(range(SAMPLES)), index) for index in range(areas)]


def glance(hierarchy: StreamHierarchy, in_time: bool, samples: int = SAMPLES) -> Tensor:
    shape = (samples, *hierarchy.area(0).input_shape)
    if in_time:
        shape = (hierarchy.steps, *shape)
    return dyadic(shape, 1.0, "glance").abs()


def two_windows(hierarchy, run, x, sources, samples: int = SAMPLES) -> list[StreamAreaState]:
    """The end of a second window, so that dendrites hold predictions."""
    states = hierarchy.latch(run(x, hierarchy.initial_state(samples), sources))
    return run(x, states, sources)


def events(area: StreamArea, state: StreamAreaState) -> Tensor:
    """Whole numbers of events of every unit, from its summed activity."""
    each = area.port.activity(torch.tensor(1 / (len(area.detector.signs) * area.copies)))
    return (state.sums.z / each).round()
