"""Eqs. 6-8 from averages over a window: what each synapse needs is a trace of its own and one gamma.

With bars for averages over the window that has just ended (events divided by rho T, or rates) and c, x_prev,
d_prev for what the synapses hold of the window before,

    (6)  dW_ji   = gamma A_j d_j xbar_i                        A = W_pred c, held during the window
    (7)  dW_km  += gamma R_k d_prev_k xbar_prev_m              R = W_retro zbar, on a second apical branch
    (8)  dWpred_jk = dWretro_kj = gamma zbar_j c_k

summed over samples, in the direction of learning. A bias is a synapse whose input is always 1. With exact
rates these are the negative gradients of the hinge loss max(0, 1 - y u), u = z^T W_pred c. Source: Illing et
al. 2021 (arXiv:2010.08262), Eqs. 6-8.
"""

from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor

from clapp_snn.functional.objective import Retro

Post = Literal["drive", "event"]


class WindowTraces(NamedTuple):
    """What the synapses of an area hold when gamma arrives.

    Attributes:
        x: mean presynaptic activity of the window.
        z: mean activity of the window.
        d: postsynaptic factor of the window (`post_factor`).
        A: apical input W_pred c during the window.
        c: context, the activity that made the prediction.
        x_prev, d_prev: x and d of the window before; zero where there was none.
    """

    x: Float[Tensor, "sample pre"]
    z: Float[Tensor, "sample post"]
    d: Float[Tensor, "sample post"]
    A: Float[Tensor, "sample post"]
    c: Float[Tensor, "sample post"]
    x_prev: Float[Tensor, "sample pre"]
    d_prev: Float[Tensor, "sample post"]


class WindowUpdate(NamedTuple):
    """Changes of the basal weights and bias, and of the lateral matrices (W_retro: None unless free)."""

    weight: Float[Tensor, "post pre"]
    bias: Float[Tensor, "post"]
    W_pred: Float[Tensor, "post post"]
    W_retro: Float[Tensor, "post post"] | None


def post_factor(
    drive: Float[Tensor, "sample post"], z: Float[Tensor, "sample post"], post: Post = "drive"
) -> Float[Tensor, "sample post"]:
    """rho'(a) of rectified neurons, as the dendrite knows it ("drive") or as spikes tell ("event").

    Args:
        drive: mean basal drive of the window; "drive" gives 1 where it is positive.
        z: mean activity; "event" gives 1 where there was any event, which misses active neurons with
            probability exp(-rho z T M).
        post: which of the two.
    """
    return ((drive if post == "drive" else z) > 0).to(drive.dtype)


def window_update(
    gamma: Float[Tensor, "sample"],
    traces: WindowTraces,
    W_pred: Float[Tensor, "post post"],
    W_retro: Float[Tensor, "post post"] | None,
    retro: Retro,
) -> WindowUpdate:
    """Eqs. 6-8 summed over samples.

    Args:
        gamma: broadcast factor, +1, 0 or -1.
        traces: of the window.
        W_pred: prediction matrix (z, c), for retro="tied", where W_retro = W_pred^T.
        W_retro: retrodiction matrix (c, z), exactly with retro="free".
        retro: "tied", "free", or "zero" for no update of the context side.

    Raises ValueError when there is a W_retro that is not free, or none that is.
    """
    if (W_retro is not None) != (retro == "free"):
        raise ValueError("Pass W_retro exactly when retro='free'.")
    x, z, d, A, c, x_prev, d_prev = traces
    here = gamma[:, None] * A * d
    weight, bias = here.T @ x, here.sum(0)
    if retro != "zero":
        R = z @ W_pred if W_retro is None else z @ W_retro.T
        before = gamma[:, None] * R * d_prev
        weight, bias = weight + before.T @ x_prev, bias + before.sum(0)
    coincidence = (gamma[:, None] * z).T @ c
    return WindowUpdate(
        weight, bias, coincidence, None if W_retro is None else coincidence.T.contiguous()
    )
