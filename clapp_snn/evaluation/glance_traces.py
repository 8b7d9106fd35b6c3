"""One area, step by step, over a first glance, a fixation and a saccade: spikes, bursts, score and gamma."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState
from clapp_snn.circuit.stream_context import ContextHierarchy
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.stream_input import stream_input
from clapp_snn.neurons.interface import Outputs
from clapp_snn.neurons.noise import Streams
from clapp_snn.randomness import generator
from clapp_snn.stimuli.glances import Objects

SHOWN = 24
"""Units that are recorded, the first ones; of a map, the channels in its centre."""


class WatchedGlance(NamedTuple):
    """One window: its name, y, the score without noise, and the gamma that was broadcast."""

    name: str
    y: int
    true: float
    gamma: float


class GlanceTraces(NamedTuple):
    """All steps of three windows.

    Attributes:
        inputs: presynaptic events; None where the input is constant.
        spikes, bursts: of one neuron of every shown unit and pathway; ON units first.
        score: membrane of the summing interneuron.
        fixation, saccade: membranes of the margin neurons, the bias of 1 included.
        glances: the windows.
    """

    inputs: Bool[Tensor, "step pre"] | None
    spikes: Bool[Tensor, "step neuron"]
    bursts: Bool[Tensor, "step neuron"]
    score: Float[Tensor, "step"]
    fixation: Float[Tensor, "step"]
    saccade: Float[Tensor, "step"]
    glances: list[WatchedGlance]


@torch.no_grad()
def watch_glances(
    network: StreamHierarchy, objects: Objects, seed: int, input_rate: float | None = None
) -> GlanceTraces:
    """Show one object twice, then another one (of another class where there are labels), to the lowest area.

    Args:
        network: frozen; its lowest area is stepped from rest.
        objects: what is seen.
        seed: of views and noise.
        input_rate: None gives the input as it is: constant, or in time where it was recorded so. Otherwise
            input events of this rate in Hz per unit of activity.

    Raises ValueError for an input rate with activities below 0, which events cannot carry.
    """
    # Areas above are simulated only where they hand something down.
    shown = network if isinstance(network, ContextHierarchy) else StreamHierarchy([network.area(0)])
    area, other = network.area(0), other_object(objects)
    sources, events = _sources(seed, len(shown.areas)), generator(seed, "raster")
    states = shown.initial_state(1)
    columns: list[tuple[Tensor, ...]] = []
    arrived: list[Tensor] = []
    glances = []
    order = (("first glance", 0, -1), ("fixation", 0, 1), ("saccade", other, -1))
    for number, (name, index, y) in enumerate(order):
        view = objects.views(torch.tensor([index]), [generator(seed, "view", number)])
        x = stream_input(network, view)
        in_time = x.dim() == len(area.input_shape) + 2
        for step in range(area.steps):
            now = x[step] if in_time else x
            if input_rate is not None:
                now = _as_events(now, input_rate * area.neuron.dt / 1000, events)
            if in_time or input_rate is not None:
                arrived.append(now.flatten() > 0)
            happened, states = shown.step(now, states, sources)
            columns.append((*_neurons(happened[0].outputs), *_membranes(states[0])))
        gamma = area.read(states[0], torch.tensor([float(y)])).gamma
        glances.append(WatchedGlance(name, y, _true_score(area, states[0]), float(gamma)))
        states = shown.latch(states)
    spikes, bursts, score, fixation, saccade = (
        torch.stack(column) for column in zip(*columns, strict=True)
    )
    inputs = torch.stack(arrived) if arrived else None
    return GlanceTraces(inputs, spikes > 0, bursts > 0, score, fixation, saccade, glances)


def other_object(objects: Objects) -> int:
    """The first object of another class than object 0; object 1 without labels."""
    if objects.labels is None:
        return 1
    return int((objects.labels != objects.labels[0]).nonzero()[0])


def _sources(seed: int, areas: int) -> list[Streams]:
    others = (Streams.from_seed(seed, "raster", index) for index in range(1, areas))
    return [Streams.from_seed(seed, "raster"), *others]


def _as_events(x: Tensor, chance: float, stream: torch.Generator) -> Tensor:
    if bool((x < 0).any()):
        raise ValueError("Activities below 0 cannot arrive as events; leave the input rate out.")
    return (torch.rand(x.shape, generator=stream) < chance * x).to(x.dtype) / chance


def _neurons(outputs: Outputs) -> tuple[Tensor, Tensor]:
    """Spikes and bursts of the shown units: ON, then OFF."""
    found = []
    for each in (outputs.spike, outputs.burst):
        unit = each[0, :, 0]
        while unit.dim() > 2:
            unit = unit[:, unit.shape[1] // 2]
        found.append(unit[:, :SHOWN].flatten())
    return found[0], found[1]


def _membranes(state: StreamAreaState) -> tuple[Tensor, Tensor, Tensor]:
    return state.detector.u[0], 1 + state.nucleus.fixation[0], 1 + state.nucleus.saccade[0]


def _true_score(area: StreamArea, state: StreamAreaState) -> float:
    """z . A for the mean drive of the window."""
    drive = state.sums.drive / area.detector.steps
    z = area.basal.seen(area.basal.winners(drive, drive).clamp(min=0))
    return float((z * state.apical).sum())
