"""What the network sees of a clip: the published augmentations for learning and for the classifier.

| stage | learning | classifier, training | classifier, published test |
|---|---|---|---|
| crop | 14/15 of the short side, anywhere | random area and aspect | the same with p = 0.3, else central |
| flip | p = 0.5 | p = 0.5 | p = 0.5 |
| scale | nearest neighbour | nearest neighbour | nearest neighbour |
| grey | p = 0.5 a frame: one random channel | - | - |
| jitter | every frame its own, strong | p = 0.3 a clip, strong | p = 0.3 a clip, weak |

(brightness, contrast, saturation and hue: strong 0.5, 0.5, 0.5, 0.25; weak 0.2, 0.2, 0.2, 0.1),
then ImageNet's mean and deviation. All frames of a clip share crop and flip. `central_view` has no draw.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.stimuli.clip_colour import (
    Jitter,
    draw_channels,
    draw_jitter,
    jitter,
    normalise,
    one_channel,
)
from clapp_snn.stimuli.clip_geometry import (
    Box,
    Clip,
    centre_box,
    draw_crop,
    draw_sized_crop,
    take_all,
)

STRONG = Jitter(0.5, 0.5, 0.5, 0.25)
WEAK = Jitter(0.2, 0.2, 0.2, 0.1)

View = Float[Tensor, "clip frame side side 3"]


def learning_view(
    clips: Sequence[Clip], side: int, generator: torch.Generator, device: torch.device
) -> View:
    """Random crop and flip a clip; one colour channel or all, and colour jitter, a frame."""
    boxes = [draw_crop(*_size(clip), generator) for clip in clips]
    frames = _frames(clips, boxes, side, device)
    count, length = len(clips), len(clips[0])
    frames = one_channel(frames, draw_channels(len(frames), 0.5, generator))
    drawn = draw_jitter(count, length, STRONG, 1.0, True, generator)
    return _clips(jitter(frames, drawn), count)


def classifier_view(
    clips: Sequence[Clip],
    side: int,
    generator: torch.Generator,
    device: torch.device,
    *,
    test: bool = False,
) -> View:
    """Sized crop, flip and colour jitter a clip, for training a classifier or for its published test."""
    chance = 0.3 if test else 1.0
    boxes = [draw_sized_crop(*_size(clip), chance, generator) for clip in clips]
    frames = _frames(clips, boxes, side, device)
    count, length = len(clips), len(clips[0])
    drawn = draw_jitter(count, length, WEAK if test else STRONG, 0.3, False, generator)
    return _clips(jitter(frames, drawn), count)


def central_view(clips: Sequence[Clip], side: int, device: torch.device) -> View:
    """The central crop, as it is."""
    boxes = [centre_box(*_size(clip)) for clip in clips]
    frames = _frames(clips, boxes, side, device)
    return _clips(frames, len(clips))


def _size(clip: Clip) -> tuple[int, int]:
    return clip.shape[1], clip.shape[2]


def _frames(
    clips: Sequence[Clip], boxes: Sequence[Box], side: int, device: torch.device
) -> Float[Tensor, "frame 3 side side"]:
    """Frames of all clips, values 0..255."""
    taken = take_all(clips, boxes, side).to(device, non_blocking=True)
    return taken.flatten(0, 1).permute(0, 3, 1, 2).float()


def _clips(frames: Float[Tensor, "frame 3 side side"], count: int) -> View:
    """Normalised, channels last."""
    return normalise(frames).permute(0, 2, 3, 1).contiguous().unflatten(0, (count, -1))
