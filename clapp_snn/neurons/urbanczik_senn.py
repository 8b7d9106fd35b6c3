"""The two-compartment neuron of Urbanczik and Senn, whose dendrite learns to predict the somatic rate.

    C dV_w/dt = -g_L (V_w - E_L) + I_apical
    C dU/dt   = -g_L (U - E_L) + g_D (V_w - U) + I_soma + g_E (E_E - U) + g_I (E_I - U)
    spike with probability 1 - exp(-phi(U) dt) unless refractory;   U is not reset
    phi(U) = phi_max / (1 + k exp(beta (theta - U)))

The dendrite drives the soma, the soma does not drive the dendrite. Without somatic input the soma settles at
the dendritic prediction V_w* = (g_L E_L + g_D V_w) / (g_L + g_D); with strong somatic conductances g_E, g_I
it is pulled towards their matching potential (g_E E_E + g_I E_I) / (g_E + g_I). The rule that closes the gap
is in `clapp_snn.neurons.dendritic_prediction`.

This is the nearest published relative of the CLAPP dendrite, not a neuron for its circuit: here the dendrite
does change the spikes, and there are no bursts.

One step takes every right-hand side from the state at its start and is exact for drives that are constant
during the step (each compartment relaxes exponentially to its steady state).

Source: Urbanczik and Senn 2014, doi:10.1016/j.neuron.2013.11.030, in the units of NEST 3.10,
`pp_cond_exp_mc_urbanczik`.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clapp_snn.neurons.interface import NO_DRAWS, Draws, Inputs, Kind, Neuron, Outputs
from clapp_snn.neurons.parameters import MS_PER_S, NeuronParameters, quantity, register, whole_steps

SOURCE = "Urbanczik and Senn 2014, doi:10.1016/j.neuron.2013.11.030, in the units of NEST 3.10"


@dataclass(frozen=True)
class UrbanczikSennParameters(NeuronParameters):
    """Parameters of the Urbanczik-Senn neuron; both compartments share capacitance, leak and rest."""

    capacitance: float = quantity(300.0, "pF", 1.0, 1e5, "of each compartment", SOURCE)
    g_leak: float = quantity(30.0, "nS", 0.01, 1e5, "leak conductance of each compartment", SOURCE)
    g_dendrite: float = quantity(600.0, "nS", 0.0, 1e5, "dendrite to soma", SOURCE)
    e_leak: float = quantity(-70.0, "mV", -150.0, 50.0, "resting potential", SOURCE)
    e_exc: float = quantity(0.0, "mV", -150.0, 100.0, "excitatory reversal, soma", SOURCE)
    e_inh: float = quantity(-75.0, "mV", -150.0, 100.0, "inhibitory reversal, soma", SOURCE)
    t_ref: float = quantity(3.0, "ms", 0.0, 1000.0, "refractory time", SOURCE, constant=True)
    phi_max: float = quantity(150.0, "Hz", 0.01, 1e4, "highest rate", SOURCE)
    k: float = quantity(0.5, "", 1e-6, 1e6, "slope factor of the rate", SOURCE)
    beta: float = quantity(1 / 3, "1/mV", 1e-4, 100.0, "steepness of the rate", SOURCE)
    theta: float = quantity(-55.0, "mV", -150.0, 100.0, "midpoint of the rate at k = 1", SOURCE)

    @property
    def tau_dendrite(self) -> float:
        """Membrane time constant of the dendrite in ms."""
        return self.capacitance / self.g_leak

    @property
    def tau_soma(self) -> float:
        """Time constant in ms with which the soma follows the dendrite."""
        return self.capacitance / (self.g_leak + self.g_dendrite)

    def check_step(self, dt: float) -> None:
        """Raise ValueError unless dt is positive and no longer than t_ref or a membrane time constant."""
        super().check_step(dt)
        if dt > self.tau_soma:
            raise ValueError(
                f"dt = {dt:g} ms is longer than the somatic time constant capacitance / (g_leak + "
                f"g_dendrite) = {self.tau_soma:g} ms; choose a shorter dt."
            )

    def at(self, dt: float) -> "UrbanczikSennConstants":
        """Constants of one step of `dt` ms."""
        return UrbanczikSennConstants(
            self, dt, math.exp(-dt / self.tau_dendrite), self.refractory(dt)
        )

    def refractory(self, dt: float) -> int:
        """Silent steps after a spike; raises ValueError unless t_ref is a whole number of steps."""
        return whole_steps("t_ref", self.t_ref, dt)


register("UrbanczikSenn2014", UrbanczikSennParameters(), "NEST's version of the published neuron")


class UrbanczikSennConstants(NamedTuple):
    """Constants of one step: parameters, dt in ms, dendritic decay, silent steps after a spike."""

    params: UrbanczikSennParameters
    dt: float
    decay_dendrite: float
    n_ref: int


class UrbanczikSennState(NamedTuple):
    """Somatic potential u and dendritic potential v_w in mV, steps left in the refractory time."""

    u: Float[Tensor, "*shape"]
    v_w: Float[Tensor, "*shape"]
    refractory: Int[Tensor, "*shape"]


class Teaching(NamedTuple):
    """Somatic synaptic conductances in nS, excitatory and inhibitory."""

    g_exc: Float[Tensor, "*shape"]
    g_inh: Float[Tensor, "*shape"]


def dendritic_prediction(
    v_w: Float[Tensor, "*shape"], params: UrbanczikSennParameters
) -> Float[Tensor, "*shape"]:
    """Somatic potential V_w* in mV that the dendritic potential `v_w` alone would bring about."""
    total = params.g_leak + params.g_dendrite
    return (params.g_leak * params.e_leak + params.g_dendrite * v_w) / total


def matching_potential(
    teaching: Teaching, params: UrbanczikSennParameters
) -> Float[Tensor, "*shape"]:
    """Potential in mV at which the somatic synaptic currents cancel; NaN without any conductance."""
    g_exc, g_inh = teaching
    return (g_exc * params.e_exc + g_inh * params.e_inh) / (g_exc + g_inh)


def somatic_rate(
    u: Float[Tensor, "*shape"], params: UrbanczikSennParameters
) -> Float[Tensor, "*shape"]:
    """Spike rate phi(u) in Hz of a neuron that is not refractory."""
    return params.phi_max * torch.sigmoid(params.beta * (u - params.theta) - math.log(params.k))


def rate_gain(
    u: Float[Tensor, "*shape"], params: UrbanczikSennParameters
) -> Float[Tensor, "*shape"]:
    """h(u) = phi'(u) / phi(u) in 1/mV, how much a small change of potential matters to the rate."""
    return params.beta * torch.sigmoid(math.log(params.k) - params.beta * (u - params.theta))


def urbanczik_senn_step(
    inputs: Inputs,
    state: UrbanczikSennState,
    constants: UrbanczikSennConstants,
    draws: Draws,
    teaching: Teaching | None = None,
) -> tuple[Outputs, UrbanczikSennState]:
    """One step; `burst` stays 0. Raises ValueError without random numbers for the spike.

    Args:
        inputs: currents in pA into soma and dendrite.
        state: potentials and refractory time.
        constants: of one step.
        draws: one uniform number in [0, 1) per neuron, for the spike.
        teaching: somatic conductances during the step; None for none.
    """
    if draws.event is None:
        raise ValueError("The Urbanczik-Senn neuron needs uniform random numbers in draws.event.")
    params, dt, decay, n_ref = constants
    g: float | Tensor = params.g_leak + params.g_dendrite
    current = params.g_leak * params.e_leak + params.g_dendrite * state.v_w + inputs.soma
    if teaching is not None:
        g = g + teaching.g_exc + teaching.g_inh
        current = current + teaching.g_exc * params.e_exc + teaching.g_inh * params.e_inh
    steady = current / g
    slow = -dt / params.capacitance * g
    u = steady + (state.u - steady) * (
        math.exp(slow) if isinstance(slow, float) else torch.exp(slow)
    )
    v_inf = params.e_leak + inputs.apical / params.g_leak
    v_w = v_inf + (state.v_w - v_inf) * decay
    chance = -torch.expm1(somatic_rate(u, params) * (-dt / MS_PER_S))
    fired = (draws.event < chance) & (state.refractory == 0)
    left = (state.refractory - 1).clamp(min=0) + n_ref * fired.to(state.refractory.dtype)
    spike = fired.to(u.dtype)
    return Outputs(spike, spike, torch.zeros_like(spike)), UrbanczikSennState(u, v_w, left)


class UrbanczikSenn(Neuron[UrbanczikSennState]):
    """The Urbanczik-Senn neuron as a module, without teaching conductances.

    Args:
        params: defaults where None.
        dt: time step in ms; the somatic time constant is half a millisecond.
    """

    takes = UrbanczikSennParameters
    soma_unit = "pA"
    apical_unit = "pA"

    def __init__(self, params: UrbanczikSennParameters | None = None, dt: float = 0.1) -> None:
        self.params: UrbanczikSennParameters
        self.constants: UrbanczikSennConstants
        super().__init__(UrbanczikSennParameters() if params is None else params, dt)

    @property
    def kinds(self) -> tuple[Kind, Kind]:
        """One uniform number for the spike."""
        return ("uniform", "none")

    def initial_state(
        self,
        shape: tuple[int, ...] | torch.Size,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> UrbanczikSennState:
        """Both compartments at rest."""
        rest = torch.full(shape, self.params.e_leak, dtype=dtype, device=device)
        return UrbanczikSennState(
            rest, rest.clone(), torch.zeros(shape, dtype=torch.int32, device=device)
        )

    def step(
        self, inputs: Inputs, state: UrbanczikSennState, draws: Draws = NO_DRAWS
    ) -> tuple[Outputs, UrbanczikSennState]:
        """`urbanczik_senn_step` with this module's constants."""
        return urbanczik_senn_step(inputs, state, self.constants, draws)
