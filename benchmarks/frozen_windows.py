"""Windows of a network whose weights stay as they are: errors of its gates, and what it costs."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.drawn_window import drawn_windows
from clapp_snn.circuit.stream_area import Reading, StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.evaluation.synaptic_operations import Operations, network_operations
from clapp_snn.neurons.noise import SampleStreams
from clapp_snn.stimuli.glances import GlanceStream, Objects

BURN_IN = 2
"""Windows before anything is measured: synapses hold traces of two."""


class Window(NamedTuple):
    """Input, states before they latch, and readings of all areas."""

    x: Float[Tensor, "sample *pre"]
    states: list[StreamAreaState]
    readings: list[Reading]


def frozen_windows(
    network: StreamHierarchy,
    objects: Objects,
    seed: int,
    windows: int,
    *,
    drawn: bool,
    batch: int = 32,
    p_saccade: float = 0.5,
) -> Iterator[Window]:
    """`windows` windows after the burn-in; equal seeds give equal glances, whatever the network."""
    stream = GlanceStream(objects, range(batch), seed, p_saccade)
    position, states = stream.start(), network.initial_state(batch)
    sources = [
        SampleStreams(seed, list(range(batch)), "frozen", area) for area in range(len(states))
    ]
    for window in range(BURN_IN + windows):
        glance, position = stream.next(position)
        x = glance.view.flatten(1)
        if drawn:
            states = drawn_windows(network, x, states, sources)
        else:
            states = network.window(x, states, sources)
        if window >= BURN_IN:
            readings = [each.reading for each in network.learn(states, glance.y)]
            yield Window(x, states, readings)
        states = network.latch(states)


def gate_errors(spiking: Iterator[Window], rate: Iterator[Window]) -> list[float]:
    """Share of gammas of every area that differ between two networks of equal weights on equal glances."""
    wrong = [
        torch.stack(
            [(a.gamma != b.gamma).float() for a, b in zip(one.readings, two.readings, strict=True)]
        ).mean(1)
        for one, two in zip(spiking, rate, strict=True)
    ]
    return torch.stack(wrong).mean(0).tolist()


def mean_operations(
    network: StreamHierarchy, windows: Iterator[Window], events_per_unit: float
) -> list[Operations]:
    """Of every area, averaged over windows; the input sends `events_per_unit` events at activity 1."""
    rows = [
        network_operations(network, each.states, each.readings, each.x * events_per_unit)
        for each in windows
    ]
    return [mean_of(column) for column in zip(*rows, strict=True)]


def mean_of(rows: Sequence[Operations]) -> Operations:
    """Mean of every count."""
    return Operations(*(sum(column) / len(rows) for column in zip(*rows, strict=True)))
