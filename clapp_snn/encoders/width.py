"""Layers of a network that is a multiple of the published one."""

LARGEST = 2**31 - 1
"""Channels that any kernel can count."""


def scaled_channels(channels: int, width: float) -> int:
    """`channels` times `width`, at least 1.

    Raises ValueError when `width` is not positive, or asks for more channels than a layer can have.
    """
    if not width > 0:
        raise ValueError(f"width must be positive, not {width}.")
    if channels * width > LARGEST:
        raise ValueError(
            f"width {width:g} is too large: it asks for {channels * width:.3g} channels in a layer."
        )
    return max(1, round(channels * width))
