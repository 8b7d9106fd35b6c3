"""Strong random views of images, two of which make a pair for CLAPP++.

The list of changes is that of SimCLR (Chen et al. 2020, arXiv:2002.05709) with the strengths of the published
CLAPP++ code: a crop of 8 to 100 % of the area with an aspect ratio from 3/4 to 4/3, resized (bilinear); a
flip; with probability 0.8 brightness, contrast, saturation (factors 0.2 to 1.8) and hue (up to 0.2 turns) in
random order; with probability 0.2 grey; with probability 0.5 a Gaussian blur (0.1 to 2 pixels, kernel a tenth
of the image). Values are not rounded between the steps, as they are where each step makes an 8-bit image.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Float32, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.stimuli import colour
from clapp_snn.stimuli.augment import normalise

AREA = (0.08, 1.0)
RATIO = (3 / 4, 4 / 3)
TRIES = 10
FACTOR = (0.2, 1.8)
HUE = 0.2
SIGMA = (0.1, 2.0)


class ViewDraw(NamedTuple):
    """One random view of each image of a batch.

    Attributes:
        box: top, left, rows and columns of the crop, in pixels.
        flip: left and right swapped.
        jitter: whether colours change; `strength` holds brightness, contrast, saturation and hue, `order`
            the turn of each.
        grey: whether colours go.
        sigma: of the blur in pixels; 0: none.
    """

    box: Int64[Tensor, "image 4"]
    flip: Bool[Tensor, "image"]
    jitter: Bool[Tensor, "image"]
    strength: Float32[Tensor, "image 4"]
    order: Int64[Tensor, "image 4"]
    grey: Bool[Tensor, "image"]
    sigma: Float32[Tensor, "image"]

    @staticmethod
    def concatenate(draws: "list[ViewDraw]") -> "ViewDraw":
        """One draw for a batch made of parts that were drawn one by one."""
        return ViewDraw(*(torch.cat(parts) for parts in zip(*draws, strict=True)))


def draw_views(n: int, rows: int, cols: int, generator: torch.Generator) -> ViewDraw:
    """Draw views of `n` images of `rows` x `cols` pixels; the tensors live on the generator's device."""

    def uniform(low: float, high: float, *size: int) -> Tensor:
        drawn = torch.rand(size, generator=generator, device=generator.device)
        return drawn * (high - low) + low

    box = _draw_boxes(n, rows, cols, uniform)
    factors = uniform(*FACTOR, n, 3)
    sigma = uniform(*SIGMA, n)
    return ViewDraw(
        box,
        uniform(0, 1, n) < 0.5,
        uniform(0, 1, n) < 0.8,
        torch.cat((factors, uniform(-HUE, HUE, n, 1)), 1),
        uniform(0, 1, n, 4).argsort(1),
        uniform(0, 1, n) < 0.2,
        torch.where(uniform(0, 1, n) < 0.5, sigma, 0.0),
    )


def _draw_boxes(
    n: int, rows: int, cols: int, uniform: Callable[..., Tensor]
) -> Int64[Tensor, "image 4"]:
    """The first of ten crops that fits into the image; the whole image where none does."""
    area = uniform(*AREA, n, TRIES) * rows * cols
    ratio = uniform(math.log(RATIO[0]), math.log(RATIO[1]), n, TRIES).exp()
    wide = (area * ratio).sqrt().round().long()
    high = (area / ratio).sqrt().round().long()
    fits = (wide >= 1) & (wide <= cols) & (high >= 1) & (high <= rows)
    first = fits.long().argmax(1, keepdim=True)
    found = fits.any(1)
    high = torch.where(found, high.gather(1, first)[:, 0], rows)
    wide = torch.where(found, wide.gather(1, first)[:, 0], cols)
    top = (uniform(0, 1, n) * (rows - high + 1)).long().clamp(max=rows - high)
    left = (uniform(0, 1, n) * (cols - wide + 1)).long().clamp(max=cols - wide)
    return torch.stack((top, left, high, wide), 1)


def apply_random_view(
    images: UInt8[Tensor, "image 3 row col"], draw: ViewDraw, side: int, grey: bool
) -> Float32[Tensor, "image channel side side"]:
    """The views that `draw` describes, `side` x `side` pixels, grey (channel 1) or RGB, normalised."""
    if len(draw.box) != len(images):
        raise ValueError(f"{len(draw.box)} views were drawn for {len(images)} images")
    draw = ViewDraw(*(part.to(images.device, non_blocking=True) for part in draw))
    view = resized_crop(images.float(), draw.box, side)
    view = torch.where(draw.flip[:, None, None, None], view.flip(3), view)
    view = _jitter(view, draw)
    view = torch.where(draw.grey[:, None, None, None], colour.grey(view), view)
    view = _blur(view, draw.sigma)
    return normalise(colour.grey(view) if grey else view)


def resized_crop(
    images: Float[Tensor, "image channel row col"], box: Int64[Tensor, "image 4"], side: int
) -> Float[Tensor, "image channel side side"]:
    """Cut the boxes (top, left, rows, columns) and resize them to squares, bilinear without anti-aliasing.

    Anti-aliasing only matters where a crop is larger than `side`.
    """
    top, left, high, wide = box.unbind(1)
    low_row, high_row, row = _places(top, high, side)
    low_col, high_col, col = _places(left, wide, side)
    count, channels, _, cols = images.shape

    def rows_at(place: Tensor) -> Tensor:
        index = place[:, None, :, None].expand(-1, channels, -1, cols)
        return images.gather(2, index)

    between = row.to(images.dtype)[:, None, :, None]
    stretched = rows_at(low_row) * (1 - between) + rows_at(high_row) * between

    def cols_at(place: Tensor) -> Tensor:
        index = place[:, None, None, :].expand(count, channels, side, -1)
        return stretched.gather(3, index)

    between = col.to(images.dtype)[:, None, None, :]
    return cols_at(low_col) * (1 - between) + cols_at(high_col) * between


def _places(start: Tensor, length: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pixel before and after every sampling point inside the box, and how far between them it lies."""
    steps = torch.arange(side, device=start.device) + 0.5
    point = steps * (length[:, None] / side) - 0.5
    last = length[:, None] - 1
    point = torch.minimum(point.clamp_min(0), last.to(point.dtype))
    before = point.floor().long()
    after = torch.minimum(before + 1, last)
    return before + start[:, None], after + start[:, None], point - before


def _jitter(view: Tensor, draw: ViewDraw) -> Tensor:
    """Four rounds; in each, every image takes the change whose turn it is."""
    view = view.clone()
    for turn in range(len(colour.JITTER)):
        for index, change in enumerate(colour.JITTER):
            chosen = (draw.jitter & (draw.order[:, turn] == index)).nonzero()[:, 0]
            view[chosen] = change(view[chosen], draw.strength[chosen, index])
    return view


def _blur(view: Tensor, sigma: Tensor) -> Tensor:
    chosen = (sigma > 0).nonzero()[:, 0]
    size = int(0.1 * view.shape[2])
    half = (size + 1 - size % 2) // 2
    place = torch.arange(-half, half + 1, device=view.device, dtype=view.dtype)
    kernel = torch.exp(-0.5 * (place / sigma[chosen][:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(view.shape[1], 0)
    planes = view[chosen].flatten(0, 1)[None]
    count = planes.shape[1]
    if count == 0:
        return view
    padded = F.pad(planes, (half, half, half, half), mode="reflect")
    across = F.conv2d(padded, kernel[:, None, None, :], groups=count)
    both = F.conv2d(across, kernel[:, None, :, None], groups=count)
    result = view.clone()
    result[chosen] = both[0].unflatten(0, (-1, view.shape[1]))
    return result
