"""L3: the event/burst unit, random events with a closed-form rate and a burst lottery at each event.

With activity z = max(soma, 0), one step of dt does

    r = background + rho z;   q = 1 / (1 / (r dt) - n_ref),   n_ref = t_ref / dt, a whole number
    event ~ Bernoulli(q) unless one of the last n_ref steps held an event
    burst ~ Bernoulli(p) at an event, with p = clip(x, 0, 1)           (read-out "half_wave")
                                       or  p = sigmoid(logit p0 + x)   (read-out "opponent")

where x is the apical drive, already scaled (by kappa or s) and signed by the caller: an ON and an OFF unit
are two entries of the shape, one given +x and the other -x. Intervals are n_ref plus a geometric number of
steps, so the mean rate is exactly r and the Fano factor of long counts is (1 - q) / (1 + n_ref q)^2.

The fastest reachable rate is 1 / ((n_ref + 1) dt), where q = 1. A drive that asks for more gets exactly this
rate; parameters with which even z = 1 asks for more are refused.

Events use `Draws.event` only and bursts `Draws.burst` only: no apical drive can change an event train.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clapp_snn.neurons.interface import NO_DRAWS, Draws, Inputs, Kind, Neuron, Outputs
from clapp_snn.neurons.parameters import MS_PER_S, NeuronParameters, choice, quantity, whole_steps

OURS = "this package"
PAYEUR = "Payeur et al. 2021, doi:10.1038/s41593-021-00857-x"


@dataclass(frozen=True)
class EventBurstParameters(NeuronParameters):
    """Parameters of the event/burst unit."""

    rho: float = quantity(
        20.0,
        "Hz",
        0.01,
        10_000.0,
        "event rate per unit of activity z",
        f"{OURS}; order of the event rates in Naud and Sprekeler 2018, doi:10.1073/pnas.1720995115",
    )
    background: float = quantity(0.0, "Hz", 0.0, 1000.0, "event rate without drive", OURS)
    t_ref: float = quantity(
        0.0,
        "ms",
        0.0,
        1000.0,
        "refractory time after an event; 0 for learning, 20 ms as in biology",
        f"{OURS}; 20 ms: {PAYEUR}",
        constant=True,
    )
    p0: float = quantity(
        0.2113,
        "",
        0.01,
        0.99,
        "burst probability without apical drive, opponent read-out",
        f"{OURS}; (1 - 1 / sqrt 3) / 2, where the cubic error of the opponent read-out vanishes",
    )
    readout: str = choice(
        "half_wave",
        ("half_wave", "opponent"),
        "how the apical drive becomes a burst probability",
        OURS,
    )

    def at(self, dt: float) -> "EventBurstConstants":
        """Constants of one step of `dt` ms.

        Raises ValueError if t_ref is not a whole number of steps, or if no hazard gives the rate
        background + rho of unit activity.
        """
        n_ref = whole_steps("t_ref", self.t_ref, dt)
        fastest = MS_PER_S / ((n_ref + 1) * dt)
        if self.background + self.rho > fastest:
            raise ValueError(
                f"EventBurstParameters: with t_ref = {self.t_ref:g} ms and dt = {dt:g} ms no unit is faster "
                f"than {fastest:g} Hz, but background + rho is {self.background + self.rho:g} Hz; lower "
                "the rates, t_ref or dt."
            )
        return EventBurstConstants(
            self.rho * dt / MS_PER_S,
            self.background * dt / MS_PER_S,
            n_ref,
            math.log(self.p0 / (1 - self.p0)),
            self.readout == "opponent",
        )


class EventBurstConstants(NamedTuple):
    """Constants of one step.

    Attributes:
        rho: events per step and unit of activity.
        background: events per step without drive.
        n_ref: silent steps after an event.
        logit_p0: log odds of a burst without apical drive.
        opponent: True for the opponent read-out.
    """

    rho: float
    background: float
    n_ref: int
    logit_p0: float
    opponent: bool


class EventBurstState(NamedTuple):
    """Steps that are still silent after the last event."""

    refractory: Int[Tensor, "*shape"]


def _hazard(per_step: Float[Tensor, "*shape"], n_ref: int) -> Float[Tensor, "*shape"]:
    """Event probability of a step outside the refractory time, from the mean number of events per step."""
    reached = per_step.clamp(max=1 / (n_ref + 1))
    return reached / (1 - n_ref * reached)


def hazard(rate: Float[Tensor, "*shape"], dt: float, t_ref: float = 0.0) -> Float[Tensor, "*shape"]:
    """Event probability q of a step outside the refractory time that gives the mean rate `rate`.

    Args:
        rate: Hz, not negative; beyond 1 / ((n_ref + 1) dt) the hazard stays 1.
        dt: ms.
        t_ref: ms, a whole number of steps.

    Raises ValueError for another t_ref.
    """
    return _hazard(rate * dt / MS_PER_S, whole_steps("t_ref", t_ref, dt))


def event_rate(
    soma: Float[Tensor, "*shape"], params: EventBurstParameters, dt: float
) -> Float[Tensor, "*shape"]:
    """Exact mean event rate in Hz under a constant somatic drive, at most the fastest reachable one.

    Raises ValueError if t_ref is not a whole number of steps of `dt` ms.
    """
    asked = params.background + params.rho * torch.relu(soma)
    return asked.clamp(max=MS_PER_S / ((whole_steps("t_ref", params.t_ref, dt) + 1) * dt))


def fano_factor(
    rate: Float[Tensor, "*shape"], dt: float, t_ref: float = 0.0
) -> Float[Tensor, "*shape"]:
    """Variance over mean of event counts in long windows: (1 - q) / (1 + n_ref q)^2.

    Args:
        rate: Hz.
        dt, t_ref: ms.

    Raises ValueError if t_ref is not a whole number of steps.
    """
    q = hazard(rate, dt, t_ref)
    return (1 - q) / (1 + whole_steps("t_ref", t_ref, dt) * q) ** 2


def burst_probability(
    apical: Float[Tensor, "*shape"], params: EventBurstParameters
) -> Float[Tensor, "*shape"]:
    """Probability that an event is a burst, given the scaled and signed apical drive."""
    if params.readout == "opponent":
        return torch.sigmoid(math.log(params.p0 / (1 - params.p0)) + apical)
    return apical.clamp(0, 1)


def event_burst_step(
    inputs: Inputs, state: EventBurstState, constants: EventBurstConstants, draws: Draws
) -> tuple[Outputs, EventBurstState]:
    """One step: an event lottery from the soma, then a burst lottery from the apical drive.

    Args:
        inputs: soma and apical drive, dimensionless.
        state: steps left in the refractory time.
        constants: of one step.
        draws: two uniform numbers in [0, 1) per unit.
    """
    if draws.event is None or draws.burst is None:
        raise ValueError("The event/burst unit needs uniform random numbers for events and bursts.")
    per_step = constants.background + constants.rho * torch.relu(inputs.soma)
    if constants.n_ref:
        fired = (draws.event < _hazard(per_step, constants.n_ref)) & (state.refractory == 0)
        left = (state.refractory - 1).clamp(min=0)
        state = EventBurstState(left + constants.n_ref * fired.to(left.dtype))
    else:
        fired = draws.event < per_step
    # A number in [0, 1) lies below x exactly as often as below clip(x, 0, 1).
    p = torch.sigmoid(constants.logit_p0 + inputs.apical) if constants.opponent else inputs.apical
    event = fired.to(inputs.soma.dtype)
    return Outputs(event, event, event * (draws.burst < p)), state


class EventBurst(Neuron[EventBurstState]):
    """The event/burst unit as a module; spike and event are one train.

    Args:
        params: defaults where None.
        dt: time step in ms.
    """

    takes = EventBurstParameters
    soma_unit = ""
    apical_unit = ""

    def __init__(self, params: EventBurstParameters | None = None, dt: float = 1.0) -> None:
        self.constants: EventBurstConstants
        super().__init__(EventBurstParameters() if params is None else params, dt)

    @property
    def kinds(self) -> tuple[Kind, Kind]:
        """One uniform number for the event and one for the burst."""
        return ("uniform", "uniform")

    def initial_state(
        self,
        shape: tuple[int, ...] | torch.Size,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> EventBurstState:
        """No event in the past."""
        return EventBurstState(torch.zeros(shape, dtype=torch.int32, device=device))

    def stationary_state(
        self, soma: Float[Tensor, "*shape"], uniform: Float[Tensor, "*shape"]
    ) -> EventBurstState:
        """State of a unit that has long been driven by `soma`: counts are unbiased from the first step on.

        A unit is refractory with probability n_ref r dt, and then every remaining time is equally likely.

        Args:
            soma: drive.
            uniform: one number in [0, 1) per unit.
        """
        n_ref = self.constants.n_ref
        per_step = self.constants.background + self.constants.rho * torch.relu(soma)
        reached = per_step.clamp(min=torch.finfo(soma.dtype).tiny, max=1 / (n_ref + 1))
        slot = (uniform / reached).clamp(max=n_ref).to(torch.int32)
        return EventBurstState(torch.where(slot < n_ref, slot + 1, torch.zeros_like(slot)))

    def step(
        self, inputs: Inputs, state: EventBurstState, draws: Draws = NO_DRAWS
    ) -> tuple[Outputs, EventBurstState]:
        """`event_burst_step` with this module's constants."""
        return event_burst_step(inputs, state, self.constants, draws)
