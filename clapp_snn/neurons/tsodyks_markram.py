"""Synapses with short-term plasticity (Tsodyks and Markram 1997, doi:10.1073/pnas.94.2.719).

    at a presynaptic spike:  transmit x u;   x <- x - u x;   u <- u + f (1 - u)
    in between:              x -> 1 with time constant tau_d,   u -> U with time constant tau_f

both right-hand sides at the spike with the values before it. Facilitating synapses answer to bursts,
depressing ones to events: on a burst of two spikes 10 ms apart they transmit 6.33 and 1.46 times as much as
on one spike.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.parameters import NeuronParameters, quantity, register

PAYEUR = "Payeur et al. 2021, doi:10.1038/s41593-021-00857-x, published code"


@dataclass(frozen=True)
class TsodyksMarkramParameters(NeuronParameters):
    """Parameters of a synapse; the default is the facilitating one."""

    U: float = quantity(0.02, "", 0.0, 1.0, "utilisation at rest", PAYEUR)
    f: float = quantity(0.1, "", 0.0, 1.0, "facilitation per spike", PAYEUR)
    tau_d: float = quantity(
        100.0, "ms", 0.1, 1e5, "recovery from depression", PAYEUR, constant=True
    )
    tau_f: float = quantity(100.0, "ms", 0.1, 1e5, "decay of facilitation", PAYEUR, constant=True)

    def at(self, dt: float) -> "TsodyksMarkramConstants":
        """Constants of one step of `dt` ms."""
        return TsodyksMarkramConstants(
            self.U, self.f, math.exp(-dt / self.tau_d), math.exp(-dt / self.tau_f)
        )


class TsodyksMarkramConstants(NamedTuple):
    """Constants of one step: decays per step."""

    U: float
    f: float
    depression_decay: float
    facilitation_decay: float


class TsodyksMarkramState(NamedTuple):
    """Resources x and utilisation u, as the next spike will meet them."""

    x: Float[Tensor, "*shape"]
    u: Float[Tensor, "*shape"]


def at_rest(like: Float[Tensor, "*shape"], params: TsodyksMarkramParameters) -> TsodyksMarkramState:
    """Synapses that have seen no spike for long, in the shape of `like`."""
    return TsodyksMarkramState(torch.ones_like(like), torch.full_like(like, params.U))


def tsodyks_markram_step(
    spike: Float[Tensor, "*shape"], state: TsodyksMarkramState, constants: TsodyksMarkramConstants
) -> tuple[Float[Tensor, "*shape"], TsodyksMarkramState]:
    """What is transmitted in one step, and the synapses at the end of it."""
    x, u = state
    transmitted = spike * x * u
    x = x - transmitted
    u = u + constants.f * spike * (1 - u)
    return transmitted, TsodyksMarkramState(
        1 - constants.depression_decay * (1 - x),
        constants.U + constants.facilitation_decay * (u - constants.U),
    )


def transmission(params: TsodyksMarkramParameters, intervals: tuple[float, ...]) -> float:
    """Sum transmitted by a burst from rest, exactly.

    Args:
        params: of the synapse.
        intervals: between the spikes of the burst, ms; () for a single spike.
    """
    x, u = 1.0, params.U
    total = x * u
    for interval in intervals:
        x, u = x - x * u, u + params.f * (1 - u)
        x = 1 - math.exp(-interval / params.tau_d) * (1 - x)
        u = params.U + math.exp(-interval / params.tau_f) * (u - params.U)
        total += x * u
    return total


FACILITATING = TsodyksMarkramParameters()
DEPRESSING = TsodyksMarkramParameters(U=0.9, tau_d=20.0, tau_f=1000.0)
register("Payeur2021Facilitating", FACILITATING, "synapse onto interneurons that read bursts")
register(
    "Payeur2021Depressing",
    DEPRESSING,
    "synapse onto interneurons that read events",
    U=PAYEUR,
    tau_d=PAYEUR,
    tau_f=PAYEUR,
)
