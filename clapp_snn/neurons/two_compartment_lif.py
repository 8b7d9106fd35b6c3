"""L0: a two-compartment leaky integrate-and-fire neuron that deterministic hardware can run.

Per step of dt, with decays beta = exp(-dt / tau_soma) and alpha = exp(-dt / tau_apical),

    a <- alpha a + I_apical
    v <- beta v + I_soma;   spike = v > threshold;   v <- 0 at a spike
    burst = spike while a > apical_threshold.

Potentials are in units of the somatic threshold; drives are increments a step, so that the weights of an
exported network carry over unchanged. The soma never sees the apical potential. Because a burst is all or
nothing, the expected score is not linear in the prediction zhat: `docs/results.md` says what that costs.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.interface import NO_DRAWS, Draws, Inputs, Neuron, Outputs
from clapp_snn.neurons.parameters import NeuronParameters, quantity
from clapp_snn.neurons.surrogate import Surrogate, spike

OURS = "this package; dimensionless, fixed by the scale of the weights"


@dataclass(frozen=True)
class TwoCompartmentLIFParameters(NeuronParameters):
    """Parameters of the exportable neuron."""

    tau_soma: float = quantity(
        16.0,
        "ms",
        0.1,
        1000.0,
        "somatic membrane time constant",
        "Naud and Sprekeler 2018, doi:10.1073/pnas.1720995115",
        constant=True,
    )
    tau_apical: float = quantity(
        7.0,
        "ms",
        0.1,
        1000.0,
        "apical membrane time constant",
        "Naud and Sprekeler 2018, doi:10.1073/pnas.1720995115",
        constant=True,
    )
    threshold: float = quantity(1.0, "", 1e-6, 1e6, "somatic spike threshold", OURS)
    apical_threshold: float = quantity(1.0, "", -1e6, 1e6, "apical plateau threshold", OURS)

    def at(self, dt: float) -> "TwoCompartmentLIFConstants":
        """Decays of one step of `dt` ms."""
        return TwoCompartmentLIFConstants(
            math.exp(-dt / self.tau_soma),
            math.exp(-dt / self.tau_apical),
            self.threshold,
            self.apical_threshold,
        )


class TwoCompartmentLIFConstants(NamedTuple):
    """Constants of one step: decays per step, thresholds."""

    beta: float
    alpha: float
    threshold: float
    apical_threshold: float


class TwoCompartmentLIFState(NamedTuple):
    """Somatic potential v (after reset) and apical potential a."""

    v: Float[Tensor, "*shape"]
    a: Float[Tensor, "*shape"]


def two_compartment_lif_step(
    inputs: Inputs,
    state: TwoCompartmentLIFState,
    constants: TwoCompartmentLIFConstants,
    draws: Draws = NO_DRAWS,
    surrogate: Surrogate | None = None,
) -> tuple[Outputs, TwoCompartmentLIFState]:
    """One step; `draws` is not used. With a surrogate, spikes and bursts carry gradients to both drives.

    The reset is part of the forward value only: no gradient flows through it.
    """
    a = constants.alpha * state.a + inputs.apical
    v = constants.beta * state.v + inputs.soma
    fired = spike(v - constants.threshold, surrogate)
    burst = fired * spike(a - constants.apical_threshold, surrogate)
    v = v * (1 - fired.detach())
    return Outputs(fired, fired, burst), TwoCompartmentLIFState(v, a)


class TwoCompartmentLIF(Neuron[TwoCompartmentLIFState]):
    """The exportable neuron as a module.

    Args:
        params: defaults where None.
        dt: time step in ms.
        surrogate: smooth backward threshold; None for no gradients.
    """

    takes = TwoCompartmentLIFParameters
    soma_unit = ""
    apical_unit = ""

    def __init__(
        self,
        params: TwoCompartmentLIFParameters | None = None,
        dt: float = 1.0,
        surrogate: Surrogate | None = None,
    ) -> None:
        self.constants: TwoCompartmentLIFConstants
        super().__init__(TwoCompartmentLIFParameters() if params is None else params, dt)
        self.surrogate = surrogate

    def initial_state(
        self,
        shape: tuple[int, ...] | torch.Size,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> TwoCompartmentLIFState:
        """Both compartments at 0."""
        return TwoCompartmentLIFState(
            torch.zeros(shape, dtype=dtype, device=device),
            torch.zeros(shape, dtype=dtype, device=device),
        )

    def step(
        self, inputs: Inputs, state: TwoCompartmentLIFState, draws: Draws = NO_DRAWS
    ) -> tuple[Outputs, TwoCompartmentLIFState]:
        """`two_compartment_lif_step` with this module's constants and surrogate."""
        return two_compartment_lif_step(inputs, state, self.constants, draws, self.surrogate)
