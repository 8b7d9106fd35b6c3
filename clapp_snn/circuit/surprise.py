"""Surprise nucleus: bursts and the saccade signal in, the broadcast factor gamma out.

Two margin neurons sum what the ON and OFF interneurons send, with opposite signs, and leak alike:

    F (fixation):  dV/dt = -V / tau + OFF - ON          S (saccade):  dV/dt = -V / tau + ON - OFF

Their bias is the margin 1. At the end of a window one read-out pulse lifts both exactly to threshold, so that
F fires iff 1 - u_hat > 0 and S iff 1 + u_hat > 0. The corollary discharge of a saccade (y = -1) gates S in
and F out. Crossings before the pulse do not count: they would be biased by first passage. The two neurons
broadcast through channels of their own, and gamma = F - S = y H (paper, below Eq. 8).

u_hat is noisy with standard deviation sigma, hence P(gamma != 0) = Phi((1 - y u) / sigma): on average the
circuit descends the hinge loss smoothed by its own noise.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.coincidence import Currents


class NucleusState(NamedTuple):
    """Membranes of the two margin neurons, relative to rest."""

    fixation: Float[Tensor, "sample"]
    saccade: Float[Tensor, "sample"]


class Broadcast(NamedTuple):
    """Spikes of the two margin neurons, 0 or 1: two modulators that reach every synapse of the area."""

    fixation: Float[Tensor, "sample"]
    saccade: Float[Tensor, "sample"]

    @property
    def gamma(self) -> Float[Tensor, "sample"]:
        """Signed broadcast factor: +1, 0 or -1."""
        return self.fixation - self.saccade


@dataclass(frozen=True)
class SurpriseNucleus:
    """The two margin neurons.

    Attributes:
        margin: bias, in units of the score; 1 in the paper.
        leak: share of a membrane that is left after one step; 1 for counting.

    Raises ValueError for a leak outside (0, 1], or a margin that is not a positive number.
    """

    margin: float = 1.0
    leak: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.leak <= 1:
            raise ValueError(f"The leak of the nucleus must lie in (0, 1], not {self.leak}.")
        if not (self.margin > 0 and math.isfinite(self.margin)):
            raise ValueError(
                f"The margin of the nucleus must be a positive number, not {self.margin}."
            )

    def initial_state(self, like: Float[Tensor, "sample ..."]) -> NucleusState:
        """Both neurons at rest, one pair for each sample of `like`."""
        return NucleusState(like.new_zeros(like.shape[0]), like.new_zeros(like.shape[0]))

    def step(self, currents: Currents, state: NucleusState) -> NucleusState:
        """Integrate what the ON and OFF interneurons sent in one step."""
        return NucleusState(
            self.leak * state.fixation + (currents.off - currents.on),
            self.leak * state.saccade + (currents.on - currents.off),
        )

    def read(self, state: NucleusState, y: Float[Tensor, "sample"]) -> Broadcast:
        """The read-out pulse at the end of a window.

        Args:
            state: membranes.
            y: +1 after a fixation, -1 after a saccade.

        Raises ValueError for a y that is neither, or not one for each sample, and for membranes that are not
        finite.
        """
        if y.shape != state.fixation.shape or not bool((y.abs() == 1).all()):
            raise ValueError(
                "y must be +1 (fixation) or -1 (saccade) for every sample: "
                f"{len(state.fixation)} values, not {y.tolist()}."
            )
        if not bool((torch.isfinite(state.fixation) & torch.isfinite(state.saccade)).all()):
            raise ValueError("Membranes of the nucleus are not finite (NaN or inf).")
        return Broadcast(
            ((state.fixation + self.margin > 0) & (y > 0)).to(state.fixation.dtype),
            ((state.saccade + self.margin > 0) & (y < 0)).to(state.saccade.dtype),
        )


def gate_probability(
    u: Float[Tensor, "..."], y: Float[Tensor, "..."] | float, sigma: Float[Tensor, "..."] | float
) -> Float[Tensor, "..."]:
    """P(gamma != 0) = Phi((1 - y u) / sigma) for a Gaussian read-out of u with standard deviation sigma.

    Raises ValueError unless sigma is positive.
    """
    _require_noise(sigma)
    return torch.special.ndtr((1 - y * u) / sigma)


def smoothed_hinge(
    u: Float[Tensor, "..."], y: Float[Tensor, "..."] | float, sigma: Float[Tensor, "..."] | float
) -> Float[Tensor, "..."]:
    """E max(0, 1 - y (u + sigma xi)) for standard normal xi; its slope in u is -y `gate_probability`.

    Raises ValueError unless sigma is positive.
    """
    _require_noise(sigma)
    distance = 1 - y * u
    d = distance / sigma
    density = torch.exp(-d.square() / 2) / math.sqrt(2 * math.pi)
    return distance * torch.special.ndtr(d) + sigma * density


def _require_noise(sigma: Float[Tensor, "..."] | float) -> None:
    if not bool((torch.as_tensor(sigma) > 0).all()):
        raise ValueError(f"sigma must be a positive standard deviation, not {sigma}.")
