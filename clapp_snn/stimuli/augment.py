"""Views of images: crop, flip, grey, normalise, as batched tensor operations on the images' device.

The published pipeline works on one PIL image at a time: crop 64, flip, convert("L"), scale to [0, 1],
normalise. Grey conversion and normalisation act on single pixels, so their order with crop and flip is
free; the results here equal that pipeline bit for bit. Constants: mean and standard deviation over the
train and unlabelled images of STL-10 as published with Greedy InfoMax and CLAPP.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor

GREY_MEAN, GREY_STD = (0.4120,), (0.2570,)
RGB_MEAN, RGB_STD = (0.4313, 0.4156, 0.3663), (0.2683, 0.2610, 0.2687)


class CropDraw(NamedTuple):
    """Where each image of a batch is cropped (top left corner, in pixels) and whether it is flipped."""

    row: Int64[Tensor, "image"]
    col: Int64[Tensor, "image"]
    flip: Bool[Tensor, "image"]

    @staticmethod
    def concatenate(draws: "list[CropDraw]") -> "CropDraw":
        """One draw for a batch made of groups that were drawn one by one."""
        return CropDraw(*(torch.cat(parts) for parts in zip(*draws, strict=True)))


def draw_crops(n: int, margin_row: int, margin_col: int, generator: torch.Generator) -> CropDraw:
    """Draw `n` crops with corners uniform in 0..margin (inclusive), flipped with probability 1/2.

    The margin is image size minus crop size. The tensors live on the generator's device.
    """
    device = generator.device
    return CropDraw(
        torch.randint(margin_row + 1, (n,), generator=generator, device=device),
        torch.randint(margin_col + 1, (n,), generator=generator, device=device),
        torch.rand(n, generator=generator, device=device) < 0.5,
    )


def training_view(
    images: UInt8[Tensor, "image 3 row col"],
    generator: torch.Generator,
    crop: int = 64,
    grey: bool = True,
) -> Float32[Tensor, "image channel crop crop"]:
    """Random crop without padding, random horizontal flip, grey (channel 1) or RGB, normalised.

    The generator may live on the CPU or on the images' device. Raises ValueError if an image is smaller
    than the crop.
    """
    margins = _margins(images, crop)
    return apply_view(images, draw_crops(len(images), *margins, generator), crop, grey)


def apply_view(
    images: UInt8[Tensor, "image 3 row col"], draw: CropDraw, crop: int = 64, grey: bool = True
) -> Float32[Tensor, "image channel crop crop"]:
    """The view of the images that `draw` describes, normalised.

    Raises ValueError if an image is smaller than the crop or `draw` is for another number of images.
    """
    _margins(images, crop)
    if len(draw.row) != len(images):
        raise ValueError(f"{len(draw.row)} crops were drawn for {len(images)} images")
    count, _, _, cols = images.shape
    row, col, flip = (part.to(images.device, non_blocking=True) for part in draw)
    steps = torch.arange(crop, device=images.device)
    across = torch.where(flip[:, None], crop - 1 - steps, steps)
    pixel = ((row[:, None] + steps) * cols)[:, :, None] + (col[:, None] + across)[:, None, :]
    values = to_grey(images) if grey else images
    channels = values.shape[1]
    chosen = values.flatten(2).gather(2, pixel.view(count, 1, -1).expand(-1, channels, -1))
    return normalise(chosen.view(count, channels, crop, crop))


def centre_view(
    images: UInt8[Tensor, "image 3 row col"], crop: int = 64, grey: bool = True
) -> Float32[Tensor, "image channel crop crop"]:
    """Centre crop (corner at (16, 16) for 96 to 64), grey (channel 1) or RGB, normalised.

    Raises ValueError if an image is smaller than the crop.
    """
    top, left = (round(margin / 2) for margin in _margins(images, crop))
    centre = images[:, :, top : top + crop, left : left + crop]
    return normalise(to_grey(centre) if grey else centre)


def to_grey(
    images: UInt8[Tensor, "image 3 row col"],
) -> Float32[Tensor, "image 1 row col"]:
    """Pillow's conversion "RGB" to "L", as whole numbers 0..255 in float32.

    L = (19595 R + 38470 G + 7471 B + 32768) >> 16 (ITU-R 601 weights in 16-bit fixed point). All sums are
    whole numbers below 2^24, so float32 holds them exactly.
    """
    red, green, blue = images.split(1, dim=1)
    luma = red.to(torch.float32).mul_(19595.0)
    luma.add_(green, alpha=38470.0).add_(blue, alpha=7471.0).add_(32768.0)
    return luma.mul_(2.0**-16).floor_()


def normalise(values: Tensor) -> Float32[Tensor, "image channel row col"]:
    """(value / 255 - mean) / std by channel, a new contiguous tensor."""
    mean, std = (GREY_MEAN, GREY_STD) if values.shape[1] == 1 else (RGB_MEAN, RGB_STD)
    view = torch.empty(values.shape, dtype=torch.float32, device=values.device).copy_(values)
    # Divisors are tensors on the device: a CUDA division by a number multiplies by its reciprocal, which
    # differs from the CPU's result in the last bit.
    view.div_(torch.full((), 255.0, device=view.device))
    for channel, (shift, scale) in enumerate(zip(mean, std, strict=True)):
        view[:, channel].sub_(shift).div_(torch.full((), scale, device=view.device))
    return view


def _margins(images: Tensor, crop: int) -> tuple[int, int]:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(
            f"images must be uint8 (image, 3, row, col), not {images.dtype} {tuple(images.shape)}"
        )
    rows, cols = images.shape[2:]
    if min(rows, cols) < crop:
        raise ValueError(f"cannot crop {crop}x{crop} pixels from images of {rows}x{cols} pixels")
    return rows - crop, cols - crop
