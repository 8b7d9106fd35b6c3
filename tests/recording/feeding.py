"""Feeding a monitor by hand: outputs of chosen steps, without any neuron."""

from typing import NamedTuple

import torch
from torch import Tensor

from clapp_snn.neurons.interface import Inputs, Outputs
from clapp_snn.recording.monitor import StepMonitor


class Voltage(NamedTuple):
    """A state with one variable."""

    v: Tensor


def feed(
    monitor: StepMonitor,
    spikes: Tensor,
    events: Tensor | None = None,
    bursts: Tensor | None = None,
    first: int = 0,
) -> None:
    """Show a monitor one step after the other, time first; v is the number of spikes so far."""
    count = torch.zeros_like(spikes[0])
    for index, spike in enumerate(spikes):
        count = count + spike
        event = spike if events is None else events[index]
        burst = torch.zeros_like(spike) if bursts is None else bursts[index]
        drive = torch.full_like(spike, float(index))
        monitor.observe(
            first + index, Inputs(drive, -drive), Outputs(spike, event, burst), Voltage(count)
        )


def random_spikes(time: int, *shape: int, rate: float = 0.1, seed: int = 0) -> Tensor:
    """Independent spikes with probability `rate` a step."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(time, *shape, generator=generator) < rate).float()
