"""VGG-5, the encoder of the paper's video experiments, as tables, and the network of such a table.

Two spatial blocks with stride, one without, then two that also shrink time (published video code of CLAPP;
the paper's table lists the same sizes). At width 1 and with the three prediction matrices of every layer it
has 18 553 152 parameters.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.encoders.width import scaled_channels
from clapp_snn.functional.clip_convolution import (
    BlockOrder,
    BlockShape,
    ClipResponse,
    Norm,
    Statistics,
    respond,
)

Normalisation = Literal["batch", "none"]

MOMENTUM = 0.1
"""Share of the newest batch in the running statistics."""

IN_CHANNELS = 3


@dataclass(frozen=True)
class VideoLayer:
    """Channels and shape of one block."""

    channels: int
    shape: BlockShape


@dataclass(frozen=True)
class VideoArchitecture:
    """Convolutional blocks on clips, bottom up."""

    name: str
    layers: tuple[VideoLayer, ...]

    def scaled(self, width: float) -> "VideoArchitecture":
        """The same table with every channel count multiplied by `width` (at least 1 channel).

        Raises ValueError for a `width` as `scaled_channels` does.
        """
        layers = (replace(x, channels=scaled_channels(x.channels, width)) for x in self.layers)
        return replace(self, layers=tuple(layers))

    def shapes(self, frames: int, side: int) -> list[tuple[int, int, int, int]]:
        """(channel, time, row, col) of the output of every block for clips of square frames.

        Raises ValueError, naming the block, where a clip is too short or its frames are too small.
        """
        found = []
        time, row, col = frames, side, side
        for number, layer in enumerate(self.layers, start=1):
            time, row, col = layer.shape.output(time, row, col)
            if min(time, row, col) < 1:
                raise ValueError(
                    f"Clips of {frames} frames of {side}x{side} pixels are too "
                    f"{'short' if time < 1 else 'small'} for block {number} of {self.name}; take "
                    f"{'more frames' if time < 1 else 'larger frames'} or another encoder table."
                )
            found.append((layer.channels, time, row, col))
        return found


def _table(name: str, time_kernel: int, time_stride: int) -> VideoArchitecture:
    deep, stride = (time_kernel, 3, 3), (time_stride, 1, 1)
    return VideoArchitecture(
        name,
        (
            VideoLayer(96, BlockShape((1, 7, 7), (1, 2, 2), (0, 0, 0), pool=True)),
            VideoLayer(256, BlockShape((1, 5, 5), (1, 2, 2), (0, 1, 1), pool=True)),
            VideoLayer(512, BlockShape((1, 3, 3), (1, 1, 1), (0, 1, 1))),
            VideoLayer(512, BlockShape(deep, stride, (0, 1, 1))),
            VideoLayer(512, BlockShape(deep, stride, (0, 1, 1), pool=True)),
        ),
    )


VGG5 = _table("vgg5", 3, 3)
VGG5_OVERLAP = _table("vgg5-overlap", 3, 2)
VGG5_FRAMES = _table("vgg5-frames", 1, 1)

VIDEO_ARCHITECTURES = {table.name: table for table in (VGG5, VGG5_OVERLAP, VGG5_FRAMES)}
"""Tables by name: "vgg5", the published temporal one (time / 9); "vgg5-frames", the published one without
kernels in time; "vgg5-overlap", ours for clips below 36 frames: kernels in time overlap (stride 2, time / 4).
"""


class Block(nn.Module):
    """Weights of one block: kernels and bias, and with normalisation gain, shift and running statistics."""

    running_mean: Tensor
    running_variance: Tensor

    def __init__(
        self,
        pre: int,
        post: int,
        shape: BlockShape,
        normalisation: Normalisation,
        order: BlockOrder,
    ) -> None:
        super().__init__()
        self.shape, self.order = shape, order
        self.weight = nn.Parameter(torch.empty(post, pre, *shape.kernel))
        self.bias = nn.Parameter(torch.empty(post))
        normed = normalisation == "batch"
        self.gain = nn.Parameter(torch.empty(post)) if normed else None
        self.shift = nn.Parameter(torch.empty(post)) if normed else None
        if normed:
            self.register_buffer("running_mean", torch.zeros(post))
            self.register_buffer("running_variance", torch.ones(post))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Kernels from N(0, 2 / fan_out), fan_out = post x places of the kernel; biases 0; BN as identity."""
        fan_out = self.weight.shape[0] * math.prod(self.shape.kernel)
        with torch.no_grad():
            self.weight.normal_(0, math.sqrt(2 / fan_out), generator=generator)
            self.bias.zero_()
            if self.gain is not None and self.shift is not None:
                self.gain.fill_(1)
                self.shift.zero_()
                self.running_mean.zero_()
                self.running_variance.fill_(1)

    def norm(self) -> Norm | None:
        """Gain and shift, without a graph; None without normalisation."""
        if self.gain is None or self.shift is None:
            return None
        return Norm(self.gain.detach(), self.shift.detach())

    def running(self) -> Statistics | None:
        """The statistics that evaluation uses."""
        if self.gain is None:
            return None
        return Statistics(self.running_mean, self.running_variance, 0)

    @torch.no_grad()
    def follow(self, seen: Statistics) -> None:
        """Move the running statistics towards those of a batch (unbiased variance, as PyTorch does)."""
        unbiased = seen.variance * (seen.values / (seen.values - 1))
        self.running_mean.lerp_(seen.mean.to(self.running_mean.dtype), MOMENTUM)
        self.running_variance.lerp_(unbiased.to(self.running_variance.dtype), MOMENTUM)


class VideoEncoder(nn.Module):
    """A stack of convolutional blocks on clips.

    Args:
        architecture: the table at width 1.
        width: multiplies every channel count.
        normalisation: "batch" or "none".
        order: of rectification and normalisation.

    Attributes:
        blocks: the `Block`s, bottom up.
        channels: of each block.
        precision: type of the convolutions (everything else stays in the type of the clips).
    """

    def __init__(
        self,
        architecture: VideoArchitecture = VGG5,
        width: float = 1.0,
        normalisation: Normalisation = "batch",
        order: BlockOrder = "relu-norm",
    ) -> None:
        super().__init__()
        self.architecture = architecture.scaled(width)
        self.width = width
        self.normalisation = normalisation
        self.order = order
        self.precision: torch.dtype | None = None
        self.channels: Sequence[int] = [layer.channels for layer in self.architecture.layers]
        pre = [IN_CHANNELS, *self.channels[:-1]]
        self.blocks = nn.ModuleList(
            Block(i, layer.channels, layer.shape, normalisation, order)
            for i, layer in zip(pre, self.architecture.layers, strict=True)
        )

    def layer(self, index: int) -> Block:
        """One block, counted from 0."""
        return cast(Block, self.blocks[index])

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw all weights anew, block by block, from one stream."""
        for index in range(len(self.blocks)):
            self.layer(index).reset_parameters(generator)

    def respond(
        self, index: int, x: Float[Tensor, "clip time row col channel"], *, learn: bool
    ) -> ClipResponse:
        """Response of one block: by the statistics of these clips if it learns, else by the running ones."""
        block = self.layer(index)
        known = None if learn else block.running()
        return respond(
            x,
            block.weight.detach(),
            block.bias.detach(),
            block.shape,
            block.norm(),
            block.order,
            known,
            learn=learn,
            precision=self.precision,
        )

    @torch.no_grad()
    def features(
        self, clips: Float[Tensor, "clip time row col channel"]
    ) -> list[Float[Tensor, "clip feature"]]:
        """Time average of every block's output, flattened over place and channel; bottom up, no graph."""
        x, found = clips, []
        for index in range(len(self.blocks)):
            x = self.respond(index, x, learn=False).output
            found.append(x.mean(1).flatten(1))
        return found
