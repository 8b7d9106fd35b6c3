"""Counts of event/burst units over a window in one call (`window.c`)."""

import ctypes
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.native.build import library
from clapp_snn.native.neurons import Counter
from clapp_snn.native.tensors import LOCK, check, pointer, stride_of_steps


class _Window(ctypes.Structure):
    _fields_ = [
        ("samples", ctypes.c_long),
        ("size", ctypes.c_long),
        ("channels", ctypes.c_long),
        ("steps", ctypes.c_long),
        ("paths", ctypes.c_long),
        ("copies", ctypes.c_long),
        ("drive", ctypes.c_void_p),
        ("drive_step", ctypes.c_long),
        ("probability", ctypes.c_void_p),
        ("rho", ctypes.c_float),
        ("background", ctypes.c_float),
        ("begin", ctypes.c_int),
        ("counted", ctypes.c_int),
        ("pending", ctypes.c_void_p),
        ("drive_sum", ctypes.c_void_p),
        ("events", ctypes.c_void_p),
        ("share", ctypes.c_void_p),
        ("totals", ctypes.c_void_p),
        ("activity", ctypes.c_void_p),
        ("scale", ctypes.c_float),
        ("sample", ctypes.c_void_p),
        ("key", ctypes.c_uint64),
        ("first_step", ctypes.c_long),
    ]


@dataclass(frozen=True)
class WindowCounts:
    """What a window adds to; all of it is changed in place.

    Attributes:
        pending: state of the intervals under way.
        events: of all neurons of a unit.
        share: bursts of path 0 minus path 1; None where nobody asks.
        totals: events, bursts of path 0, bursts of path 1.
        drive: sum of the drive; None where nobody asks.
    """

    pending: Float[Tensor, "sample unit"]
    events: Float[Tensor, "sample unit"]
    share: Float[Tensor, "sample unit"] | None
    totals: Int64[Tensor, "sample 3"]
    drive: Float[Tensor, "sample unit"] | None = None


def run_window(
    drive: Float[Tensor, "step sample unit"],
    probability: Float[Tensor, "sample path channel"],
    rates: tuple[float, float],
    copies: int,
    counts: WindowCounts,
    counter: Counter,
    *,
    begin: bool,
    counted: bool,
    activity: Float[Tensor, "step sample unit"] | None = None,
    scale: float = 1.0,
) -> None:
    """Run all steps of `drive`; `counts` and `activity` are changed in place.

    Args:
        drive: of every unit; channels last. A stride of 0 over the steps means constant in time.
        probability: of a burst at an event.
        rates: background and rho, events per step and neuron without and per unit of drive.
        copies: neurons of a unit in each path.
        counts: see there.
        counter: numbers samples and steps.
        begin: whether intervals begin here; False goes on with `counts.pending`.
        counted: whether events count for anything but `activity`.
        activity: events of every step times `scale`, overwritten.
        scale: see `activity`.

    Raises:
        ValueError: for a tensor of the wrong type, shape or memory layout.
        NativeUnavailable: if the engine cannot be compiled.
    """
    steps, samples, size = drive.shape
    stride = stride_of_steps(drive)
    paths, channels = probability.shape[1:]
    if paths not in (1, 2) or size % channels or copies < 1:
        raise ValueError(
            f"Units need one or two paths, at least one copy and whole maps, not {paths} paths, {copies} "
            f"copies and {channels} channels of {size} units."
        )
    check("probability", probability, (samples, paths, channels), torch.float32)
    for name in ("pending", "events", "share", "drive"):
        values = getattr(counts, name)
        if values is not None:
            check(name, values, (samples, size), torch.float32)
    check("totals", counts.totals, (samples, 3), torch.int64)
    check("sample", counter.sample, (samples,), torch.int64)
    if activity is not None:
        check("activity", activity, (steps, samples, size), torch.float32)
    if math.prod(drive.shape) == 0:
        return
    background, rho = rates
    window = _Window(
        samples, size, channels, steps, paths, copies, pointer(drive), stride, pointer(probability),
        rho, background, begin, counted, pointer(counts.pending), pointer(counts.drive),
        pointer(counts.events), pointer(counts.share), pointer(counts.totals), pointer(activity),
        scale, pointer(counter.sample), counter.key, counter.step,
    )  # fmt: skip
    with LOCK:
        library().clapp_event_burst_window(
            ctypes.byref(window), ctypes.c_int(torch.get_num_threads())
        )
