"""Adaptive exponential integrate-and-fire interneurons, with presets for PV and SOM cells.

    C dV/dt = -g_L (V - E_L) + g_L Delta_T exp((V - V_T) / Delta_T) - w + I
    tau_w dw/dt = a (V - E_L) - w;   at V > V_peak: spike, V <- V_r for t_ref, w <- w + b

(Brette and Gerstner 2005, doi:10.1152/jn.00686.2005). V_T follows from the rheobase I_rh, the constant
current at which the resting state disappears (saddle-node, adaptation included):
V_T = E_L + I_rh / (g_L + a) + Delta_T - Delta_T ln(1 + a / g_L). There is one compartment: the apical port is
not used.

Within a step of dt the linear part is solved exactly and the exponential is taken at its beginning, capped at
V_peak; spikes happen at its end.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.interface import NO_DRAWS, Draws, Inputs, Neuron, Outputs
from clapp_snn.neurons.parameters import NeuronParameters, quantity, register, whole_steps

PAYEUR = "Payeur et al. 2021, doi:10.1038/s41593-021-00857-x, published code"
OURS = "this package"


@dataclass(frozen=True)
class AdExParameters(NeuronParameters):
    """Parameters of the neuron; the default is the PV cell."""

    capacitance: float = quantity(100.0, "pF", 1.0, 1e5, "capacitance C", PAYEUR)
    g_leak: float = quantity(10.0, "nS", 0.1, 1e3, "leak conductance g_L", PAYEUR)
    e_leak: float = quantity(-70.0, "mV", -100.0, -40.0, "resting potential E_L", PAYEUR)
    slope: float = quantity(2.0, "mV", 0.1, 20.0, "sharpness of spike onset Delta_T", PAYEUR)
    rheobase: float = quantity(200.0, "pA", 0.1, 1e5, "rheobase I_rh, which sets V_T", PAYEUR)
    v_reset: float = quantity(-55.0, "mV", -100.0, 0.0, "potential after a spike V_r", PAYEUR)
    v_peak: float = quantity(0.0, "mV", -40.0, 60.0, "potential that counts as a spike", OURS)
    a: float = quantity(0.0, "nS", 0.0, 1e3, "sub-threshold adaptation", PAYEUR)
    b: float = quantity(0.0, "pA", 0.0, 1e4, "adaptation per spike", PAYEUR)
    tau_w: float = quantity(
        500.0, "ms", 0.1, 1e5, "adaptation time constant", PAYEUR, constant=True
    )
    t_ref: float = quantity(1.0, "ms", 0.0, 100.0, "refractory time", PAYEUR, constant=True)

    def contradictions(self) -> list[str]:
        """A threshold or reset above the peak."""
        if max(self.v_threshold, self.v_reset) >= self.v_peak:
            return [
                "v_peak must lie above v_reset and above the threshold that follows from rheobase"
            ]
        return []

    @property
    def v_threshold(self) -> float:
        """V_T in mV, from the rheobase."""
        ratio = self.a / self.g_leak
        static = self.rheobase / (self.g_leak + self.a)
        return self.e_leak + static + self.slope - self.slope * math.log1p(ratio)

    def at(self, dt: float) -> "AdExConstants":
        """Constants of one step of `dt` ms; raises ValueError if dt exceeds the membrane time constant."""
        tau = self.capacitance / self.g_leak
        if dt > tau:
            raise ValueError(
                f"dt = {dt:g} ms is longer than the membrane time constant of {tau:g} ms."
            )
        return AdExConstants(
            e_leak=self.e_leak,
            g_leak=self.g_leak,
            slope=self.slope,
            v_threshold=self.v_threshold,
            v_reset=self.v_reset,
            v_peak=self.v_peak,
            gain=-math.expm1(-dt / tau),
            w_gain=-math.expm1(-dt / self.tau_w),
            a=self.a,
            b=self.b,
            t_ref=whole_steps("t_ref", self.t_ref, dt),
        )


class AdExConstants(NamedTuple):
    """Constants of one step: gains 1 - exp(-dt / tau), refractory time in steps."""

    e_leak: float
    g_leak: float
    slope: float
    v_threshold: float
    v_reset: float
    v_peak: float
    gain: float
    w_gain: float
    a: float
    b: float
    t_ref: int


class AdExState(NamedTuple):
    """Potential in mV, adaptation in pA, steps that are still refractory."""

    v: Float[Tensor, "*shape"]
    w: Float[Tensor, "*shape"]
    refractory: Float[Tensor, "*shape"]


def adex_step(
    inputs: Inputs, state: AdExState, constants: AdExConstants, draws: Draws = NO_DRAWS
) -> tuple[Outputs, AdExState]:
    """One step; spikes are events, there are no bursts. `draws` and the apical drive are not used."""
    c = constants
    v, w, refractory = state
    onset = c.slope * torch.exp((v.clamp(max=c.v_peak) - c.v_threshold) / c.slope)
    goal = c.e_leak + onset + (inputs.soma - w) / c.g_leak
    w = torch.lerp(w, c.a * (v - c.e_leak), c.w_gain)
    v = v + c.gain * (goal - v)  # lerp would make inf - inf of an onset beyond the float range
    v = v.masked_fill(refractory > 0, c.v_reset)
    fired = v > c.v_peak
    spike = fired.to(v.dtype)
    v = v.masked_fill(fired, c.v_reset)
    refractory = (refractory - 1).clamp(min=0).masked_fill(fired, float(c.t_ref))
    return (
        Outputs(spike, spike, torch.zeros_like(spike)),
        AdExState(v, w + c.b * spike, refractory),
    )


class AdEx(Neuron[AdExState]):
    """The interneuron as a module.

    Args:
        params: PV cell where None.
        dt: time step in ms.
    """

    takes = AdExParameters
    soma_unit = "pA"
    apical_unit = ""

    def __init__(self, params: AdExParameters | None = None, dt: float = 1.0) -> None:
        self.constants: AdExConstants
        super().__init__(AdExParameters() if params is None else params, dt)

    def initial_state(
        self,
        shape: tuple[int, ...] | torch.Size,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> AdExState:
        """At rest."""
        zero = torch.zeros(shape, dtype=dtype, device=device)
        return AdExState(torch.full_like(zero, self.constants.e_leak), zero, zero.clone())

    def step(
        self, inputs: Inputs, state: AdExState, draws: Draws = NO_DRAWS
    ) -> tuple[Outputs, AdExState]:
        """`adex_step` with this module's constants."""
        return adex_step(inputs, state, self.constants)


PV = AdExParameters()
SOM = AdExParameters(g_leak=5.0, slope=4.0, rheobase=25.0, v_reset=-65.0, a=0.5, b=10.0, t_ref=2.0)
register("Payeur2021PV", PV, "parvalbumin-positive interneuron")
register(
    "Payeur2021SOM",
    SOM,
    "somatostatin-positive interneuron",
    g_leak=PAYEUR,
    slope=PAYEUR,
    rheobase=PAYEUR,
    v_reset=PAYEUR,
    a=PAYEUR,
    b=PAYEUR,
    t_ref=PAYEUR,
)
