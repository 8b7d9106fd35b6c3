"""Response and plasticity of one dense area: every neuron sees the whole input of its cell.

A layer is a matrix, a bias and rectification. There are no positions to average over and no pool, so what
plasticity needs to remember of the response is whether each neuron was above threshold (`code`), and with
delta[sample, j] = e_j rho'(a_j) the update is one product delta^T x. With one sample a patch, in the order
(image, row, col), `cells.to_cells` arranges the output for `plasticity.area_signals`, and
`cells.from_cells` brings its target and context signals back as the `signal` of `update`.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F


class DenseResponse(NamedTuple):
    """Response of a dense layer to a batch of samples.

    Attributes:
        output: (sample, post) after rectification, in the precision of the input; the feature of the area
            and the input of the next one.
        code: (sample, post) uint8, 1 where the neuron is active, 0 where it is silent.
    """

    output: Float[Tensor, "sample post"]
    code: UInt8[Tensor, "sample post"]


class DenseUpdate(NamedTuple):
    """Weight change (post, pre) and bias change (post), in the direction of learning."""

    weight: Float[Tensor, "post pre"]
    bias: Float[Tensor, "post"]


def respond(
    x: Float[Tensor, "sample pre"],
    weight: Float[Tensor, "post pre"],
    bias: Float[Tensor, "post"],
) -> DenseResponse:
    """z = rho(W x + b) of every sample, with rho = ReLU (paper Eq. 1).

    `x` decides the precision (float64, float32, bfloat16); weights are cast to it. Raises ValueError when
    input, matrix and bias do not fit.
    """
    if (
        x.ndim != 2
        or weight.ndim != 2
        or bias.ndim != 1
        or tuple(weight.shape) != (bias.shape[0], x.shape[1])
    ):
        raise ValueError(
            "A dense layer maps x (sample, pre) with weight (post, pre) and bias (post); got x "
            f"{tuple(x.shape)}, weight {tuple(weight.shape)}, bias {tuple(bias.shape)}. Flatten patches "
            "to one vector a sample."
        )
    output = F.linear(x, weight.to(x.dtype), bias.to(x.dtype)).relu()
    return DenseResponse(output, (output > 0).to(torch.uint8))


def update(
    x: Float[Tensor, "sample pre"],
    code: UInt8[Tensor, "sample post"],
    signal: Float[Tensor, "sample post"],
) -> DenseUpdate:
    """Eqs. 6 and 7 of a dense layer, summed over samples: signal_j rho'(a_j) x_i.

    Args:
        x: input of the layer, as it was given to `respond`.
        code: what `respond` remembered.
        signal: e_j of every sample and neuron, gamma times the apical input, summed over pairs; decides
            the precision of the result.

    Raises ValueError when the three do not describe the same samples and neurons.
    """
    if x.ndim != 2 or signal.ndim != 2 or code.shape != signal.shape or len(x) != len(signal):
        raise ValueError(
            "A dense update needs x (sample, pre) and, for the same samples, code and signal "
            f"(sample, post); got x {tuple(x.shape)}, code {tuple(code.shape)}, signal "
            f"{tuple(signal.shape)}. Pass signals of cells through `cells.from_cells`."
        )
    delta = signal * code
    weight = delta.to(x.dtype).transpose(0, 1) @ x
    return DenseUpdate(weight.to(signal.dtype), delta.sum(0))
