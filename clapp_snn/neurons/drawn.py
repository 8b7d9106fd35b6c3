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
from clapp_snn.neurons.noise import Streams


class WindowCounts(NamedTuple):
    """Events and bursts of a window, whole numbers in the precision of the drives, summed over copies."""

    events: Float[Tensor, "*shape"]
    bursts: Float[Tensor, "*shape"]


def draw_counts(
    inputs: Inputs,
    params: EventBurstParameters,
    dt: float,
    steps: int,
    streams: Streams,
    copies: int = 1,
) -> WindowCounts:
    """Draw the counts of one window.

    Args:
        inputs: constant drives of one shape, finite.
        params: of the unit, with t_ref = 0.
        dt: time step in ms.
        steps: length of the window.
        streams: of random numbers; events use one, bursts the other: no apical drive changes an event.
        copies: units that share the drives.

    Raises ValueError for a refractory time, parameters without a hazard, or fewer than one step or copy.
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
    q = hazard(event_rate(soma, params, dt), dt).clamp(max=1)
    trials = torch.full_like(q, steps * copies)
    events = torch.binomial(trials, q, generator=streams.event)
    bursts = torch.binomial(events, burst_probability(apical, params), generator=streams.burst)
    return WindowCounts(events, bursts)
