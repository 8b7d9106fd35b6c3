"""Response of one convolutional area on clips: 3-D kernels, batch normalisation, pool.

A block is a convolution in time and space, then rectification and batch normalisation in one of two orders

    "relu-norm"   y = BN(rho(W x + b))        (the published code)
    "norm-relu"   y = rho(BN(W x + b))        (the paper's table)

or rectification alone, and in some blocks a 3 x 3 max-pool with stride 2 in space. Its plasticity:
`functional.clip_plasticity`.

Everything that happens to a map before the pool happens while it is in the cache, a few clips at a time. A
pool finds the winners before the normalisation, of activity times the sign of the gain: normalisation
and rectification keep the order of values or, where the gain is negative, turn it round. So only the winners
are normalised.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int32
from torch import Tensor
from torch.nn import functional as F

BlockOrder = Literal["relu-norm", "norm-relu"]

NORM_EPSILON = 1e-5
POOL, POOL_STRIDE = 3, 2

BLOCK_BYTES = {"cpu": 16 << 20, "cuda": 1 << 30}
"""Size of the maps before the pool that are worked on at a time (at least one clip)."""

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


class BlockMemory(NamedTuple):
    """What plasticity remembers of some of the clips.

    Attributes:
        clips: which clips these are.
        activity: (clip, time, row, col, channel) summed input, rectified unless the order is "norm-relu".
        peak: the same at the winners of the pools; without a pool `activity` itself.
        winners: (clip, time, row, col, channel) position of the winner of every pool; None without a pool.
    """

    clips: slice
    activity: Clips
    peak: Clips
    winners: Int32[Tensor, "clip time row col channel"] | None


class Memory(NamedTuple):
    """What plasticity remembers of a response.

    Attributes:
        blocks: of all clips, in order.
        output: the block's output, which the next block has as its input.
        statistics: those of the activity; None without normalisation.
    """

    blocks: list[BlockMemory]
    output: Clips
    statistics: Statistics | None


class ClipResponse(NamedTuple):
    """Output of a block, and its memory if it is going to learn."""

    output: Clips
    memory: Memory | None
    statistics: Statistics | None


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

    The convolution runs in `precision` (that of `x` if None), everything else in that of `x`. Raises
    ValueError where statistics would have to be taken from one value a channel, which has no variance.
    """
    if norm is not None and known is None and x.shape[0] * _places(x, shape) < 2:
        raise ValueError(
            "Batch normalisation needs more than one value a channel: take more clips in a batch, "
            "larger frames, or normalisation='none'."
        )
    sign = None
    if norm is not None and shape.pool and bool((norm.gain < 0).any()):
        sign = torch.where(norm.gain < 0, -1, 1).to(x.dtype)
    blocks = []
    for clips in _slices(x, len(weight), shape):
        activity = convolve(x[clips], weight, bias, shape, precision)
        if norm is None or order == "relu-norm":
            activity = activity.relu_()
        peak, winners = _pool(activity, sign) if shape.pool else (activity, None)
        blocks.append(BlockMemory(clips, activity, peak, winners))
    statistics = known
    if norm is not None and known is None:
        statistics = measure([block.activity for block in blocks])
    peaks = [block.peak for block in blocks]
    output = peaks[0] if len(peaks) == 1 else torch.cat(peaks)
    if norm is not None and statistics is not None:
        factor = norm.gain * (statistics.variance + NORM_EPSILON).rsqrt()
        output = torch.addcmul(norm.shift - statistics.mean * factor, output, factor)
        if order == "norm-relu":
            output = output.relu_()
    return ClipResponse(output, Memory(blocks, output, statistics) if learn else None, statistics)


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


def measure(maps: Sequence[Clips]) -> Statistics:
    """Mean and biased variance of every channel over clips, times and places of all maps."""
    values = sum(each.numel() for each in maps) // maps[0].shape[-1]
    mean = total([channel_sum(each) for each in maps]) / values
    squares = [channel_sum((each - mean).square_()) for each in maps]
    return Statistics(mean, total(squares) / values, values)


def total(parts: Sequence[Tensor]) -> Tensor:
    """Sum of tensors of one shape."""
    return parts[0] if len(parts) == 1 else torch.stack(list(parts)).sum(0)


def channel_sum(values: Float[Tensor, "clip time row col channel"]) -> Float[Tensor, "channel"]:
    """Sum over everything but the channels, by long rows: few channels alone leave vector units empty."""
    col, channels = values.shape[-2:]
    return values.reshape(-1, col * channels).sum(0).view(col, channels).sum(0)


def frames_of(clips: Clips) -> Float[Tensor, "frame channel row col"]:
    """All frames as images, channels last in memory."""
    return clips.flatten(0, 1).permute(0, 3, 1, 2)


def clips_of(frames: Float[Tensor, "frame channel row col"], like: Clips) -> Clips:
    """Images as clips of as many frames as those of `like`."""
    return frames.permute(0, 2, 3, 1).contiguous().view(*like.shape[:2], *frames.shape[2:], -1)


def _pool(activity: Clips, sign: Float[Tensor, "channel"] | None) -> tuple[Clips, Tensor]:
    """Activity of the winners of all pools, and where they are."""
    signed = activity if sign is None else activity * sign
    pooled, winners = F.max_pool2d(frames_of(signed), POOL, POOL_STRIDE, return_indices=True)
    peak = clips_of(pooled, activity)
    places = clips_of(winners, activity).to(torch.int32)
    return (peak if sign is None else peak * sign), places


def _places(x: Clips, shape: BlockShape) -> int:
    """Times and places of a clip's map before the pool."""
    return math.prod(replace(shape, pool=False).output(*x.shape[1:-1]))


def _slices(x: Clips, channels: int, shape: BlockShape) -> list[slice]:
    """Slices of clips whose maps before the pool stay near `BLOCK_BYTES`."""
    clips = x.shape[0]
    each = channels * _places(x, shape) * x.element_size()
    size = max(1, BLOCK_BYTES.get(x.device.type, 1 << 30) // max(each, 1))
    return [slice(start, start + size) for start in range(0, clips, size)]
