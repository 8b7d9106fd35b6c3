"""L2: a burst neuron whose events are independent of its dendrite, exactly.

    dV_s/dt = -(V_s - E_L)/tau_s + [I_s + w_s] / C_s
    dw_s/dt = -w_s/tau_ws;   at an event  w_s += b_ws
    dV_d/dt = -(V_d - E_L)/tau_d + [I_d + w_d] / C_d
    dw_d/dt = (a_wd (V_d - E_L) - w_d) / tau_wd

An event happens where V_s > V_T, unless the last one is less than the event refractory time ago; then
V_s = V_r, and it integrates on at once. The event becomes a burst with probability
p = 1 / (1 + exp(-(V_d - E_b)/D_b)), V_d taken at the time of the event, and the second spike follows
`delay_min` to `delay_min + delay_range` ms later. That spike touches neither V_s, w_s nor the refractory
clock, and a burst is time-stamped there. Structure: the burst neurons in the published code of Payeur et
al. (2021, doi:10.1038/s41593-021-00857-x), where the delay is fixed, the second spike does restart the
clock and the threshold moves; soma and dendrite: Naud and Sprekeler (2018, doi:10.1073/pnas.1720995115)
without plateau current. I_s includes a background of one Ornstein-Uhlenbeck current; the dendrite has
none, so that p has a closed form for constant I_d (`burst_probability`).

In one step of dt the right-hand sides are taken at its beginning and solved exactly for it (exponential
Euler); spikes happen at its end. One uniform number r an event decides and delays: it is a burst where
r < p, and then r/p is uniform again and sets the delay.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.bursts import NEVER
from clapp_snn.neurons.interface import NO_DRAWS, Draws, Inputs, Kind, Neuron, Outputs
from clapp_snn.neurons.naud_sprekeler_parameters import PAPER, PAYEUR
from clapp_snn.neurons.parameters import NeuronParameters, quantity, register, whole_steps

DELAY = f"this package; a fixed 10 ms in {PAYEUR}"


@dataclass(frozen=True)
class StrictBurstParameters(NeuronParameters):
    """Parameters of the neuron; currents into both ports are in pA."""

    e_leak: float = quantity(-70.0, "mV", -100.0, -40.0, "resting potential E_L", PAPER)
    v_threshold: float = quantity(-50.0, "mV", -80.0, 0.0, "event threshold V_T", PAPER)
    v_reset: float = quantity(-70.0, "mV", -100.0, -40.0, "potential V_r after an event", PAPER)
    t_ref: float = quantity(
        20.0, "ms", 0.0, 200.0, "refractory time of events", PAYEUR, constant=True
    )
    tau_soma: float = quantity(
        16.0, "ms", 0.1, 1000.0, "somatic membrane time constant tau_s", PAPER, constant=True
    )
    c_soma: float = quantity(370.0, "pF", 1.0, 1e5, "somatic capacitance C_s", PAPER)
    tau_w_soma: float = quantity(
        100.0, "ms", 0.1, 1e4, "time constant tau_ws of somatic adaptation", PAPER, constant=True
    )
    b_w_soma: float = quantity(-200.0, "pA", -1e4, 0.0, "adaptation b_ws per event", PAPER)
    tau_apical: float = quantity(
        7.0, "ms", 0.1, 1000.0, "dendritic membrane time constant tau_d", PAPER, constant=True
    )
    c_apical: float = quantity(170.0, "pF", 1.0, 1e5, "dendritic capacitance C_d", PAPER)
    tau_w_apical: float = quantity(
        30.0, "ms", 0.1, 1e4, "time constant tau_wd of dendritic adaptation", PAPER, constant=True
    )
    a_w_apical: float = quantity(-13.0, "nS", -1e3, 0.0, "dendritic adaptation a_wd", PAPER)
    e_burst: float = quantity(
        -57.0, "mV", -90.0, 20.0, "dendritic potential E_b of burst probability 1/2", PAYEUR
    )
    d_burst: float = quantity(6.0, "mV", 0.1, 50.0, "width D_b of the burst probability", PAYEUR)
    delay_min: float = quantity(
        5.0, "ms", 0.1, 100.0, "shortest delay of the second spike", DELAY, constant=True
    )
    delay_range: float = quantity(
        10.0, "ms", 0.0, 100.0, "range of delays of the second spike", DELAY
    )
    ou_tau: float = quantity(
        2.0, "ms", 0.1, 1000.0, "correlation time of the background", PAPER, constant=True
    )
    ou_sigma: float = quantity(
        450.0, "pA", 0.0, 1e5, "stationary standard deviation of the background", PAPER
    )
    ou_mean: float = quantity(70.0, "pA", -1e5, 1e5, "mean background of the soma", PAPER)

    def contradictions(self) -> list[str]:
        """Reset at or above threshold, or a second spike that the next event may overtake."""
        problems = []
        if self.v_reset >= self.v_threshold:
            problems.append("v_reset must lie below v_threshold")
        if self.delay_min + self.delay_range > self.t_ref:
            problems.append("delay_min + delay_range must not exceed t_ref")
        return problems

    def quiet(self) -> Self:
        """The same neuron without background: no noise and no mean current."""
        return replace(self, ou_sigma=0.0, ou_mean=0.0)

    @property
    def apical_input_resistance(self) -> float:
        """Static dendritic depolarisation in mV per pA of apical current (GOhm)."""
        resistance = self.tau_apical / self.c_apical
        return resistance / (1 - resistance * self.a_w_apical)

    def at(self, dt: float) -> "StrictBurstConstants":
        """Constants of one step of `dt` ms; raises ValueError if t_ref is not a whole number of steps."""
        return StrictBurstConstants(
            e_leak=self.e_leak,
            v_threshold=self.v_threshold,
            v_reset=self.v_reset,
            t_ref=float(whole_steps("t_ref", self.t_ref, dt)),
            soma_gain=-math.expm1(-dt / self.tau_soma),
            soma_resistance=self.tau_soma / self.c_soma,
            w_soma_decay=math.exp(-dt / self.tau_w_soma),
            b_w_soma=self.b_w_soma,
            apical_gain=-math.expm1(-dt / self.tau_apical),
            apical_resistance=self.tau_apical / self.c_apical,
            w_apical_gain=-math.expm1(-dt / self.tau_w_apical),
            a_w_apical=self.a_w_apical,
            e_burst=self.e_burst,
            d_burst=self.d_burst,
            delay_min=self.delay_min / dt,
            delay_range=self.delay_range / dt,
            ou_gain=-math.expm1(-dt / self.ou_tau),
            ou_noise=self.ou_sigma * math.sqrt(-math.expm1(-2 * dt / self.ou_tau)),
            ou_mean=self.ou_mean,
        )


class StrictBurstConstants(NamedTuple):
    """Constants of one step: durations in steps, gains 1 - exp(-dt/tau), resistances in GOhm."""

    e_leak: float
    v_threshold: float
    v_reset: float
    t_ref: float
    soma_gain: float
    soma_resistance: float
    w_soma_decay: float
    b_w_soma: float
    apical_gain: float
    apical_resistance: float
    w_apical_gain: float
    a_w_apical: float
    e_burst: float
    d_burst: float
    delay_min: float
    delay_range: float
    ou_gain: float
    ou_noise: float
    ou_mean: float


class StrictBurstState(NamedTuple):
    """State at the end of a step.

    Attributes:
        v_s, v_d: somatic (after reset) and dendritic potential in mV.
        w_s, w_d: somatic and dendritic adaptation in pA.
        i_s: background current of the next step in pA.
        age: steps since the last event.
        delay: steps from the last event to its second spike, 0 if it has none.
    """

    v_s: Float[Tensor, "*shape"]
    v_d: Float[Tensor, "*shape"]
    w_s: Float[Tensor, "*shape"]
    w_d: Float[Tensor, "*shape"]
    i_s: Float[Tensor, "*shape"]
    age: Float[Tensor, "*shape"]
    delay: Float[Tensor, "*shape"]


def strict_burst_step(
    inputs: Inputs, state: StrictBurstState, constants: StrictBurstConstants, draws: Draws
) -> tuple[Outputs, StrictBurstState]:
    """One step.

    `draws.burst` holds uniform numbers, `draws.event` normal ones or, if `ou_sigma` is 0, None. Raises
    ValueError where any are missing. The outputs carry no gradients: events, lottery and delay are steps.
    """
    c = constants
    v_s, v_d, w_s, w_d, i_s, age, delay = state
    if draws.burst is None or (draws.event is None and c.ou_noise > 0):
        raise ValueError(
            "StrictBurst needs uniform numbers in draws.burst and, with noise, normal ones in draws.event."
        )
    interval = age + 1

    soma = inputs.soma + i_s + w_s
    v_s = torch.lerp(v_s, c.soma_resistance * soma + c.e_leak, c.soma_gain)
    now = (v_s > c.v_threshold) & (age >= c.t_ref)
    event = now.to(v_s.dtype)
    v_s = v_s.masked_fill(now, c.v_reset)
    w_s = torch.add(c.w_soma_decay * w_s, event, alpha=c.b_w_soma)
    i_s = i_s + c.ou_gain * (c.ou_mean - i_s)
    if draws.event is not None:
        i_s = i_s + c.ou_noise * draws.event

    v_d_goal = c.apical_resistance * (inputs.apical + w_d) + c.e_leak
    w_d = torch.lerp(w_d, c.a_w_apical * (v_d - c.e_leak), c.w_apical_gain)
    v_d = torch.lerp(v_d, v_d_goal, c.apical_gain)
    p = torch.sigmoid((v_d - c.e_burst) / c.d_burst)
    drawn = torch.round(c.delay_range * (draws.burst / p) + c.delay_min)
    drawn = drawn.masked_fill(draws.burst >= p, 0.0)
    second = (interval == delay).to(v_s.dtype)
    delay = torch.where(now, drawn, delay)
    age = interval.masked_fill(now, 0.0)
    return (
        Outputs(event + second, event, second),
        StrictBurstState(v_s, v_d, w_s, w_d, i_s, age, delay),
    )


def burst_probability(
    apical: Float[Tensor, "*shape"], params: StrictBurstParameters
) -> Float[Tensor, "*shape"]:
    """Closed form of the probability that an event becomes a burst, for a constant apical current in pA."""
    v_d = params.e_leak + params.apical_input_resistance * apical
    return torch.sigmoid((v_d - params.e_burst) / params.d_burst)


def apical_current(
    probability: Float[Tensor, "*shape"], params: StrictBurstParameters
) -> Float[Tensor, "*shape"]:
    """Inverse of `burst_probability`: the constant apical current in pA for probabilities between 0 and 1."""
    v_d = params.e_burst + params.d_burst * torch.logit(probability)
    return (v_d - params.e_leak) / params.apical_input_resistance


class StrictBurst(Neuron[StrictBurstState]):
    """The neuron as a module.

    Args:
        params: defaults where None.
        dt: time step in ms.
    """

    takes = StrictBurstParameters
    soma_unit = "pA"
    apical_unit = "pA"

    def __init__(self, params: StrictBurstParameters | None = None, dt: float = 1.0) -> None:
        self.params: StrictBurstParameters
        self.constants: StrictBurstConstants
        super().__init__(StrictBurstParameters() if params is None else params, dt)

    @property
    def kinds(self) -> tuple[Kind, Kind]:
        """Normal numbers for the background, none where `ou_sigma` is 0; uniform ones for bursts."""
        return ("normal" if self.params.ou_sigma > 0 else "none", "uniform")

    def initial_state(
        self,
        shape: tuple[int, ...] | torch.Size,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> StrictBurstState:
        """Both compartments at E_L, the background at its mean, no event so far."""

        def full(value: float) -> Tensor:
            return torch.full(shape, value, dtype=dtype, device=device)

        rest = self.params.e_leak
        return StrictBurstState(
            v_s=full(rest),
            v_d=full(rest),
            w_s=full(0.0),
            w_d=full(0.0),
            i_s=full(self.params.ou_mean),
            age=full(NEVER),
            delay=full(0.0),
        )

    def step(
        self, inputs: Inputs, state: StrictBurstState, draws: Draws = NO_DRAWS
    ) -> tuple[Outputs, StrictBurstState]:
        """`strict_burst_step` with this module's constants."""
        return strict_burst_step(inputs, state, self.constants, draws)


register("StrictBurst", StrictBurstParameters(), "default spiking neuron of the circuit")
