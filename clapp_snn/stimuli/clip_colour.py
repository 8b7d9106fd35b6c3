"""Colours of clips as batched tensor operations: grey by one channel, and jitter in random order.

The published video pipeline works on one PIL image at a time: brightness, contrast, saturation and hue, each
with a factor of its own, in an order drawn anew. Here all frames of a batch go through at once, in float32;
PIL rounds to 8 bits after each step, so single values differ by a few levels of 255.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from clapp_snn.stimuli import colour

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet; what the published code normalises with."""

Frames = Float[Tensor, "frame 3 row col"]


class Jitter(NamedTuple):
    """Strength of each part: factors are uniform in 1 - s to 1 + s, the hue's shift in -s to s of a turn."""

    brightness: float
    contrast: float
    saturation: float
    hue: float


class JitterDraw(NamedTuple):
    """Factors of every frame, in the order of `colour.JITTER`; which of these comes first, second, ...; and
    whether the frame is jittered at all."""

    factor: Float[Tensor, "frame 4"]
    order: Int64[Tensor, "frame 4"]
    use: Bool[Tensor, "frame"]


def draw_jitter(
    clips: int,
    frames: int,
    strength: Jitter,
    chance: float,
    per_frame: bool,
    generator: torch.Generator,
) -> JitterDraw:
    """Draw the jitter of `clips` x `frames` frames, the same for all frames of a clip unless `per_frame`."""
    count = clips * frames if per_frame else clips
    span = torch.tensor(strength)
    centre = torch.tensor([1.0, 1.0, 1.0, 0.0])
    factor = centre + span * (2 * torch.rand(count, 4, generator=generator) - 1)
    factor[:, :3].clamp_(min=0)
    order = torch.rand(count, 4, generator=generator).argsort(1)
    use = torch.rand(count, generator=generator) < chance
    if per_frame:
        return JitterDraw(factor, order, use)
    return JitterDraw(*(part.repeat_interleave(frames, 0) for part in (factor, order, use)))


def draw_channels(frames: int, chance: float, generator: torch.Generator) -> Int64[Tensor, "frame"]:
    """The colour channel that a frame is reduced to, or -1 for a frame that keeps its colours."""
    channel = torch.randint(3, (frames,), generator=generator)
    return channel.masked_fill_(torch.rand(frames, generator=generator) >= chance, -1)


def one_channel(frames: Frames, channel: Int64[Tensor, "frame"]) -> Frames:
    """Frames with one of their channels copied to all three, where one is chosen."""
    channel = channel.to(frames.device)
    number = channel[:, None, None, None]
    index = number.clamp_min(0).expand(-1, 1, *frames.shape[2:])
    return torch.where(number >= 0, frames.gather(1, index), frames)


def jitter(frames: Frames, draw: JitterDraw) -> Frames:
    """Every frame (values 0..255) through its four changes, in its own order."""
    factor, order, use = (part.to(frames.device) for part in draw)
    found = frames.clone()
    for place in range(len(colour.JITTER)):
        for number, change in enumerate(colour.JITTER):
            chosen = (use & (order[:, place] == number)).nonzero().squeeze(1)
            if len(chosen):
                found[chosen] = change(found[chosen], factor[chosen, number])
    return found


def normalise(frames: Frames) -> Frames:
    """(value / 255 - mean) / deviation by channel."""
    mean, deviation = (frames.new_tensor(values)[:, None, None] for values in (MEAN, STD))
    return (frames / 255 - mean) / deviation
