"""Counts of L0, the two-compartment LIF neuron, over a window in one call (`lif_window.c`)."""

import ctypes
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.native.build import library
from clapp_snn.native.tensors import LOCK, check, pointer, stride_of_steps


class _Window(ctypes.Structure):
    _fields_ = [
        ("samples", ctypes.c_long),
        ("size", ctypes.c_long),
        ("channels", ctypes.c_long),
        ("steps", ctypes.c_long),
        ("paths", ctypes.c_long),
        ("drive", ctypes.c_void_p),
        ("drive_step", ctypes.c_long),
        ("apical", ctypes.c_void_p),
        ("gain", ctypes.c_float),
        ("scale", ctypes.c_float),
        ("shift", ctypes.c_float),
        ("beta", ctypes.c_float),
        ("alpha", ctypes.c_float),
        ("threshold", ctypes.c_float),
        ("plateau", ctypes.c_float),
        ("counted", ctypes.c_int),
        ("v", ctypes.c_void_p),
        ("dendrite", ctypes.c_void_p),
        ("dendrite_after", ctypes.c_void_p),
        ("drive_sum", ctypes.c_void_p),
        ("spikes", ctypes.c_void_p),
        ("share", ctypes.c_void_p),
        ("totals", ctypes.c_void_p),
        ("activity", ctypes.c_void_p),
        ("said", ctypes.c_float),
        ("not_finite", ctypes.c_int),
    ]


@dataclass(frozen=True)
class LIFCounts:
    """State of one neuron a unit, and what a window adds to; all of it is changed in place.

    Attributes:
        v: membranes.
        dendrite: apical potentials, the same at all positions of a channel.
        spikes: of one neuron.
        bursts: of each path, over all units.
        share: bursts of path 0 minus path 1; None where nobody asks.
        drive: sum of the drive; None where nobody asks.
    """

    v: Float[Tensor, "sample unit"]
    dendrite: Float[Tensor, "sample path channel"]
    spikes: Float[Tensor, "sample unit"]
    bursts: Int64[Tensor, "sample 2"]
    share: Float[Tensor, "sample unit"] | None = None
    drive: Float[Tensor, "sample unit"] | None = None


def run_lif_window(
    drive: Float[Tensor, "step sample unit"],
    apical: Float[Tensor, "sample path channel"],
    soma: tuple[float, float, float],
    constants: tuple[float, float, float, float],
    counts: LIFCounts,
    *,
    counted: bool,
    activity: Float[Tensor, "step sample unit"] | None = None,
    said: float = 1.0,
) -> None:
    """Run all steps of `drive`; `counts` and `activity` are changed in place.

    Args:
        drive: of every unit; channels last. A stride of 0 over the steps means constant in time.
        apical: increment of a step, constant in time.
        soma: gain, scale and shift; the increment of a step is gain (scale drive + shift).
        constants: decays a step of soma and dendrite, their thresholds.
        counts: see there.
        counted: whether spikes count for anything but `activity`.
        activity: spikes of every step times `said`, overwritten.
        said: see `activity`.

    Raises:
        ValueError: for a drive that is not finite, or a tensor of the wrong type, shape or memory layout.
        NativeUnavailable: if the engine cannot be compiled.
    """
    steps, samples, size = drive.shape
    stride = stride_of_steps(drive)
    paths, channels = apical.shape[1:]
    if paths not in (1, 2) or channels < 1 or size % channels:
        raise ValueError(
            f"Units need one or two paths and whole maps, not {paths} paths and {channels} channels "
            f"of {size} units."
        )
    for name, values in (("apical", apical), ("dendrite", counts.dendrite)):
        check(name, values, (samples, paths, channels), torch.float32)
    for name in ("v", "spikes", "share", "drive"):
        values = getattr(counts, name)
        if values is not None:
            check(name, values, (samples, size), torch.float32)
    check("bursts", counts.bursts, (samples, 2), torch.int64)
    if activity is not None:
        check("activity", activity, (steps, samples, size), torch.float32)
    if not bool(torch.isfinite(apical).all()):
        raise ValueError("An apical drive holds values that are not finite (NaN or inf).")
    if math.prod(drive.shape) == 0:
        return
    after = torch.empty_like(counts.dendrite)
    beta, alpha, threshold, plateau = constants
    window = _Window(
        samples, size, channels, steps, paths, pointer(drive), stride, pointer(apical), *soma, beta, alpha,
        threshold, plateau, counted, pointer(counts.v), pointer(counts.dendrite), pointer(after),
        pointer(counts.drive), pointer(counts.spikes), pointer(counts.share), pointer(counts.bursts),
        pointer(activity), said, 0,
    )  # fmt: skip
    with LOCK:
        library().clapp_lif_window(ctypes.byref(window), ctypes.c_int(torch.get_num_threads()))
    if window.not_finite:
        raise ValueError("A drive holds values that are not finite (NaN or inf).")
    counts.dendrite.copy_(after)
