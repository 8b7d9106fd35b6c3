"""Plasticity of one 1-D convolution on a waveform or on the features below it (Eqs. 6 and 7).

Every frame is a cell of its own, so nothing is averaged: with the signal e of a frame (gamma times apical
input, summed over pairs) the update is the sum over samples and frames of e_j rho'(a_j) x_i, which is one
weight-gradient call of the convolution.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class WaveUpdate(NamedTuple):
    """Weight change (post, pre, kernel) and bias change (post), in the direction of learning."""

    weight: Float[Tensor, "post pre kernel"]
    bias: Float[Tensor, "post"]


def wave_update(
    x: Float[Tensor, "sample pre frame"],
    z: Float[Tensor, "sample post later"],
    signal: Float[Tensor, "sample post later"],
    weight: Float[Tensor, "post pre kernel"],
    stride: int,
    padding: int,
) -> WaveUpdate:
    """Eqs. 6 and 7 summed over samples and frames.

    Args:
        x: input of the layer.
        z: its rectified response; rho'(a) = 1 where it is active.
        signal: e of every neuron and frame.
        weight: of the layer; only its shape matters.
        stride, padding: of the layer.
    """
    delta = signal * (z > 0)
    _, change, bias = torch.ops.aten.convolution_backward(
        delta, x, weight, [weight.shape[0]], [stride], [padding], [1], False, [0], 1,
        [False, True, True],
    )  # fmt: skip
    return WaveUpdate(change, bias)
