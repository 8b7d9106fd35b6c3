"""Neurons that compete at every place of a map (`competition.c`): their output, and SoftHebb's signal."""

import ctypes

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.native.build import library
from clapp_snn.native.tensors import LOCK, check, empty, pointer


def compete(
    u: Float[Tensor, "image row col channel"], power: float, *, triangle: bool, pool: bool
) -> Float[Tensor, "image outrow outcol channel"]:
    """Return pool(rho(u - mean of u over the channels)^power); the mean is left out without `triangle`.

    Pooling is 2 x 2 with stride 2; `power` is positive.

    Raises:
        ValueError: if `u` has the wrong type, shape or memory layout.
        NativeUnavailable: if the engine cannot be compiled.
    """
    check("u", u, 4, torch.float32)
    images, height, width, channels = u.shape
    side = 2 if pool else 1
    z = empty((images, height // side, width // side, channels))
    with LOCK:
        library().clapp_fire(
            pointer(u), pointer(z), ctypes.c_long(images),
            *(ctypes.c_int(each) for each in (height, width, channels, int(pool), int(triangle))),
            ctypes.c_float(power), ctypes.c_int(torch.get_num_threads()),
        )  # fmt: skip
    return z


def soft_winner_(
    u: Float[Tensor, "image row col channel"], inverse_temperature: float
) -> Float[Tensor, "channel"]:
    """Overwrite u by a = +-softmax(inverse_temperature u), + for the largest u of a place and - for the rest.

    Returns the sums of a u over images and places.

    Raises:
        ValueError: if `u` has the wrong type, shape or memory layout.
        MemoryError: if there is no memory for the sums.
        NativeUnavailable: if the engine cannot be compiled.
    """
    check("u", u, 4, torch.float32)
    channels = u.shape[3]
    sums = torch.empty(channels)
    with LOCK:
        failed = library().clapp_soft_winner(
            pointer(u), pointer(sums), ctypes.c_long(u[..., 0].numel()), ctypes.c_int(channels),
            ctypes.c_float(inverse_temperature), ctypes.c_int(torch.get_num_threads()),
        )  # fmt: skip
    if failed:
        raise MemoryError("There is not enough memory for the working space of the native engine.")
    return sums
