"""The rate neuron with the same two ports as the spiking ones.

    z = rho(a),  a = soma drive;   zhat = apical drive

Its "event" is the activity z and its "burst" the coincidence z zhat, so that a detector that sums bursts
reads the score u = sum_i z_i zhat_i (paper, Eq. 3) exactly, and an area is wired alike in either code.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.interface import NO_DRAWS, Draws, Inputs, Neuron, Outputs
from clapp_snn.neurons.parameters import NeuronParameters


@dataclass(frozen=True)
class RateParameters(NeuronParameters):
    """The rate neuron has none: rho is the rectifier of the paper."""

    def at(self, dt: float) -> "RateConstants":
        """No constants."""
        return RateConstants()


class RateConstants(NamedTuple):
    """No constants."""


class RateState(NamedTuple):
    """No memory: the activity z of the last step, kept for monitors."""

    z: Float[Tensor, "*shape"]


def rate_step(
    inputs: Inputs,
    state: RateState,
    constants: RateConstants | None = None,
    draws: Draws = NO_DRAWS,
) -> tuple[Outputs, RateState]:
    """One step: activity as spike and event, coincidence with the apical drive as burst."""
    z = torch.relu(inputs.soma)
    return Outputs(z, z, z * inputs.apical), RateState(z)


class Rate(Neuron[RateState]):
    """The rate neuron as a module."""

    takes = RateParameters
    soma_unit = ""
    apical_unit = ""

    def __init__(self, params: RateParameters | None = None, dt: float = 1.0) -> None:
        super().__init__(RateParameters() if params is None else params, dt)

    def initial_state(
        self,
        shape: tuple[int, ...] | torch.Size,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> RateState:
        """Silence."""
        return RateState(torch.zeros(shape, dtype=dtype, device=device))

    def step(
        self, inputs: Inputs, state: RateState, draws: Draws = NO_DRAWS
    ) -> tuple[Outputs, RateState]:
        """`rate_step`."""
        return rate_step(inputs, state)
