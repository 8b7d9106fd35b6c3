"""L3 without time steps: the event and burst counts of a whole window, drawn at once.

Under constant drives and without refractory time, the steps of an event/burst unit are independent lotteries.
Its counts over a window of `steps` steps and `copies` identical units are therefore binomial,

    E ~ Binomial(steps copies, q);   B | E ~ Binomial(E, p)

with q the event probability of one step and p the burst probability: the very distribution that
`clapp_snn.neurons.event_burst` samples step by step, at the cost of two draws a unit.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.event_burst import (
    EventBurstParameters,
    burst_probability,
    event_rate,
    hazard,
)
from clapp_snn.neurons.interface import Inputs
from clapp_snn.neurons.noise import SampleStreams, Streams


class WindowCounts(NamedTuple):
    """Events and bursts of a window, whole numbers in the precision of the drives, summed over copies."""

    events: Float[Tensor, "*shape"]
    bursts: Float[Tensor, "*shape"]


def draw_counts(
    inputs: Inputs,
    params: EventBurstParameters,
    dt: float,
    steps: int,
    streams: Streams | SampleStreams,
    copies: int = 1,
) -> WindowCounts:
    """Draw the counts of one window.

    Args:
        inputs: constant drives of one shape, finite.
        params: of the unit, with t_ref = 0.
        dt: time step in ms.
        steps: length of the window.
        streams: of random numbers; events use one, bursts the other: no apical drive changes an event. With
            `SampleStreams` every entry of the first axis has its own.
        copies: units that share the drives.

    Raises ValueError for a refractory time, parameters without a hazard, fewer than one step or copy, drives
    that are not finite, or a first axis that has not one entry for each sample's streams.
    """
    if params.t_ref != 0:
        raise ValueError(
            f"Counts are binomial only without refractory time, but t_ref is {params.t_ref:g} ms; "
            "set t_ref = 0 or step an EventBurst neuron."
        )
    if steps < 1 or copies < 1:
        raise ValueError(
            f"A window needs at least one step and one copy, not {steps} and {copies}."
        )
    params.check_step(dt)
    params.at(dt)
    soma, apical = torch.broadcast_tensors(*inputs)
    # torch.binomial never returns from a probability that is NaN.
    if not (torch.isfinite(soma).all() and torch.isfinite(apical).all()):
        raise ValueError("The drives hold values that are not finite (NaN or inf).")
    q = hazard(event_rate(soma, params, dt), dt).clamp(max=1)
    p = burst_probability(apical, params)
    trials = torch.full_like(q, steps * copies)
    if isinstance(streams, Streams):
        events = torch.binomial(trials, q, generator=streams.event)
        return WindowCounts(events, torch.binomial(events, p, generator=streams.burst))
    if soma.dim() == 0 or len(soma) != len(streams.streams):
        raise ValueError(
            f"{len(streams.streams)} samples have streams, but the drives have shape {tuple(soma.shape)}."
        )
    events, bursts = torch.empty_like(q), torch.empty_like(q)
    for sample, own in enumerate(streams.streams):
        events[sample] = torch.binomial(trials[sample], q[sample], generator=own.event)
        bursts[sample] = torch.binomial(events[sample], p[sample], generator=own.burst)
    return WindowCounts(events, bursts)
