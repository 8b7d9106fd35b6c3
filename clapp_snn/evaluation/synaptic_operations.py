"""What a window costs an event-driven machine: events, synaptic operations and changes of synapses.

Counted for one sample and one window of an area, not timed:

    events      spikes that code events, of all pathways and copies
    forward     events that arrive, times the basal synapses each of them reaches (borders of maps included)
    lateral     own events times units, for W_pred c and, unless retro is "zero", once more for W_retro z
    plasticity  synapses to which Eq. 6, 7 or 8 adds something other than 0, each equation by itself
    ungated     the same, if gamma were never 0
    changed     share of the synapses that get a new value; synapses that two equations change count once

A unit sums its basal and apical inputs once for all of its copies: where every copy is a neuron with synapses
of its own, `forward` and `lateral` grow by pathways times copies. A classified sample costs events and
`forward` alone, no dendrite is needed; a learned one costs all. Biases are not counted.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.stream_area import Reading, StreamArea, StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.two_contexts import TwoContexts
from clapp_snn.neurons.parameters import MS_PER_S
from clapp_snn.neurons.rate import Rate


class Operations(NamedTuple):
    """Means over samples of what the list above names."""

    events: float
    forward: float
    lateral: float
    plasticity: float
    ungated: float
    changed: float


def events_of(area: StreamArea, state: StreamAreaState) -> Float[Tensor, "sample *unit"]:
    """Events of every unit in the window that has just ended, summed over pathways and copies.

    Raises ValueError for the rate neuron, which has none.
    """
    if isinstance(area.neuron, Rate):
        raise ValueError("The rate neuron has no events to count; take a spiking one.")
    neurons = len(area.detector.signs) * area.copies
    return state.sums.z * (area.port.rho * area.neuron.dt / MS_PER_S * neurons)


@torch.no_grad()
def area_operations(
    area: StreamArea,
    state: StreamAreaState,
    reading: Reading,
    arrived: Float[Tensor, "sample *pre"],
) -> Operations:
    """Of one area at the end of a window, before it latches.

    Args:
        area: with counts, not decaying traces.
        state, reading: of the window.
        arrived: events of every input.

    Raises ValueError for an area that another one predicts, or whose map is compared window by window.
    """
    other = area.context is not None or isinstance(area, TwoContexts)
    if other or area.basal.averaged != area.basal.positions:
        raise ValueError(
            "Lateral operations are counted for areas that predict themselves, with one value a channel."
        )
    x, z, d, A, c, x_prev, d_prev = reading.traces
    basal, learns = area.basal, reading.gamma != 0
    events = events_of(area, state).flatten(1).sum(1)
    ones, none = torch.ones_like(area.weight), torch.zeros_like(area.bias)
    forward = basal.drive(arrived, ones, none).flatten(1).sum(1)
    lateral = events * len(area.weight) * (1 if area.retro == "zero" else 2)
    rows = [(_as_units(A, d) * d, x)]
    if area.retro != "zero":
        R = z @ area.W_pred if area.W_retro is None else z @ area.W_retro.T
        rows.append((_as_units(R, d) * d_prev, x_prev))
    matrices = 2 if area.W_retro is not None else 1
    added, changed = [], []
    for sample in range(len(z)):
        hits = [
            basal.change((signal[[sample]] != 0).to(z.dtype), (pre[[sample]] != 0).to(z.dtype))[0]
            for signal, pre in rows
        ]
        pairs = matrices * int((z[sample] != 0).sum()) * int((c[sample] != 0).sum())
        added.append(float(sum(each.sum() for each in hits)) * basal.averaged + pairs)
        changed.append(int((torch.stack(hits).sum(0) > 0).sum()) + pairs)
    synapses = area.weight.numel() + matrices * len(area.weight) ** 2
    ungated, share = z.new_tensor(added), z.new_tensor(changed) / synapses
    means = (events, forward, lateral, ungated * learns, ungated, share * learns)
    return Operations(*(float(each.mean()) for each in means))


def network_operations(
    network: StreamHierarchy,
    states: Sequence[StreamAreaState],
    readings: Sequence[Reading],
    arrived: Float[Tensor, "sample *pre"],
) -> list[Operations]:
    """Of every area; `arrived`: events of the input."""
    result = []
    for index, (state, reading) in enumerate(zip(states, readings, strict=True)):
        area = network.area(index)
        result.append(area_operations(area, state, reading, arrived))
        arrived = events_of(area, state)
    return result


def saving(operations: Sequence[Operations]) -> float:
    """Share of all changes of synapses that the gate saved; 0 where there was nothing to save."""
    ungated = sum(each.ungated for each in operations)
    return 1 - sum(each.plasticity for each in operations) / ungated if ungated else 0.0


def _as_units(factor: Tensor, d: Tensor) -> Tensor:
    """A factor of channels, laid out like `d`."""
    return factor.view(len(factor), *(1 for _ in range(d.dim() - factor.dim())), *factor.shape[1:])
