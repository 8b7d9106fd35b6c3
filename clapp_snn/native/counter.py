"""Counter-based random numbers from the compiled engine (`counter.h`)."""

import ctypes

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.native.build import library
from clapp_snn.native.tensors import LOCK, check, pointer


def counter_draw(
    sample: Int64[Tensor, " sample"], size: int, key: int, step: int, stream: int, normal: bool
) -> Float[Tensor, "sample neuron"]:
    """Uniform numbers in [0, 1) or normal ones for `size` neurons of every sample.

    A number depends on its sample's entry, its neuron, and on key (64 bits), step and stream (32 bits each),
    and on nothing else.

    Raises:
        ValueError: if `sample` has the wrong type, shape or memory layout.
        NativeUnavailable: if the engine cannot be compiled.
    """
    check("sample", sample, 1, torch.int64)
    out = torch.empty(sample.shape[0], size)
    with LOCK:
        library().clapp_counter_draw(
            pointer(sample),
            pointer(out),
            ctypes.c_uint64(key),
            ctypes.c_long(step),
            ctypes.c_int(stream),
            ctypes.c_int(normal),
            ctypes.c_long(sample.shape[0]),
            ctypes.c_long(size),
            ctypes.c_int(torch.get_num_threads()),
        )
    return out
