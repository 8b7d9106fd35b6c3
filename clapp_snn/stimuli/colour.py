"""Changes of colour as batched tensor operations, one strength for each image; values 0..255, any device.

Brightness, contrast and saturation blend the image with black, with its mean grey and with its own grey; hue
turns the colour circle. Definitions as in Pillow's ImageEnhance, without rounding to whole numbers.
"""

import torch
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "image 3 row col"]
Strengths = Float[Tensor, "image"]

LUMA = (0.299, 0.587, 0.114)


def grey(images: Images) -> Float[Tensor, "image 1 row col"]:
    """ITU-R 601 luma."""
    red, green, blue = images.split(1, dim=1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def brightness(images: Images, factor: Strengths) -> Images:
    """0 is black, 1 the image itself."""
    return _blend(images, torch.zeros_like(images[:, :1]), factor)


def contrast(images: Images, factor: Strengths) -> Images:
    """0 is the mean grey of the image everywhere, 1 the image itself."""
    return _blend(images, grey(images).mean((1, 2, 3), keepdim=True), factor)


def saturation(images: Images, factor: Strengths) -> Images:
    """0 is the grey image, 1 the image itself."""
    return _blend(images, grey(images), factor)


def hue(images: Images, shift: Strengths) -> Images:
    """Turn the colour circle by `shift` turns; value and saturation of every pixel stay as they are."""
    red, green, blue = images.unbind(1)
    value, _ = images.max(1)
    chroma = value - images.min(1).values
    safe = torch.where(chroma > 0, chroma, 1.0)
    from_red, from_green = (green - blue) / safe, (blue - red) / safe + 2
    sextant = torch.where(value == green, from_green, (red - green) / safe + 4)
    sextant = torch.where(value == red, from_red, sextant)
    turned = sextant + 6 * shift[:, None, None]
    channels = []
    for offset in (5, 3, 1):
        k = (offset + turned) % 6
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, 1)


def _blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    share = factor[:, None, None, None]
    return (share * images + (1 - share) * other).clamp(0, 255)


JITTER = (brightness, contrast, saturation, hue)
"""The four changes, in the order of the columns of a draw."""
