"""Basal drives of inputs that are mostly zero (`spikes.c`): work in proportion to the number of spikes."""

import ctypes

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.native.build import library
from clapp_snn.native.tensors import LOCK, check, pointer


def by_input(
    weight: Float[Tensor, "output input"] | Float[Tensor, "output input 3 3"],
) -> Float[Tensor, "input ..."]:
    """Weights as `spike_drive` takes them: input by input, outputs last."""
    return (weight.t() if weight.dim() == 2 else weight.permute(1, 2, 3, 0)).contiguous()


def spike_drive(
    x: Float[Tensor, "map input"] | Float[Tensor, "map row col input"],
    weight: Float[Tensor, "input output"] | Float[Tensor, "input 3 3 output"],
    bias: Float[Tensor, "output"],
    out: Float[Tensor, "map output"] | Float[Tensor, "map row col output"],
) -> None:
    """Write W x + b to `out`, for a dense layer or a 3 x 3 convolution (stride 1, zero padding 1).

    Args:
        x: input, any numbers; zeros cost next to nothing. NaN and infinities arrive at all that see them.
        weight: `by_input`.
        bias: of the outputs.
        out: overwritten.

    Raises:
        ValueError: for a tensor of the wrong type, shape or memory layout.
        NativeUnavailable: if the engine cannot be compiled.
    """
    if x.dim() not in (2, 4):
        raise ValueError(
            f"x has to be (map, input) or (map, row, col, input), not {tuple(x.shape)}."
        )
    taps, inputs, outputs = (3 if x.dim() == 4 else 1), x.shape[-1], len(bias)
    check("x", x, x.dim(), torch.float32)
    check("weight", weight, (inputs, *(taps,) * (x.dim() - 2), outputs), torch.float32)
    check("bias", bias, 1, torch.float32)
    check("out", out, (*x.shape[:-1], outputs), torch.float32)
    height, width = x.shape[1:3] if x.dim() == 4 else (1, 1)
    with LOCK:
        library().clapp_spike_drive(
            *(pointer(each) for each in (x, weight, bias, out)),
            ctypes.c_long(len(x)),
            *(ctypes.c_int(each) for each in (height, width, inputs, outputs, taps)),
            ctypes.c_int(torch.get_num_threads()),
        )
