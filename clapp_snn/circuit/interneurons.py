"""Interneurons that sum what many synapses transmit, and pass it on in the same units."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.adex import AdEx, AdExState
from clapp_snn.neurons.interface import Inputs


class LeakyInterneuron:
    """A passive membrane with graded transmission: a low-pass filter that keeps sums.

    Args:
        tau: membrane time constant, ms.
        dt: ms.

    Raises ValueError unless both are positive.
    """

    def __init__(self, tau: float, dt: float = 1.0) -> None:
        if not (tau > 0 and dt > 0):
            raise ValueError(f"tau and dt of an interneuron must be positive, not {tau} and {dt}.")
        self.decay = math.exp(-dt / tau)

    def initial_state(self, like: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """At rest, in the shape of `like`."""
        return torch.zeros_like(like)

    def step(
        self, transmitted: Float[Tensor, "*shape"], state: Float[Tensor, "*shape"]
    ) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """Membrane after one step, which is also what is passed on."""
        state = self.decay * state + (1 - self.decay) * transmitted
        return state, state


class SpikingInterneuron:
    """An AdEx cell: a synaptic current goes in, spikes come out.

    Its f-I curve is measured once at the two ends of the working range, and spikes are decoded by the
    straight line between: passed on is (spikes - spikes without input) / slope, whose sum estimates what was
    received as far as the curve is straight and adaptation has settled.

    Args:
        cell: PV or SOM cell.
        most: largest input per step that the cell is scaled for.
        low, high: currents at no input and at `most`, pA.
        tau_synapse: decay of the synaptic current, ms.
        seconds: how long the f-I curve is measured at each end.

    Raises ValueError for an empty range or a cell that does not answer to it.
    """

    def __init__(
        self,
        cell: AdEx,
        most: float,
        low: float,
        high: float,
        tau_synapse: float = 5.0,
        seconds: float = 5.0,
    ) -> None:
        if not (most > 0 and high > low and tau_synapse > 0):
            raise ValueError("An interneuron needs most > 0, high > low and tau_synapse > 0.")
        self.cell = cell
        self.low, self.per_input = low, (high - low) / most
        self.decay = math.exp(-cell.dt / tau_synapse)
        quiet, busy = self._spikes_per_step(low, high, seconds)
        if not busy > quiet:
            raise ValueError(f"The cell fires no faster at {high:g} pA than at {low:g} pA.")
        self.quiet, self.slope = quiet, (busy - quiet) / most

    def _spikes_per_step(self, low: float, high: float, seconds: float) -> tuple[float, float]:
        soma = torch.tensor([low, high], dtype=torch.float64)
        inputs = Inputs(soma, torch.zeros_like(soma))
        state = self.cell.initial_state(soma.shape, dtype=soma.dtype)
        steps = round(seconds * 1000 / self.cell.dt)
        count = torch.zeros_like(soma)
        for index in range(2 * steps):
            outputs, state = self.cell.step(inputs, state)
            if index >= steps:
                count += outputs.spike
        quiet, busy = (count / steps).tolist()
        return quiet, busy

    def initial_state(
        self, like: Float[Tensor, "*shape"]
    ) -> tuple[Float[Tensor, "*shape"], AdExState]:
        """Synaptic current 0, the cell at rest."""
        cell = self.cell.initial_state(like.shape, dtype=like.dtype, device=like.device)
        return torch.zeros_like(like), cell

    def step(
        self,
        transmitted: Float[Tensor, "*shape"],
        state: tuple[Float[Tensor, "*shape"], AdExState],
    ) -> tuple[Float[Tensor, "*shape"], tuple[Float[Tensor, "*shape"], AdExState]]:
        """One step: filter the input, drive the cell, decode its spikes."""
        current, cell = state
        current = self.decay * current + (1 - self.decay) * transmitted
        drive = self.low + self.per_input * current
        outputs, cell = self.cell.step(Inputs(drive, torch.zeros_like(drive)), cell)
        return (outputs.spike - self.quiet) / self.slope, (current, cell)
