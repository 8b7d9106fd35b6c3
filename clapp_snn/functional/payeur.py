"""The burst-dependent rule of Payeur et al. 2021 (doi:10.1038/s41593-021-00857-x).

    dw/dt = eta [ B(t) - Pbar(t) E(t) ] Etilde_pre(t),    Pbar = Bbar / Ebar

E and B are the trains of postsynaptic events and bursts (a burst is stamped at its second spike),
Etilde_pre is the presynaptic trace (tau_pre, +1 an event), Ebar and Bbar are running averages (tau_avg) in
Hz. Between events everything decays exponentially, so one step may last any time: a grid of dt, or the gap
to the next event.

B - Pbar E is the signed quantity that CLAPP reads from bursts, too; CLAPP multiplies it by gamma and its
apical input predicts, where here it carries an error.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

MS_PER_S = 1000.0


@dataclass(frozen=True)
class PayeurRule:
    """Constants of the rule.

    Attributes:
        eta: learning rate, weight per coincidence.
        tau_pre: of the presynaptic trace, ms.
        tau_avg: of the running averages, ms.

    Raises ValueError for a time constant that is not positive, or a value that is not finite.
    """

    eta: float = 0.1
    tau_pre: float = 50.0
    tau_avg: float = 15_000.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.eta):
            raise ValueError(f"eta must be a finite number, not {self.eta}.")
        for name, tau in (("tau_pre", self.tau_pre), ("tau_avg", self.tau_avg)):
            if not (math.isfinite(tau) and tau > 0):
                raise ValueError(f"{name} must be a positive number of milliseconds, not {tau}.")


class PayeurState(NamedTuple):
    """Presynaptic trace (a pure number) and postsynaptic averages Ebar, Bbar (Hz)."""

    trace: Float[Tensor, "*shape"]
    event_rate: Float[Tensor, "*shape"]
    burst_rate: Float[Tensor, "*shape"]


def initial_payeur_state(
    shape: tuple[int, ...], event_rate: float, burst_probability: float, dtype: torch.dtype
) -> PayeurState:
    """No trace; Ebar = `event_rate` Hz and Bbar = `burst_probability` * Ebar.

    Raises ValueError unless event_rate > 0 and 0 <= burst_probability <= 1.
    """
    if not event_rate > 0:
        raise ValueError(
            f"Pbar = Bbar / Ebar needs an initial event rate above 0, not {event_rate}."
        )
    if not 0 <= burst_probability <= 1:
        raise ValueError(f"A burst probability lies between 0 and 1, not {burst_probability}.")
    ebar = torch.full(shape, float(event_rate), dtype=dtype)
    return PayeurState(torch.zeros(shape, dtype=dtype), ebar, burst_probability * ebar)


def payeur_step(
    pre_event: Float[Tensor, "*shape"],
    post_event: Float[Tensor, "*shape"],
    post_burst: Float[Tensor, "*shape"],
    state: PayeurState,
    elapsed: Float[Tensor, "*shape"],
    rule: PayeurRule,
) -> tuple[Float[Tensor, "*shape"], PayeurState]:
    """What happens `elapsed` ms after the last step: the weight change, and the state after it.

    Args:
        pre_event, post_event, post_burst: 0 or 1 for every synapse.
        state: after the last step.
        elapsed: time since then, ms.
        rule: constants.

    The presynaptic trace is updated first (a pre event at the same time counts), the averages last (an
    event does not change the baseline it is compared with).
    """
    slow = torch.exp(-elapsed / rule.tau_avg)
    trace = state.trace * torch.exp(-elapsed / rule.tau_pre) + pre_event
    event_rate = state.event_rate * slow
    burst_rate = state.burst_rate * slow
    baseline = burst_rate / event_rate
    change = rule.eta * (post_burst - baseline * post_event) * trace
    gain = MS_PER_S / rule.tau_avg
    return change, PayeurState(
        trace, event_rate + gain * post_event, burst_rate + gain * post_burst
    )


def expected_change(
    rate: float, burst_probability: float, baseline: float, duration: float, rule: PayeurRule
) -> float:
    """Mean weight change between independent pre and post neurons that burst with a constant probability.

    Args:
        rate: events of either neuron, Hz, and the initial Ebar.
        burst_probability: p of the postsynaptic neuron.
        baseline: initial Pbar.
        duration: T, ms.
        rule: constants.

    dW(p) = eta r^2 tau_pre tau_avg (1 - exp(-T / tau_avg)) (p - Pbar(0)): Pbar relaxes from its initial
    value to p with tau_avg, and the mean presynaptic trace is r tau_pre. Fluctuations of Ebar are
    neglected.
    """
    tau_pre, tau_avg = rule.tau_pre / MS_PER_S, rule.tau_avg / MS_PER_S
    relaxed = -math.expm1(-duration / rule.tau_avg)
    return rule.eta * rate**2 * tau_pre * tau_avg * relaxed * (burst_probability - baseline)
