"""Binomial counts by counter-based random numbers, many at a time (`binomial.c`)."""

import ctypes
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.native.build import library
from clapp_snn.native.neurons import Counter
from clapp_snn.native.tensors import LOCK, check, pointer


class _Binomial(ctypes.Structure):
    _fields_ = [
        ("samples", ctypes.c_long),
        ("size", ctypes.c_long),
        ("channels", ctypes.c_long),
        ("paths", ctypes.c_long),
        ("value", ctypes.c_void_p),
        ("offset", ctypes.c_float),
        ("slope", ctypes.c_float),
        ("trials", ctypes.c_void_p),
        ("each", ctypes.c_float),
        ("count", ctypes.c_void_p),
        ("scale", ctypes.c_float),
        ("totals", ctypes.c_void_p),
        ("sample", ctypes.c_void_p),
        ("key", ctypes.c_uint64),
        ("step", ctypes.c_long),
    ]


@dataclass(frozen=True)
class Lottery:
    """Trials of every unit, each won with probability offset + slope [value]_+, cut off at 1.

    Attributes:
        trials: of every unit, whole numbers below 2^24; a tensor, or one number for all.
        paths: independent sets of trials, 1 or 2.
        offset, slope: not negative.
    """

    trials: Float[Tensor, "sample unit"] | int
    paths: int = 1
    offset: float = 0.0
    slope: float = 1.0


def binomial_counts(
    value: Float[Tensor, "sample unit"],
    lottery: Lottery,
    counter: Counter,
    count: Float[Tensor, "sample unit"],
    scale: float = 1.0,
    totals: Float[Tensor, "sample path channel"] | None = None,
) -> None:
    """Overwrite `count` with scale times the successes of all paths, and `totals` with those of channels.

    Args:
        value: sets the probability of every unit, channels last; NaN counts as 0.
        lottery: see there.
        counter: numbers samples and the step; every step draws anew.
        count: result.
        scale: see above.
        totals: successes summed over the places of a channel; None where nobody asks.

    Raises:
        ValueError: for a tensor of the wrong type, shape or memory layout, or an impossible lottery.
        NativeUnavailable: if the engine cannot be compiled.
    """
    check("value", value, 2, torch.float32)
    samples, size = value.shape
    channels = size if totals is None else totals.shape[-1]
    check("count", count, (samples, size), torch.float32)
    if totals is not None:
        check("totals", totals, (samples, lottery.paths, channels), torch.float32)
    check("sample", counter.sample, (samples,), torch.int64)
    trials = lottery.trials if isinstance(lottery.trials, Tensor) else None
    each = 0 if isinstance(lottery.trials, Tensor) else lottery.trials
    if trials is not None:
        check("trials", trials, (samples, size), torch.float32)
        if not bool(((trials >= 0) & (trials < 1 << 24)).all()):
            raise ValueError(
                "Trials must be numbers from 0 to below 2^24, which float32 still counts."
            )
    possible = lottery.paths in (1, 2) and 0 <= each < 1 << 24
    if not possible or min(lottery.offset, lottery.slope) < 0 or size % max(1, channels):
        raise ValueError(
            "Counts need one or two paths, whole maps, and less than 2^24 trials of positive probability; "
            f"given were {lottery} of {size} units in {channels} channels."
        )
    if value.numel() == 0:
        return
    job = _Binomial(
        samples, size, channels, lottery.paths, pointer(value), lottery.offset, lottery.slope,
        pointer(trials), each, pointer(count), scale, pointer(totals), pointer(counter.sample),
        counter.key, counter.step,
    )  # fmt: skip
    with LOCK:
        library().clapp_binomial(ctypes.byref(job), ctypes.c_int(torch.get_num_threads()))
