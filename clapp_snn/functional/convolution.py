"""Response and plasticity of one convolutional area on independent patches.

A layer is a 3 x 3 convolution (stride 1, zero padding 1 at the border of every patch), rectification and,
in some areas, a 2 x 2 max-pool. What plasticity needs to remember of the response is one byte per output:
which of the four positions won the pool and whether it was above threshold (`code`). The factor
rho'(a_j) of Eqs. 6 and 7, the routing to the winner and the average over the patch are then

    delta[patch, position, j] = e_j / positions   where the code points, 0 elsewhere

and the update is the correlation of delta with the input: one weight-gradient call. Both passes walk over
the patches in blocks, so the map before the pool never exists as a whole.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from clapp_snn import native
from clapp_snn.functional.engine import Engine

BLOCK_BYTES = {"cpu": 8 << 20, "cuda": 1 << 30}


class Response(NamedTuple):
    """Response of a layer to a batch of patches.

    Attributes:
        output: (patch, row, col, channel) after rectification and pooling, channels last in memory; the
            input of the next area.
        code: (patch, row, col, channel) uint8, 0 where the output is silent, else 1 + the index (row
            major) of the first maximum in the pooling window; without pooling 1 where active. None when
            the layer is not going to learn.
        feature: (patch, channel), float32 mean of the output over its positions.
    """

    output: Float[Tensor, "patch row col channel"]
    code: UInt8[Tensor, "patch row col channel"] | None
    feature: Float[Tensor, "patch channel"]


class ConvolutionUpdate(NamedTuple):
    """Weight change (Cout, Cin, 3, 3) and bias change (Cout), in the direction of learning."""

    weight: Float[Tensor, "post pre 3 3"]
    bias: Float[Tensor, "post"]


def respond(
    x: Float[Tensor, "patch row col channel"],
    weight: Float[Tensor, "post pre 3 3"],
    bias: Float[Tensor, "post"],
    pool: bool,
    *,
    learn: bool = True,
    engine: Engine = "torch",
) -> Response:
    """z = pool(rho(W x + b)) of every patch, with rho = ReLU (paper Eq. 1 for the encoder of Appendix B).

    `x` decides the precision of the convolution (float64, float32, bfloat16); weights are cast to it.
    Raises ValueError when a map with odd sides is to be pooled.
    """
    if pool and (x.shape[1] % 2 or x.shape[2] % 2):
        raise ValueError(
            f"A map of {x.shape[1]} x {x.shape[2]} cannot be pooled 2 x 2; use a patch size that is a "
            "power of two."
        )
    if engine == "native":
        full, winners, mean = native.conv_forward(x, weight, bias, pool, code=learn)
        assert full is not None
        return Response(full, winners, mean)
    side = 2 if pool else 1
    shape = (x.shape[0], x.shape[1] // side, x.shape[2] // side, weight.shape[0])
    output = x.new_empty(shape)
    code = torch.empty(shape, dtype=torch.uint8, device=x.device) if learn else None
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    feature = torch.empty(shape[0], shape[3], dtype=wide, device=x.device)
    kernel = weight.to(x.dtype).contiguous(memory_format=torch.channels_last)
    offset = bias.to(x.dtype)
    squash = _compiled(_squash) if engine == "compiled" else _squash
    for block in _blocks(x, weight.shape[0]):
        a = F.conv2d(x[block].permute(0, 3, 1, 2), kernel, offset, padding=1)
        output[block], winner, feature[block] = squash(a.permute(0, 2, 3, 1), pool, learn, wide)
        if code is not None and winner is not None:
            code[block] = winner
    return Response(output, code, feature)


def update(
    x: Float[Tensor, "patch row col channel"],
    code: UInt8[Tensor, "patch row col channel"],
    signal: Float[Tensor, "patch channel"],
    pool: bool,
    *,
    engine: Engine = "torch",
) -> ConvolutionUpdate:
    """Eqs. 6 and 7 summed over patches and positions: signal_j rho'(a_j) x_i, averaged over the patch.

    Args:
        x: input of the layer, as it was given to `respond`.
        code: what `respond` remembered.
        signal: e_j of every patch and neuron, gamma times the apical input, summed over pairs.

    Raises ValueError for tensors that do not belong together.
    """
    _require_fitting(x, code, pool)
    if signal.shape != (len(code), code.shape[3]):
        raise ValueError(
            f"The signal of {len(code)} patches of {code.shape[3]} neurons must have as many rows and "
            f"columns, not {tuple(signal.shape)}."
        )
    if engine == "native":
        return ConvolutionUpdate(*native.conv_update(x, code, signal))
    return _correlate(x, code, signal[:, None, None, :], pool, engine)


def update_windows(
    x: Float[Tensor, "image row col channel"],
    code: UInt8[Tensor, "image row col channel"],
    signal: Float[Tensor, "image winrow wincol channel"],
    pool: bool,
    *,
    engine: Engine = "torch",
) -> ConvolutionUpdate:
    """`update` where every window of the output map has a signal of its own, averaged over that window.

    The windows are squares without overlap that fill the map (`window_means`).

    Raises ValueError for tensors that do not belong together.
    """
    _require_fitting(x, code, pool)
    if (len(signal), signal.shape[3]) != (len(code), code.shape[3]):
        raise ValueError(
            f"The signal is of {len(signal)} images and {signal.shape[3]} neurons, the code of {len(code)} "
            f"and {code.shape[3]}."
        )
    side = code.shape[1] // signal.shape[1]
    if (code.shape[1], code.shape[2]) != (side * signal.shape[1], side * signal.shape[2]):
        raise ValueError(
            f"{signal.shape[1]} x {signal.shape[2]} windows do not fill a map of {code.shape[1]} x "
            f"{code.shape[2]}."
        )
    if engine == "native":
        return ConvolutionUpdate(*native.conv_update(x, code, signal.contiguous()))
    return _correlate(x, code, signal, pool, engine, side)


def _require_fitting(x: Tensor, code: Tensor, pool: bool) -> None:
    """Raise ValueError where `code` cannot be what `respond` remembered of `x`."""
    side = 2 if pool else 1
    rows, cols = code.shape[1:3]
    if (len(code), side * rows, side * cols) != tuple(x.shape[:3]):
        raise ValueError(
            f"The code is of {len(code)} maps of {side * rows} x {side * cols}, the input of {len(x)} of "
            f"{x.shape[1]} x {x.shape[2]}."
        )


def window_means(
    output: Float[Tensor, "image row col channel"], side: int | None
) -> Float[Tensor, "image winrow wincol channel"]:
    """Mean activity in square windows of `side` positions without overlap; None: the whole map, one window.

    At least float32. Raises ValueError when the windows do not fill the map.
    """
    images, rows, cols, channels = output.shape
    high, wide = (rows, cols) if side is None else (side, side)
    if rows % high or cols % wide:
        raise ValueError(f"Windows of {side} x {side} do not fill a map of {rows} x {cols}.")
    precision = torch.float64 if output.dtype == torch.float64 else torch.float32
    cut = output.view(images, rows // high, high, cols // wide, wide, channels)
    return cut.mean((2, 4), dtype=precision)


def send_back(
    error: Float[Tensor, "patch row col channel"],
    code: UInt8[Tensor, "patch row col channel"],
    weight: Float[Tensor, "post pre 3 3"],
    pool: bool,
    *,
    engine: Engine = "torch",
) -> Float[Tensor, "patch inrow incol pre"]:
    """An error of the output, sent to the input through the transposed weights of the active positions."""
    if engine == "native":
        return native.conv_send_back(error, code, weight, pool)
    delta = _place(error, code, pool).permute(0, 3, 1, 2)
    return F.conv_transpose2d(delta, weight.to(error.dtype), padding=1).permute(0, 2, 3, 1)


def _correlate(
    x: Tensor, code: Tensor, signal: Tensor, pool: bool, engine: Engine, side: int | None = None
) -> ConvolutionUpdate:
    """The weight gradient of the signal, spread over squares of `side` positions (None: the whole map)."""
    channels = signal.shape[3]
    wide = signal.dtype
    weight = torch.zeros(channels, x.shape[3], 3, 3, dtype=wide, device=x.device)
    bias = torch.zeros(channels, dtype=wide, device=x.device)
    template = x.new_empty(channels, x.shape[3], 3, 3).contiguous(memory_format=torch.channels_last)
    positions = code.shape[1] * code.shape[2] if side is None else side**2
    spread = (signal / positions).to(x.dtype)
    place = _compiled(_place) if engine == "compiled" else _place
    for block in _blocks(x, channels):
        value = spread[block]
        if side is not None:
            value = value.repeat_interleave(side, 1).repeat_interleave(side, 2)
        delta = place(value, code[block], pool)
        _, dweight, dbias = torch.ops.aten.convolution_backward(
            delta.permute(0, 3, 1, 2),
            x[block].permute(0, 3, 1, 2),
            template,
            [channels],
            [1, 1],
            [1, 1],
            [1, 1],
            False,
            [0, 0],
            1,
            [False, True, True],
        )
        weight += dweight
        bias += dbias
    return ConvolutionUpdate(weight, bias)


def _blocks(x: Tensor, channels: int) -> list[slice]:
    """Slices of patches whose map before the pool stays near `BLOCK_BYTES`."""
    per_patch = x.shape[1] * x.shape[2] * max(channels, x.shape[3]) * x.element_size()
    size = max(16, BLOCK_BYTES.get(x.device.type, 1 << 30) // per_patch)
    return [slice(start, start + size) for start in range(0, x.shape[0], size)]


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function)


def _squash(
    a: Tensor, pool: bool, learn: bool, wide: torch.dtype
) -> tuple[Tensor, Tensor | None, Tensor]:
    """Rectify, pool and average the summed input `a`; the winner code if the layer learns."""
    winner = None
    if pool:
        corners = (a[:, ::2, ::2], a[:, ::2, 1::2], a[:, 1::2, ::2], a[:, 1::2, 1::2])
        z = torch.maximum(torch.maximum(corners[0], corners[1]), torch.maximum(*corners[2:]))
        if learn:
            winner = torch.full(z.shape, 4, dtype=torch.uint8, device=a.device)
            for index in (2, 1, 0):
                winner = winner.masked_fill(corners[index] == z, index + 1)
            winner = winner.masked_fill(z <= 0, 0)
    else:
        z = a
        if learn:
            winner = (a > 0).to(torch.uint8)
    z = z.relu()
    return z, winner, z.mean((1, 2), dtype=wide)


def _place(value: Tensor, code: Tensor, pool: bool) -> Tensor:
    """delta[patch, row, col, j]: the signal (one value a patch, or one a position) where the code points."""
    if not pool:
        return value * code
    patches, rows, cols, channels = code.shape
    delta = value.new_empty(patches, rows, 2, cols, 2, channels)
    for index in range(4):
        torch.mul(value, code == index + 1, out=delta[:, :, index // 2, :, index % 2])
    return delta.view(patches, 2 * rows, 2 * cols, channels)
