"""Steady answers of a neuron to constant currents: its f-I curve, and its burst probability."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.interface import Inputs, Neuron, Outputs, simulate
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.parameters import MS_PER_S


class SteadyRates(NamedTuple):
    """Averages over neurons and their standard errors, in the shape of the drives.

    Attributes:
        spike, event: rates in Hz.
        spike_error, event_error: from the spread between neurons.
        burst_probability: bursts per event; NaN where there was no event.
        burst_error: its standard error, by linearisation of the ratio over neurons.
    """

    spike: Float[Tensor, "*drive"]
    event: Float[Tensor, "*drive"]
    spike_error: Float[Tensor, "*drive"]
    event_error: Float[Tensor, "*drive"]
    burst_probability: Float[Tensor, "*drive"]
    burst_error: Float[Tensor, "*drive"]


def measure_steady_rates(
    neuron: Neuron[Any],
    soma: Float[Tensor, "*drive"],
    apical: Float[Tensor, "*drive"] | float = 0.0,
    neurons: int = 100,
    seconds: float = 2.0,
    settle: float = 0.5,
    seed: int = 0,
) -> SteadyRates:
    """Simulate `neurons` at every drive and count, after `settle` seconds without counting.

    Args:
        neuron: any spiking model.
        soma, apical: constant drives of both ports, in the neuron's units; they are broadcast.
        neurons: at each drive, with noise of their own.
        seconds: counted.
        settle: simulated before, for adaptation.
        seed: of the noise.

    Raises ValueError for fewer than two neurons, and for times that are not at least one step (settle: 0).
    """
    before, steps = (round(time * MS_PER_S / neuron.dt) for time in (settle, seconds))
    if neurons < 2 or steps < 1 or before < 0:
        raise ValueError(
            f"A steady rate needs two neurons or more and at least one counted step, not {neurons} neurons, "
            f"{seconds:g} s after {settle:g} s."
        )
    drives = torch.broadcast_tensors(soma, torch.as_tensor(apical, dtype=soma.dtype))
    now = Inputs(*(drive[..., None].expand(*drive.shape, neurons).contiguous() for drive in drives))
    counts = torch.zeros(3, *now.soma.shape, dtype=torch.float64)

    def count(step: int, inputs: Inputs, outputs: Outputs, state: Any) -> None:
        if step >= before:
            for total, happened in zip(counts, outputs, strict=True):
                total.add_(happened)

    simulate(neuron, now, before + steps, source=Streams.from_seed(seed, "steady"), observe=count)
    spike, event, burst = counts
    (spikes, spike_error), (events, event_error) = (
        (each.mean(-1) / seconds, each.std(-1) / neurons**0.5 / seconds) for each in (spike, event)
    )
    probability = burst.sum(-1) / event.sum(-1)
    residual = (burst - probability[..., None] * event).std(-1) / neurons**0.5
    return SteadyRates(
        spikes, events, spike_error, event_error, probability, residual / event.mean(-1)
    )
