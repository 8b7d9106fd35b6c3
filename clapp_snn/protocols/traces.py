"""Current pulses, and the response of a neuron to many of them at once."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clapp_snn.neurons.interface import Inputs, Layer
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler, NaudSprekelerState


def square(
    t: Float[Tensor, "time 1"], onset: float | Float[Tensor, "condition"], duration: float
) -> Float[Tensor, "time condition"]:
    """1 from `onset` for `duration`, else 0; all in ms."""
    since = t - onset
    # A step belongs to the pulse if its beginning does, whatever the rounding of its number.
    return ((since > -1e-6) & (since < duration - 1e-6)).to(t.dtype)


def epsp(
    t: Float[Tensor, "time 1"],
    onset: float | Float[Tensor, "condition"],
    tau_rise: float,
    tau_decay: float,
) -> Float[Tensor, "time condition"]:
    """Current like an excitatory postsynaptic one, (1 - exp(-s/tau_rise)) exp(-s/tau_decay), with peak 1.

    Args:
        t, onset, tau_rise, tau_decay: ms; s is the time since the onset, nothing happens before it.
    """
    since = (t - onset).clamp(min=0)
    best = tau_rise * math.log1p(tau_decay / tau_rise)
    peak = -math.expm1(-best / tau_rise) * math.exp(-best / tau_decay)
    return -torch.expm1(-since / tau_rise) * torch.exp(-since / tau_decay) / peak


class Traces(NamedTuple):
    """Response of one neuron in every condition.

    Attributes:
        time: end of each step, ms; spikes are dated there.
        soma, apical: injected currents, pA.
        v_s, v_d: somatic and dendritic potential, mV.
        spike: True where there was a somatic spike.
    """

    time: Float[Tensor, "time"]
    soma: Float[Tensor, "time condition"]
    apical: Float[Tensor, "time condition"]
    v_s: Float[Tensor, "time condition"]
    v_d: Float[Tensor, "time condition"]
    spike: Bool[Tensor, "time condition"]

    def spike_times(self, condition: int) -> list[float]:
        """Spike times of one condition, ms."""
        return [float(t) for t in self.time[self.spike[:, condition]]]

    def counts(self) -> Float[Tensor, "condition"]:
        """Number of spikes in every condition."""
        return self.spike.sum(dim=0)


def inject(
    neuron: NaudSprekeler,
    soma: Float[Tensor, "time condition"],
    apical: Float[Tensor, "time condition"],
) -> Traces:
    """Inject currents (pA) into a neuron without background, starting at rest, and keep both potentials."""
    v_s, v_d = torch.empty_like(soma), torch.empty_like(soma)

    def keep(index: int, inputs: Inputs, outputs: object, state: NaudSprekelerState) -> None:
        v_s[index], v_d[index] = state.v_s, state.v_d

    outputs, _ = Layer(neuron)(Inputs(soma, apical), observe=keep)
    time = neuron.dt * torch.arange(1, len(soma) + 1, dtype=soma.dtype)
    return Traces(time, soma, apical, v_s, v_d, outputs.spike > 0)


def step_times(duration: float, dt: float) -> Float[Tensor, "time 1"]:
    """Beginnings of the steps of `duration` ms, as a column."""
    return dt * torch.arange(round(duration / dt), dtype=torch.float64)[:, None]
