"""Eqs. 6-8 from averages over a window: what each synapse needs is a trace of its own and one gamma.

With bars for averages over the window that has just ended (events divided by rho T, or rates; the weights of
an average may decay into the past, `clapp_snn.functional.eligibility`) and c, x_prev, d_prev for what the
synapses hold of the window before,

    (6)  dW_ji   = gamma A_j d_j xbar_i                        A = W_pred c, held during the window
    (7)  dW_km  += gamma R_k d_prev_k xbar_prev_m              R = W_retro zbar, on a second apical branch
    (8)  dWpred_jk = dWretro_kj = gamma zbar_j c_k

summed over samples, in the direction of learning. A bias is a synapse whose input is always 1. With exact
rates these are the negative gradients of the hinge loss max(0, 1 - y u), u = z^T W_pred c. Source: Illing et
al. 2021 (arXiv:2010.08262), Eqs. 6-8.

A and d say how a basal synapse knows of the prediction and of rho'(a):

    "drive"        A; d = 1 where the mean basal drive v is positive (default)
    "event"        A; d = 1 where there was any event
    "surrogate"    A; d = 1 / (pi (1 + (pi v)^2)), smooth in v and never 0
    "burst"        the synapse knows bursts only: b_j = (B_on - B_off) / (rho kappa T) is its neuron's own
                   share of the score; A = b / zbar and d = zbar, so that A_j d_j = b_j. Its mean z_j A_j has
                   the sign of Eq. 6, weighted by activity (Eqs. 6 and 7 of an exponential rho)
    "burst_ratio"  A = b / zbar and d as for "event": Eq. 6 itself, but a noisy ratio
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.functional.objective import Retro

Post = Literal["drive", "event", "surrogate", "burst", "burst_ratio"]
BasalChange = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From the postsynaptic signal of every unit and the presynaptic trace to the changes of weight and bias."""


class WindowTraces(NamedTuple):
    """What the synapses of an area hold when gamma arrives.

    In a convolutional area x and d have positions, while z, c and A are averages over them; a burst variant
    knows A where d is.

    Attributes:
        x: mean presynaptic activity of the window.
        z: mean activity of the window.
        d: postsynaptic factor of the window (`post_factor`).
        A: apical input W_pred c during the window, or what bursts tell of it.
        c: context, the activity that made the prediction.
        x_prev, d_prev: x and d of the window before; zero where there was none.
    """

    x: Float[Tensor, "sample *pre"]
    z: Float[Tensor, "sample post"]
    d: Float[Tensor, "sample *unit"]
    A: Float[Tensor, "sample post"] | Float[Tensor, "sample *unit"]
    c: Float[Tensor, "sample post"]
    x_prev: Float[Tensor, "sample *pre"]
    d_prev: Float[Tensor, "sample *unit"]


class WindowUpdate(NamedTuple):
    """Changes of the basal weights and bias, and of the lateral matrices (W_retro: None unless free)."""

    weight: Float[Tensor, "post *pre"]
    bias: Float[Tensor, "post"]
    W_pred: Float[Tensor, "post post"]
    W_retro: Float[Tensor, "post post"] | None


def post_factor(
    drive: Float[Tensor, "sample *unit"], z: Float[Tensor, "sample *unit"], post: Post = "drive"
) -> Float[Tensor, "sample *unit"]:
    """d, as the list above says.

    Args:
        drive: mean basal drive of the window.
        z: mean activity; "event" misses active neurons with probability exp(-rho z T M).
        post: which of them.

    Raises ValueError for an unknown name.
    """
    if post == "drive":
        return (drive > 0).to(drive.dtype)
    if post in ("event", "burst_ratio"):
        return (z > 0).to(drive.dtype)
    if post == "surrogate":
        return 1 / (math.pi * (1 + (math.pi * drive).square()))
    if post == "burst":
        return z.clone()
    raise ValueError(
        f"The postsynaptic factor is one of {', '.join(get_args(Post))}, not {post!r}."
    )


def apical_input_from_bursts(
    share: Float[Tensor, "sample *unit"], z: Float[Tensor, "sample *unit"]
) -> Float[Tensor, "sample *unit"]:
    """b / zbar, an estimate of A wherever there was an event; 0 elsewhere.

    Args:
        share: b, mean of ON minus OFF bursts / (rho kappa dt), the unit's share of the score.
        z: mean activity.
    """
    return torch.where(z > 0, share / z.clamp(min=torch.finfo(z.dtype).tiny), 0.0)


def dense_change(
    signal: Float[Tensor, "sample post"], x: Float[Tensor, "sample pre"]
) -> tuple[Float[Tensor, "post pre"], Float[Tensor, "post"]]:
    """Every unit has a synapse with every input: sum over samples of signal_j x_i, and of signal_j."""
    return signal.T @ x, signal.sum(0)


def window_update(
    gamma: Float[Tensor, "sample"],
    traces: WindowTraces,
    W_pred: Float[Tensor, "post post"],
    W_retro: Float[Tensor, "post post"] | None,
    retro: Retro,
    change: BasalChange = dense_change,
) -> WindowUpdate:
    """Eqs. 6-8 summed over samples.

    Args:
        gamma: broadcast factor, +1, 0 or -1.
        traces: of the window.
        W_pred: prediction matrix (z, c), for retro="tied", where W_retro = W_pred^T.
        W_retro: retrodiction matrix (c, z), exactly with retro="free".
        retro: "tied", "free", or "zero" for no update of the context side.
        change: how basal synapses are laid out.

    Raises ValueError when there is a W_retro that is not free, or none that is.
    """
    if (W_retro is not None) != (retro == "free"):
        raise ValueError("Pass W_retro exactly when retro='free'.")
    x, z, d, A, c, x_prev, d_prev = traces
    signal = _at_units(gamma, d) * _at_units(A, d) * d
    if retro != "zero":
        # Eq. 7 met another input than Eq. 6: as samples of their own, both are one product.
        R = z @ W_pred if W_retro is None else z @ W_retro.T
        before = _at_units(gamma, d) * _at_units(R, d) * d_prev
        signal, x = torch.cat([signal, before]), torch.cat([x, x_prev])
    weight, bias = change(signal, x)
    coincidence = (gamma[:, None] * z).T @ c
    return WindowUpdate(
        weight, bias, coincidence, None if W_retro is None else coincidence.T.contiguous()
    )


def _at_units(
    factor: Float[Tensor, "sample *channel"], d: Float[Tensor, "sample *unit"]
) -> Float[Tensor, "sample *unit"]:
    """A factor of a sample, or of its channels, laid out to be multiplied with `d`."""
    missing = d.dim() - factor.dim()
    return factor.view(len(factor), *(1 for _ in range(missing)), *factor.shape[1:])
