"""Eligibility traces: averages whose weights decay into the past, kept up step by step.

A trace e <- lambda e + v with lambda = exp(-dt / tau) needs no memory of the past but itself and may be read
whenever gamma arrives. After n steps of constant v it is v T_eff / dt with

    T_eff = dt (1 - lambda^n) / (1 - lambda),

so that e dt / T_eff has unit gain, like the average over a window, which is the case lambda = 1.

Where rho'(a) and A do not change within a window, the trace of every synapse is the product of traces of its
two neurons (`clapp_snn.circuit.stream_area` keeps these). Otherwise each synapse keeps its own, as a chip
would; for every sample,

    (6)  e_ji <- lambda e_ji + d_j(t) A_j x_i(t)            dW_ji   = gamma e_ji dt / T_eff
    (7)  h_km <- lambda h_km + d_k(t) x_m(t), then held;    dW_km  += gamma R_k h_km dt / T_eff
    (8)  z_j  <- lambda z_j  + z_j(t)                       dWpred_jk = dWretro_kj = gamma z_j c_k dt / T_eff

with R = W_retro z of the trace z. A bias is a synapse whose input is always 1. Which of the two it is matters
when d_j(t) fluctuates with the input: e_ji then counts coincidences, the product of traces does not.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.functional.objective import Retro
from clapp_snn.functional.window_plasticity import WindowUpdate


def decay_of(tau: float, dt: float) -> float:
    """lambda = exp(-dt / tau), both in ms; raises ValueError unless tau is positive (infinite: no decay)."""
    if not tau > 0:
        raise ValueError(f"The time constant of a trace must be positive, not {tau}.")
    return math.exp(-dt / tau)


def effective_steps(decay: float, steps: int) -> float:
    """T_eff / dt = 1 + lambda + ... + lambda^(steps - 1)."""
    return float(steps) if decay == 1 else (1 - decay**steps) / (1 - decay)


class SynapticTraces(NamedTuple):
    """Of every synapse of a dense area; the last input is the 1 of the bias.

    Attributes:
        eligible: e, coincidences of this window with the apical input.
        hebbian: h of this window.
        held: h / T_eff of the window before.
        z: trace of the activity.
    """

    eligible: Float[Tensor, "sample post pre+1"]
    hebbian: Float[Tensor, "sample post pre+1"]
    held: Float[Tensor, "sample post pre+1"]
    z: Float[Tensor, "sample post"]

    @classmethod
    def at_rest(cls, z: Float[Tensor, "sample post"], pre: int) -> "SynapticTraces":
        """All zero, for `pre` inputs and units like `z`."""
        e = z.new_zeros(*z.shape, pre + 1)
        return cls(e, e.clone(), e.clone(), torch.zeros_like(z))

    def step(
        self,
        x: Float[Tensor, "sample pre"],
        z: Float[Tensor, "sample post"],
        d: Float[Tensor, "sample post"],
        A: Float[Tensor, "sample post"],
        decay: float,
    ) -> "SynapticTraces":
        """One time step with presynaptic and postsynaptic activity, rho'(a) and apical input of that step."""
        pairs = d[:, :, None] * F.pad(x, (0, 1), value=1.0)[:, None, :]
        return SynapticTraces(
            decay * self.eligible + A[:, :, None] * pairs,
            decay * self.hebbian + pairs,
            self.held,
            decay * self.z + z,
        )

    def update(
        self,
        gamma: Float[Tensor, "sample"],
        c: Float[Tensor, "sample post"],
        W_pred: Float[Tensor, "post post"],
        W_retro: Float[Tensor, "post post"] | None,
        retro: Retro,
        steps: float,
    ) -> WindowUpdate:
        """The changes when gamma arrives, summed over samples; arguments as for `window_update`.

        `steps`: T_eff / dt (`effective_steps`).
        """
        z = self.z / steps
        change = torch.einsum("s,sji->ji", gamma, self.eligible) / steps
        if retro != "zero":
            R = z @ W_pred if W_retro is None else z @ W_retro.T
            change = change + torch.einsum("sk,skm->km", gamma[:, None] * R, self.held)
        lateral = (gamma[:, None] * z).T @ c
        own = None if W_retro is None else lateral.T.contiguous()
        return WindowUpdate(change[:, :-1], change[:, -1], lateral, own)

    def hold(self, steps: float) -> "SynapticTraces":
        """A new window begins: what was paired in this one is held for Eq. 7."""
        rest = torch.zeros_like(self.eligible)
        return SynapticTraces(rest, rest.clone(), self.hebbian / steps, torch.zeros_like(self.z))
