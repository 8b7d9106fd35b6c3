"""Cutting images into the overlapping patches that the encoder sees one by one."""

from jaxtyping import Shaped
from torch import Tensor


def patch_grid(extent: int, size: int = 16, step: int = 8) -> int:
    """Number of patches along an image side of `extent` pixels.

    Raises ValueError if the side is shorter than a patch or the patches do not end at its last pixel.
    """
    if extent < size:
        raise ValueError(f"an image side of {extent} pixels is shorter than a patch of {size}")
    if (extent - size) % step:
        raise ValueError(
            f"patches of {size} pixels every {step} pixels do not end at the last pixel of an image "
            f"side of {extent}; the nearest sides that fit are {extent - (extent - size) % step} and "
            f"{extent + step - (extent - size) % step}"
        )
    return (extent - size) // step + 1


def cut_patches(
    images: Shaped[Tensor, "image channel row col"], size: int = 16, step: int = 8
) -> Shaped[Tensor, "patch size size channel"]:
    """Square patches of `size` pixels every `step` pixels, channels last and contiguous.

    Patches are ordered by image, then grid row, then grid column: 49 for an image of 64x64 pixels.
    Raises ValueError if the patches do not fit the image (`patch_grid`).
    """
    channels, rows, cols = images.shape[1:]
    patch_grid(rows, size, step)
    patch_grid(cols, size, step)
    windows = images.unfold(2, size, step).unfold(3, size, step)
    return windows.permute(0, 2, 3, 4, 5, 1).reshape(-1, size, size, channels).contiguous()
