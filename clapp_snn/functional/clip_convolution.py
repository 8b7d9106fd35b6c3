"""Response and plasticity of one convolutional area on clips: 3-D kernels, batch normalisation, pool.

A block is a convolution in time and space, then rectification and batch normalisation in one of two orders

    "relu-norm"   y = BN(rho(W x + b))        (the published code)
    "norm-relu"   y = rho(BN(W x + b))        (the paper's table)

or rectification alone, and in some blocks a 3 x 3 max-pool with stride 2 in space. `update` is Eqs. 6-8's
feedforward part: the apical signal e of every output goes to the winner of its pool, through the factors of
the block, and is correlated with the input x (one weight-gradient call).

What is local about batch normalisation, and what is not. Gain, shift and division by the standard deviation
are one factor for each neuron type (channel): a synapse sees them in the activity of its own neuron. But mean
and deviation run over all clips, times and places of the batch, and their own dependence on the weights puts
two more averages over the batch, of e and of e times activity, into every update. A neuron cannot know these
from its own past. Without normalisation the update is Eqs. 6-8 as the paper writes them.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int32
from torch import Tensor
from torch.nn import functional as F

BlockOrder = Literal["relu-norm", "norm-relu"]

NORM_EPSILON = 1e-5
POOL, POOL_STRIDE = 3, 2

BLOCK_BYTES = {"cpu": 4 << 20, "cuda": 1 << 30}
"""Size of the maps before the pool that are worked on at a time."""

Clips = Float[Tensor, "clip time row col channel"]


@dataclass(frozen=True)
class BlockShape:
    """Kernel, stride and zero padding as (time, row, col), and whether the block ends in a max-pool."""

    kernel: tuple[int, int, int]
    stride: tuple[int, int, int] = (1, 1, 1)
    padding: tuple[int, int, int] = (0, 0, 0)
    pool: bool = False

    def output(self, time: int, row: int, col: int) -> tuple[int, int, int]:
        """Sides (time, row, col) of the block's output; entries below 1 mean that the input is too small."""
        sides = [
            (side + 2 * padding - kernel) // stride + 1
            for side, kernel, stride, padding in zip(
                (time, row, col), self.kernel, self.stride, self.padding, strict=True
            )
        ]
        if self.pool:
            sides[1:] = [
                (side - POOL) // POOL_STRIDE + 1 if side >= POOL else 0 for side in sides[1:]
            ]
        return sides[0], sides[1], sides[2]


class Norm(NamedTuple):
    """Gain and shift of a batch normalisation, one of each a channel."""

    gain: Float[Tensor, "channel"]
    shift: Float[Tensor, "channel"]


class Statistics(NamedTuple):
    """Mean and (biased) variance of every channel, and over how many values they were taken."""

    mean: Float[Tensor, "channel"]
    variance: Float[Tensor, "channel"]
    values: int


class Memory(NamedTuple):
    """What plasticity remembers of a response.

    Attributes:
        activity: (clip, time, row, col, channel) summed input, rectified unless the order is "norm-relu".
        output: the block's output, which the next block has as its input.
        statistics: those of `activity`; None without normalisation.
        winners: (clip, time, row, col, channel) position of the winner of every pool; None without a pool.
    """

    activity: Clips
    output: Clips
    statistics: Statistics | None
    winners: Int32[Tensor, "clip time row col channel"] | None


class ClipResponse(NamedTuple):
    """Output of a block, and its memory if it is going to learn."""

    output: Clips
    memory: Memory | None
    statistics: Statistics | None


class BlockUpdate(NamedTuple):
    """Changes of the block's weights in the direction of learning; gain and shift None without a norm."""

    weight: Float[Tensor, "post pre time row col"]
    bias: Float[Tensor, "post"]
    gain: Float[Tensor, "post"] | None
    shift: Float[Tensor, "post"] | None


def respond(
    x: Clips,
    weight: Float[Tensor, "post pre time row col"],
    bias: Float[Tensor, "post"],
    shape: BlockShape,
    norm: Norm | None = None,
    order: BlockOrder = "relu-norm",
    known: Statistics | None = None,
    *,
    learn: bool = True,
    precision: torch.dtype | None = None,
) -> ClipResponse:
    """Response of a block; with a norm, by the statistics of these clips, or by `known` ones (evaluation).

    The convolution runs in `precision` (that of `x` if None), everything else in that of `x`.
    """
    activity = convolve(x, weight, bias, shape, precision)
    if norm is None or order == "relu-norm":
        activity = activity.relu_()
    statistics = None
    if norm is not None:
        statistics = measure(activity) if known is None else known
    if norm is None and not shape.pool:
        output, winners = activity, None
    else:
        parts = [_squash(activity[b], shape, norm, statistics, order) for b in _blocks(activity)]
        output = torch.cat([part for part, _ in parts])
        places = [place for _, place in parts if place is not None]
        winners = torch.cat(places) if places else None
    memory = Memory(activity, output, statistics, winners) if learn else None
    return ClipResponse(output, memory, statistics)


def convolve(
    x: Clips, weight: Tensor, bias: Tensor, shape: BlockShape, precision: torch.dtype | None = None
) -> Clips:
    """W x + b. Kernels without extent in time run over all frames as images; differentiable."""
    kind = precision or x.dtype
    x_in, kernel, offset = x.to(kind), weight.to(kind), bias.to(kind)
    if shape.kernel[0] == 1 and shape.stride[0] == 1:
        clips, time = x.shape[:2]
        a = F.conv2d(
            x_in.flatten(0, 1).permute(0, 3, 1, 2),
            kernel.squeeze(2).contiguous(memory_format=torch.channels_last),
            offset, shape.stride[1:], shape.padding[1:],
        ).permute(0, 2, 3, 1).unflatten(0, (clips, time))  # fmt: skip
    else:
        a = F.conv3d(
            x_in.permute(0, 4, 1, 2, 3),
            kernel.contiguous(memory_format=torch.channels_last_3d),
            offset, shape.stride, shape.padding,
        ).permute(0, 2, 3, 4, 1)  # fmt: skip
    return a.to(x.dtype).contiguous()


def measure(activity: Clips) -> Statistics:
    """Mean and biased variance of every channel over clips, times and places.

    Raises ValueError if there is one value a channel only, which has no variance.
    """
    values = activity.flatten(0, 3)
    if len(values) < 2:
        raise ValueError(
            "Batch normalisation needs more than one value a channel: take more clips in a batch, "
            "larger frames, or normalisation='none'."
        )
    variance, mean = torch.var_mean(values, 0, correction=0)
    return Statistics(mean, variance, len(values))


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
    activity, output, statistics, winners = memory
    gain = shift = None
    scale = slope = offset = None
    if norm is not None and statistics is not None:
        if order == "norm-relu":
            signal = signal * (output > 0)
        inverse = (statistics.variance + NORM_EPSILON).rsqrt()
        shift = signal.sum((0, 1, 2, 3))
        gain = inverse * (_co_activity(signal, activity, winners) - statistics.mean * shift)
        # How mean and deviation follow the weights: two averages over the whole batch.
        scale = norm.gain * inverse
        slope = -scale * inverse * gain / statistics.values
        offset = -scale * shift / statistics.values - slope * statistics.mean
    dweight, dbias = torch.zeros_like(weight), torch.zeros_like(weight[:, 0, 0, 0, 0])
    for block in _blocks(activity):
        a = activity[block]
        delta = signal[block] if winners is None else _spread(signal[block], winners[block], a)
        if scale is not None and slope is not None and offset is not None:
            delta = (delta * scale).addcmul_(a, slope).add_(offset)
        if norm is None or order == "relu-norm":
            delta = delta * (a > 0)
        change = _correlate(delta, x[block], weight, shape, precision)
        dweight += change
        dbias += delta.sum((0, 1, 2, 3))
    return BlockUpdate(dweight, dbias, gain, shift)


def _correlate(
    delta: Clips, x: Clips, weight: Tensor, shape: BlockShape, precision: torch.dtype | None
) -> Tensor:
    """Sum over clips, times and places of delta_j x_i, for every place in the kernel."""
    kind = precision or x.dtype
    flat = shape.kernel[0] == 1 and shape.stride[0] == 1
    start = 0 if flat else -1
    if flat:
        grad = delta.flatten(0, 1).permute(0, 3, 1, 2)
        inputs = x.flatten(0, 1).permute(0, 3, 1, 2)
        template = weight.squeeze(2).to(kind).contiguous(memory_format=torch.channels_last)
    else:
        grad, inputs = delta.permute(0, 4, 1, 2, 3), x.permute(0, 4, 1, 2, 3)
        template = weight.to(kind).contiguous(memory_format=torch.channels_last_3d)
    axes = len(template.shape) - 2
    _, dweight, _ = torch.ops.aten.convolution_backward(
        grad.to(kind), inputs.to(kind), template, None,
        shape.stride[start + 1 :], shape.padding[start + 1 :], [1] * axes,
        False, [0] * axes, 1, [False, True, False],
    )  # fmt: skip
    found: Tensor = dweight
    return found.to(delta.dtype).reshape(weight.shape)


def _normalise(activity: Clips, norm: Norm, statistics: Statistics) -> Clips:
    factor = norm.gain * (statistics.variance + NORM_EPSILON).rsqrt()
    return torch.addcmul(norm.shift - statistics.mean * factor, activity, factor)


def _squash(
    activity: Clips,
    shape: BlockShape,
    norm: Norm | None,
    statistics: Statistics | None,
    order: BlockOrder,
) -> tuple[Clips, Tensor | None]:
    """Normalise, rectify if that comes last, and pool; the winners of the pools."""
    y = activity
    if norm is not None and statistics is not None:
        y = _normalise(activity, norm, statistics)
        if order == "norm-relu":
            y = y.relu_()
    if not shape.pool:
        return y, None
    pooled, winners = F.max_pool2d(_frames(y), POOL, POOL_STRIDE, return_indices=True)
    return _clips(pooled, y), _clips(winners, y).to(torch.int32)


def _co_activity(
    signal: Clips, activity: Clips, winners: Tensor | None
) -> Float[Tensor, "channel"]:
    """Sum of signal times activity (that of the winners of the pools) of every channel."""
    total = signal.new_zeros(signal.shape[-1])
    for block in _blocks(activity):
        a = activity[block].flatten(2, 3)
        if winners is not None:
            a = a.gather(2, winners[block].long().flatten(2, 3))
        total += (signal[block].flatten(2, 3) * a).sum((0, 1, 2))
    return total


def _spread(signal: Clips, winners: Tensor, activity: Clips) -> Clips:
    """The signal where the pool found its maximum, summed over overlapping pools, 0 elsewhere."""
    spread = torch.ops.aten.max_pool2d_with_indices_backward(
        _frames(signal), _frames(activity),
        [POOL, POOL], [POOL_STRIDE, POOL_STRIDE], [0, 0], [1, 1], False, _frames(winners.long()),
    )  # fmt: skip
    return _clips(spread, activity)


def _frames(clips: Clips) -> Float[Tensor, "frame channel row col"]:
    """All frames as images, channels last in memory."""
    return clips.flatten(0, 1).permute(0, 3, 1, 2)


def _clips(frames: Float[Tensor, "frame channel row col"], like: Clips) -> Clips:
    return frames.permute(0, 2, 3, 1).unflatten(0, like.shape[:2]).contiguous()


def _blocks(activity: Clips) -> list[slice]:
    """Slices of clips whose maps stay near `BLOCK_BYTES`."""
    each = activity[0].numel() * activity.element_size()
    size = max(1, BLOCK_BYTES.get(activity.device.type, 1 << 30) // each)
    return [slice(start, start + size) for start in range(0, len(activity), size)]
