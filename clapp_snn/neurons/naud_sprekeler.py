"""L1: the two-compartment pyramidal neuron of Naud and Sprekeler (2018, doi:10.1073/pnas.1720995115).

    dV_s/dt = -(V_s - E_L)/tau_s + [g_s f(V_d) + I_s + w_s] / C_s
    dw_s/dt = -w_s/tau_ws;   at a spike  w_s += b_ws
    dV_d/dt = -(V_d - E_L)/tau_d + [g_d f(V_d) + c_d K(t - t_spike) + I_d + w_d] / C_d
    dw_d/dt = (a_wd (V_d - E_L) - w_d) / tau_wd
    f(V) = 1 / (1 + exp(-(V - E_d)/D_d));   K = 1 between bap_on and bap_off after each somatic spike

with a spike where V_s > V_T, then V_s = V_r. I_s and I_d are the sums of the two ports and of a background
of one Ornstein-Uhlenbeck current each. In one step of dt all right-hand sides are taken at its beginning and
every linear equation is solved exactly for it (exponential Euler); spikes happen at its end. The
back-propagating action potential keeps its charge for every dt: each step receives the part of the box that
falls into it. The background is sampled at the beginning of a step, from its exact update.

Events and bursts are labelled inside the step as `clapp_snn.neurons.bursts` defines them. The model is
multiplexed only approximately: its dendrite also moves its event rate. Where that must not be, use L2 or L3.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.bursts import NEVER, label_step
from clapp_snn.neurons.interface import NO_DRAWS, Draws, Inputs, Kind, Neuron, Outputs
from clapp_snn.neurons.naud_sprekeler_parameters import (
    NaudSprekelerConstants,
    NaudSprekelerParameters,
)
from clapp_snn.neurons.surrogate import Surrogate, spike

__all__ = [
    "NaudSprekeler",
    "NaudSprekelerConstants",
    "NaudSprekelerParameters",
    "NaudSprekelerState",
    "naud_sprekeler_step",
]


class NaudSprekelerState(NamedTuple):
    """State at the end of a step.

    Attributes:
        v_s, v_d: somatic (after reset) and dendritic potential in mV.
        w_s, w_d: somatic and dendritic adaptation in pA.
        i_s, i_d: background currents of the next step in pA.
        theta: elevation of a moving threshold in mV.
        age: steps since the last spike.
        alone: 1 while the last spike was an event and no other has followed, else 0.
    """

    v_s: Float[Tensor, "*shape"]
    v_d: Float[Tensor, "*shape"]
    w_s: Float[Tensor, "*shape"]
    w_d: Float[Tensor, "*shape"]
    i_s: Float[Tensor, "*shape"]
    i_d: Float[Tensor, "*shape"]
    theta: Float[Tensor, "*shape"]
    age: Float[Tensor, "*shape"]
    alone: Float[Tensor, "*shape"]


def naud_sprekeler_step(
    inputs: Inputs,
    state: NaudSprekelerState,
    constants: NaudSprekelerConstants,
    draws: Draws = NO_DRAWS,
    surrogate: Surrogate | None = None,
) -> tuple[Outputs, NaudSprekelerState]:
    """One step. `draws` holds normal numbers; not used where `ou_sigma` is 0. Raises ValueError without them.

    With a surrogate, spikes, events and bursts carry gradients to both drives, through the membranes, the
    plateau and the dendritic adaptation; reset, spike-triggered adaptation, threshold jump and
    back-propagating current are part of the forward value only.
    """
    c = constants
    v_s, v_d, w_s, w_d, i_s, i_d, theta, age, alone = state
    interval = age + 1
    plateau = torch.sigmoid((v_d - c.e_plateau) / c.d_plateau)
    bap = (interval.clamp(max=c.bap_off) - age.clamp(min=c.bap_on)).clamp(min=0)
    v_s_goal = c.e_leak + c.soma_resistance * (c.g_soma * plateau + inputs.soma + i_s + w_s)
    v_d_goal = c.e_leak + c.apical_resistance * (
        c.g_apical * plateau + c.c_bap * bap + inputs.apical + i_d + w_d
    )
    w_d = torch.lerp(w_d, c.a_w_apical * (v_d - c.e_leak), c.w_apical_gain)
    v_d = torch.lerp(v_d, v_d_goal, c.apical_gain)
    v_s = torch.lerp(v_s, v_s_goal, c.soma_gain)
    if c.t_ref > 0:
        v_s = v_s.masked_fill(age < c.t_ref, c.v_reset)
    distance = v_s - c.v_threshold
    if c.threshold_step > 0:
        theta = c.threshold_decay * theta
        distance = distance - theta

    fired = spike(distance, surrogate)
    jump = fired.detach()
    now = jump > 0
    v_s = v_s.masked_fill(now, c.v_reset)
    w_s = torch.add(c.w_soma_decay * w_s, jump, alpha=c.b_w_soma)
    if c.threshold_step > 0:
        theta = torch.add(theta, jump, alpha=c.threshold_step)
    event, burst, alone = label_step(fired, now, interval, alone, c.longest)
    age = interval.masked_fill(now, 0.0)

    i_s = i_s + c.ou_gain * (c.ou_mean_soma - i_s)
    i_d = i_d + c.ou_gain * (c.ou_mean_apical - i_d)
    if c.ou_noise > 0:
        if draws.event is None or draws.burst is None:
            raise ValueError(
                "The background needs normal numbers for soma and dendrite in draws; "
                "without it, use params.quiet()."
            )
        i_s = i_s + c.ou_noise * draws.event
        i_d = i_d + c.ou_noise * draws.burst
    return (
        Outputs(fired, event, burst),
        NaudSprekelerState(v_s, v_d, w_s, w_d, i_s, i_d, theta, age, alone),
    )


class NaudSprekeler(Neuron[NaudSprekelerState]):
    """The neuron as a module.

    Args:
        params: the published set with its background where None.
        dt: time step in ms.
        surrogate: smooth backward threshold; None for no gradients.
    """

    takes = NaudSprekelerParameters
    soma_unit = "pA"
    apical_unit = "pA"

    def __init__(
        self,
        params: NaudSprekelerParameters | None = None,
        dt: float = 1.0,
        surrogate: Surrogate | None = None,
    ) -> None:
        self.params: NaudSprekelerParameters
        self.constants: NaudSprekelerConstants
        super().__init__(NaudSprekelerParameters() if params is None else params, dt)
        self.surrogate = surrogate

    @property
    def kinds(self) -> tuple[Kind, Kind]:
        """Normal numbers for both backgrounds, none where `ou_sigma` is 0."""
        return ("normal", "normal") if self.params.ou_sigma > 0 else ("none", "none")

    def initial_state(
        self,
        shape: tuple[int, ...] | torch.Size,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> NaudSprekelerState:
        """Both compartments at E_L, the background at its mean, no spike so far."""

        def full(value: float) -> Tensor:
            return torch.full(shape, value, dtype=dtype, device=device)

        params = self.params
        return NaudSprekelerState(
            v_s=full(params.e_leak),
            v_d=full(params.e_leak),
            w_s=full(0.0),
            w_d=full(0.0),
            i_s=full(params.ou_mean_soma),
            i_d=full(params.ou_mean_apical),
            theta=full(0.0),
            age=full(NEVER),
            alone=full(0.0),
        )

    def step(
        self, inputs: Inputs, state: NaudSprekelerState, draws: Draws = NO_DRAWS
    ) -> tuple[Outputs, NaudSprekelerState]:
        """`naud_sprekeler_step` with this module's constants and surrogate."""
        return naud_sprekeler_step(inputs, state, self.constants, draws, self.surrogate)
