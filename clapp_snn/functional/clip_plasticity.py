"""Plasticity of one convolutional area on clips: Eqs. 6-8's feedforward part in closed form.

The apical signal e of every output goes to the winner of its pool, through the factors of the block
(`functional.clip_convolution`), and is correlated with the input x (one weight-gradient call).

What is local about batch normalisation, and what is not. Gain, shift and division by the standard deviation
are one factor for each neuron type (channel): a synapse sees them in the activity of its own neuron. But mean
and deviation run over all clips, times and places of the batch, and their own dependence on the weights puts
two more averages over the batch, of e and of e times activity, into every update. A neuron cannot know these
from its own past. Without normalisation the update is Eqs. 6-8 as the paper writes them.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.functional.clip_convolution import (
    NORM_EPSILON,
    POOL,
    POOL_STRIDE,
    BlockMemory,
    BlockOrder,
    BlockShape,
    Clips,
    Memory,
    Norm,
    channel_sum,
    clips_of,
    frames_of,
    total,
)


class BlockUpdate(NamedTuple):
    """Changes of the block's weights in the direction of learning; gain and shift None without a norm."""

    weight: Float[Tensor, "post pre time row col"]
    bias: Float[Tensor, "post"]
    gain: Float[Tensor, "post"] | None
    shift: Float[Tensor, "post"] | None


def update(
    x: Clips,
    memory: Memory,
    signal: Clips,
    weight: Float[Tensor, "post pre time row col"],
    shape: BlockShape,
    norm: Norm | None = None,
    order: BlockOrder = "relu-norm",
    *,
    precision: torch.dtype | None = None,
) -> BlockUpdate:
    """Weight changes that the signal e of every output neuron asks for (Eqs. 6 and 7, summed).

    Args:
        x: input of the block, as it was given to `respond`.
        memory: what `respond` kept; its statistics must be those of the clips themselves.
        signal: e, of the output's shape, in the direction of learning.
        weight: the block's kernels, for their shape.
    """
    blocks, output, statistics = memory
    gain = shift = None
    slope = offset = None
    if norm is not None and statistics is not None:
        if order == "norm-relu":
            signal = _where_active(signal, output)
        inverse = (statistics.variance + NORM_EPSILON).rsqrt()
        shift = channel_sum(signal)
        together = [channel_sum(signal[block.clips] * block.peak) for block in blocks]
        gain = inverse * (total(together) - statistics.mean * shift)
        # How mean and deviation follow the weights: two averages over the whole batch.
        scale = norm.gain * inverse
        slope = -scale * inverse * gain / statistics.values
        offset = -scale * shift / statistics.values - slope * statistics.mean
        signal = signal * scale
    changes = []
    for block in blocks:
        delta = _spread(signal[block.clips], block)
        if slope is not None and offset is not None:
            delta = torch.addcmul(offset, block.activity, slope).add_(delta)
        if norm is None or order == "relu-norm":
            delta = _where_active(delta, block.activity)
        changes.append(_correlate(delta, x[block.clips], weight, shape, precision))
    dweight, dbias = (total(parts) for parts in zip(*changes, strict=True))
    return BlockUpdate(dweight, dbias, gain, shift)


def _correlate(
    delta: Clips, x: Clips, weight: Tensor, shape: BlockShape, precision: torch.dtype | None
) -> tuple[Tensor, Tensor]:
    """Sums over clips, times and places: of delta_j x_i, for every place in the kernel, and of delta_j."""
    kind = precision or x.dtype
    flat = shape.kernel[0] == 1 and shape.stride[0] == 1
    start = 0 if flat else -1
    if flat:
        grad, inputs = frames_of(delta), frames_of(x)
        template = weight.squeeze(2).to(kind)
    else:
        grad, inputs = delta.permute(0, 4, 1, 2, 3), x.permute(0, 4, 1, 2, 3)
        template = weight.to(kind)
    axes = len(template.shape) - 2
    _, dweight, dbias = torch.ops.aten.convolution_backward(
        grad.to(kind), inputs.to(kind), template, [len(weight)],
        shape.stride[start + 1 :], shape.padding[start + 1 :], [1] * axes,
        False, [0] * axes, 1, [False, True, True],
    )  # fmt: skip
    # In the memory layout of the weights, not of the maps: fused optimisers do not look at strides.
    return dweight.to(delta.dtype).reshape(weight.shape).contiguous(), dbias.to(delta.dtype)


def _spread(signal: Clips, block: BlockMemory) -> Clips:
    """The signal where the pool found its maximum, summed over overlapping pools, 0 elsewhere."""
    if block.winners is None:
        return signal
    spread = torch.ops.aten.max_pool2d_with_indices_backward(
        frames_of(signal), frames_of(block.activity),
        [POOL, POOL], [POOL_STRIDE, POOL_STRIDE], [0, 0], [1, 1], False,
        frames_of(block.winners.long()),
    )  # fmt: skip
    return clips_of(spread, block.activity)


def _where_active(signal: Clips, activity: Clips) -> Clips:
    """The signal where activity is positive, else 0."""
    masked: Tensor = torch.ops.aten.threshold_backward(signal, activity, 0)
    return masked
