"""Neurons over many time steps in one call (`neurons.h`); what they compute stands in `clapp_snn.neurons`."""

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from clapp_snn.native.build import library
from clapp_snn.native.tensors import LOCK, check, pointer

Kernel = Literal["two_compartment_lif", "naud_sprekeler", "strict_burst", "event_burst"]
MAX_STATE = 9


class _Run(ctypes.Structure):
    _fields_ = [
        ("samples", ctypes.c_long),
        ("size", ctypes.c_long),
        ("steps", ctypes.c_long),
        ("soma", ctypes.c_void_p),
        ("apical", ctypes.c_void_p),
        ("soma_step", ctypes.c_long),
        ("apical_step", ctypes.c_long),
        ("spike", ctypes.c_void_p),
        ("event", ctypes.c_void_p),
        ("burst", ctypes.c_void_p),
        ("sums", ctypes.c_int),
        ("noise", ctypes.c_int),
        ("given_event", ctypes.c_void_p),
        ("given_burst", ctypes.c_void_p),
        ("sample", ctypes.c_void_p),
        ("key", ctypes.c_uint64),
        ("first_step", ctypes.c_long),
        ("constant", ctypes.c_void_p),
        ("state", ctypes.c_void_p * MAX_STATE),
        ("not_finite", ctypes.c_int),
    ]


@dataclass(frozen=True)
class Counter:
    """How the neurons are numbered, and where random numbers come from that are not given.

    Attributes:
        key: 64 bits.
        step: number of the first step of the call; steps stay below 2^32.
        sample: number of every sample, below 2^32.
        size: neurons of a sample.
    """

    key: int
    step: int
    sample: Int64[Tensor, " sample"]
    size: int


def run_neurons(
    kernel: Kernel,
    constants: Sequence[float],
    drives: tuple[Float[Tensor, "step *shape"], Float[Tensor, "step *shape"]],
    state: Sequence[Shaped[Tensor, "*shape"]],
    outputs: tuple[Tensor | None, Tensor, Tensor],
    counter: Counter,
    given: tuple[Tensor | None, Tensor | None],
    *,
    noise: bool,
    sums: bool,
) -> None:
    """Run all steps; `state` and `outputs` are changed in place.

    Args:
        kernel: which model.
        constants: of one step, in the order of the model's constants in Python.
        drives: of soma and dendrite; a stride of 0 over the steps means constant in time.
        state: of the model, in the order of its fields.
        outputs: spikes (None where they are the events), events and bursts: (step, *shape), or with `sums`
            (*shape), to which the sums over the steps are added.
        counter: numbers the neurons.
        given: random numbers of events and of bursts, (step, *shape), or None: by counter.
        noise: whether event draws are needed.
        sums: see `outputs`.

    Raises:
        ValueError: for a drive that is not finite, or a tensor of the wrong type, shape or memory layout.
        NativeUnavailable: if the engine cannot be compiled.
    """
    samples, shape = counter.sample.shape[0], tuple(drives[0].shape)
    if samples * counter.size != math.prod(shape[1:]):
        raise ValueError(f"{samples} samples of {counter.size} neurons do not fill {shape[1:]}.")
    strides = [_step_stride(drive, shape) for drive in drives]
    for values in state:
        kept = torch.int32 if values.dtype == torch.int32 else torch.float32
        check("each part of the state", values, shape[1:], kept)
    for output in outputs:
        if output is not None:
            check("each output", output, shape[1:] if sums else shape, torch.float32)
    for draws in given:
        if draws is not None:
            check("each draw", draws, shape, torch.float32)
    check("sample", counter.sample, 1, torch.int64)
    numbers = torch.tensor([float(value) for value in constants])
    run = _Run(
        samples, counter.size, shape[0], *map(pointer, drives), *strides, *map(pointer, outputs), sums,
        noise, *map(pointer, given), pointer(counter.sample), counter.key, counter.step,
        pointer(numbers), (ctypes.c_void_p * MAX_STATE)(*(values.data_ptr() for values in state)), 0,
    )  # fmt: skip
    with LOCK:
        getattr(library(), f"clapp_{kernel}")(
            ctypes.byref(run), ctypes.c_int(torch.get_num_threads())
        )
    if run.not_finite:
        raise ValueError("A drive holds values that are not finite (NaN or inf).")


def _step_stride(drive: Tensor, shape: tuple[int, ...]) -> int:
    """Distance of two steps; 0 for a drive that is constant in time."""
    if tuple(drive.shape) != shape:
        raise ValueError(f"Both drives have to have shape {shape}, not {tuple(drive.shape)}.")
    check("each step of a drive", drive[0], shape[1:], torch.float32)
    distance = drive.stride(0) if shape[0] > 1 else 0
    if distance not in (0, math.prod(shape[1:])):
        raise ValueError("The steps of a drive have to be contiguous, or one and the same.")
    return distance
