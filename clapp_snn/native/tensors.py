"""Handing torch tensors to the C code: checks, pointers, and memory that is quick to touch."""

import ctypes
import threading
from collections.abc import Sequence

import torch
from torch import Tensor

from clapp_snn.native.build import library

LOCK = threading.Lock()
"""Held during every call: the working memory and the threads are shared."""


def check(name: str, tensor: Tensor, shape: tuple[int, ...] | int, dtype: torch.dtype) -> None:
    """Raise a ValueError unless `tensor` is what the C code takes; an int stands for a rank."""
    rank = shape if isinstance(shape, int) else len(shape)
    if tensor.dtype != dtype:
        raise ValueError(f"{name} has to be {dtype}, not {tensor.dtype}.")
    if tensor.device.type != "cpu":
        raise ValueError(f"{name} has to be on the CPU, not on {tensor.device}.")
    if tensor.ndim != rank:
        raise ValueError(f"{name} has to have {rank} dimensions, not shape {tuple(tensor.shape)}.")
    if not isinstance(shape, int) and tuple(tensor.shape) != shape:
        raise ValueError(f"{name} has to have shape {shape}, not {tuple(tensor.shape)}.")
    if not tensor.is_contiguous():
        raise ValueError(f"{name} has to be contiguous; call .contiguous() on it.")


def empty(size: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """Return a new tensor on huge pages where the system has them.

    First touching the pages of a big tensor takes longer than a small layer's arithmetic: reuse big
    tensors (`into` of `conv_forward`), and make new ones with this.
    """
    tensor = torch.empty(size, dtype=dtype)
    library().clapp_use_huge_pages(pointer(tensor), ctypes.c_size_t(tensor.nbytes))
    return tensor


def pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    """Return the address of the first element; NULL for None."""
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def working_memory() -> int:
    """Return the bytes of working memory that the engine holds between calls.

    It grows to what the largest layer needs, whatever the number of patches.
    """
    return int(library().clapp_scratch_bytes())


def release_working_memory() -> None:
    """Give the working memory back; the next call takes new one."""
    with LOCK:
        library().clapp_scratch_release()


def stride_of_steps(drive: Tensor) -> int:
    """Values between the steps of a drive (step, sample, unit); 0 for one step, or where all are the same.

    Raises ValueError unless every step is contiguous float32 and the steps follow each other or coincide.
    """
    steps, samples, size = drive.shape
    check("each step of the drive", drive[0], (samples, size), torch.float32)
    stride = drive.stride(0) if steps > 1 else 0
    if stride not in (0, samples * size):
        raise ValueError("The steps of a drive have to be contiguous, or one and the same.")
    return stride
