"""Crops, flips and scaling of clips: every frame of a clip in the same way.

The published video pipeline crops 224 pixels from frames with a short side of 240, flips, and scales to
128 x 128 by nearest neighbour. Sides here are shares of the short side, so that smaller recordings are
treated alike; 240 pixels give exactly the published numbers.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

CROP = 224 / 240
AREA, ASPECT, TRIES = (0.5, 1.0), (3 / 4, 4 / 3), 10

Clip = UInt8[Tensor, "frame row col 3"]


class Box(NamedTuple):
    """What a clip keeps: the corner and sides of a rectangle, mirrored first if `flip`, and whether the
    rectangle is resized bilinearly to the standard crop before it is scaled (`sized`)."""

    top: int
    left: int
    rows: int
    cols: int
    flip: bool = False
    sized: bool = False


def crop_side(rows: int, cols: int) -> int:
    """Side of the standard square crop: 224 for a short side of 240."""
    return max(1, round(CROP * min(rows, cols)))


def centre_box(rows: int, cols: int, flip: bool = False) -> Box:
    """The standard crop in the middle."""
    side = crop_side(rows, cols)
    return Box(round((rows - side) / 2), round((cols - side) / 2), side, side, flip)


def draw_crop(rows: int, cols: int, generator: torch.Generator) -> Box:
    """The standard crop anywhere, flipped with probability 1/2 (self-supervised learning)."""
    side = crop_side(rows, cols)
    flip, top, left = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
    return Box(int(top * (rows - side + 1)), int(left * (cols - side + 1)), side, side, flip < 0.5)


def draw_sized_crop(rows: int, cols: int, chance: float, generator: torch.Generator) -> Box:
    """A random rectangle with probability `chance`, else the central crop; flipped with probability 1/2.

    Area is uniform in 0.5 to 1 of the frame, aspect in 3/4 to 4/3, sides swapped with probability 1/2; if
    none of ten such rectangles fits the frame, the central crop is taken (classifier of the published code).
    """
    use, flip = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
    for _ in range(TRIES if use < chance else 0):
        drawn = torch.rand(5, generator=generator, dtype=torch.float64).tolist()
        area = rows * cols * (AREA[0] + (AREA[1] - AREA[0]) * drawn[0])
        aspect = ASPECT[0] + (ASPECT[1] - ASPECT[0]) * drawn[1]
        across, down = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if drawn[2] < 0.5:
            across, down = down, across
        if across <= cols and down <= rows:
            top, left = int(drawn[3] * (rows - down + 1)), int(drawn[4] * (cols - across + 1))
            return Box(top, left, down, across, flip < 0.5, sized=True)
    return centre_box(rows, cols, flip < 0.5)


def nearest(size: int, side: int, device: torch.device) -> Int64[Tensor, "side"]:
    """Source positions of nearest-neighbour scaling from `size` to `side`: floor((i + 1/2) size / side)."""
    return ((2 * torch.arange(side, device=device) + 1) * size) // (2 * side)


def take(clip: Clip, box: Box, side: int) -> UInt8[Tensor, "frame side side 3"]:
    """The part of the clip that `box` describes, as square frames.

    Mirrored, cropped, resized bilinearly with antialiasing to the standard crop if the box is `sized`, then
    scaled by nearest neighbour. Raises ValueError for a box that is not inside the frame.
    """
    _, rows, cols, _ = clip.shape
    if min(box.top, box.left) < 0 or box.top + box.rows > rows or box.left + box.cols > cols:
        raise ValueError(f"{box} is not inside a frame of {rows}x{cols} pixels")
    down, across = box.rows, box.cols
    if box.sized:
        clip = _resize(_cut(clip, box), crop_side(rows, cols))
        down = across = clip.shape[1]
        top = left = 0
    else:
        top, left = box.top, box.left
    row = top + nearest(down, side, clip.device)
    col = left + nearest(across, side, clip.device)
    if box.flip and not box.sized:
        col = cols - 1 - col
    return clip[:, row[:, None], col[None, :]]


def take_all(
    clips: Sequence[Clip], boxes: Sequence[Box], side: int
) -> UInt8[Tensor, "clip frame side side 3"]:
    """`take` for a batch of clips, which may differ in size."""
    return torch.stack([take(clip, box, side) for clip, box in zip(clips, boxes, strict=True)])


def _cut(clip: Clip, box: Box) -> Clip:
    mirrored = clip.flip(2) if box.flip else clip
    return mirrored[:, box.top : box.top + box.rows, box.left : box.left + box.cols]


def _resize(clip: Clip, side: int) -> Clip:
    planes = clip.permute(0, 3, 1, 2).float()
    wide = F.interpolate(planes, (side, side), mode="bilinear", antialias=True)
    return wide.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
