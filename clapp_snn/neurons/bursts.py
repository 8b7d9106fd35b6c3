"""Events and bursts in a spike train: causal and step by step, or from recorded spike times.

A spike more than `burst_isi` (16 ms, Naud and Sprekeler 2018, doi:10.1073/pnas.1720995115) after the spike
before it is an *event*; the very first spike is one, too. The first spike that follows an event within
`burst_isi` makes it a *burst*, which is time-stamped there, at its second spike (the convention of Payeur et
al. 2021, doi:10.1038/s41593-021-00857-x). Further spikes of the same burst are neither. So every burst has
exactly one event, and the number of bursts divided by that of events is the burst probability.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float
from torch import Tensor

BURST_ISI = 16.0
"""Longest inter-spike interval within a burst, in ms."""

NEVER = 2.0**24
"""Age, in steps, of a spike that has not happened: where counting by one stops in float32."""

ROUNDING = 1e-9
"""Relative slack with which an interval still counts as equal to the longest one."""


def longest_interval(burst_isi: float, dt: float) -> float:
    """Whole steps of `dt` ms in the longest inter-spike interval of a burst."""
    return float(math.floor(burst_isi / dt * (1 + ROUNDING)))


def label_step(
    spike: Float[Tensor, "*shape"],
    now: Bool[Tensor, "*shape"],
    interval: Float[Tensor, "*shape"],
    alone: Float[Tensor, "*shape"],
    longest: float,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Event, burst and the new `alone` of one step, elementwise.

    Args:
        spike: 1 where a spike falls into this step, else 0; may carry gradients.
        now: the same as a mask.
        interval: steps since the spike before it.
        alone: 1 while the last spike was an event and no other has followed.
        longest: interval within a burst, in steps.
    """
    first = (interval > longest).to(spike.dtype)
    event = spike * first
    return event, alone * (spike - event), torch.where(now, first, alone)


class BurstDetectorState(NamedTuple):
    """Memory of the detector.

    Attributes:
        age: steps between the last spike and the end of the last step.
        alone: 1 while the last spike was an event and no other has followed, else 0.
    """

    age: Float[Tensor, "*shape"]
    alone: Float[Tensor, "*shape"]


class BurstDetector:
    """Causal detector for spike trains in time steps; holds no state of its own.

    Args:
        dt: time step in ms.
        burst_isi: longest inter-spike interval within a burst, in ms.

    Raises ValueError unless 0 < dt <= burst_isi, both finite.
    """

    def __init__(self, dt: float = 1.0, burst_isi: float = BURST_ISI) -> None:
        if not (0 < dt <= burst_isi < math.inf):
            raise ValueError(
                f"A burst detector needs 0 < dt <= burst_isi, not dt = {dt:g} ms and "
                f"burst_isi = {burst_isi:g} ms."
            )
        self.dt = dt
        self.burst_isi = burst_isi
        self.longest = longest_interval(burst_isi, dt)

    def initial_state(
        self,
        shape: tuple[int, ...] | torch.Size,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> BurstDetectorState:
        """No spike so far."""
        return BurstDetectorState(
            torch.full(shape, NEVER, dtype=dtype, device=device),
            torch.zeros(shape, dtype=dtype, device=device),
        )

    def step(
        self, spike: Float[Tensor, "*shape"], state: BurstDetectorState
    ) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], BurstDetectorState]:
        """Event, burst and state after one step, from the spikes (0 or 1) that fell into it."""
        interval, now = state.age + 1, spike > 0
        event, burst, alone = label_step(spike, now, interval, state.alone, self.longest)
        return event, burst, BurstDetectorState(interval.masked_fill(now, 0.0), alone)

    def run(
        self, spikes: Float[Tensor, "time *shape"], state: BurstDetectorState | None = None
    ) -> tuple[Float[Tensor, "time *shape"], Float[Tensor, "time *shape"], BurstDetectorState]:
        """Events, bursts and final state of a train, time first; a long train may come in pieces.

        Args:
            spikes: 0 or 1.
            state: after the piece before this one; None starts without a spike.

        Raises ValueError for an empty train, values other than 0 and 1, or a state of another shape or
        precision.
        """
        if spikes.dim() == 0 or spikes.shape[0] == 0 or not spikes.is_floating_point():
            raise ValueError(
                "Spikes need a first axis of at least one time step and floating-point values."
            )
        if not ((spikes == 0) | (spikes == 1)).all():
            raise ValueError("Spikes must be 0 or 1; other values were found.")
        if state is None:
            state = self.initial_state(spikes.shape[1:], dtype=spikes.dtype, device=spikes.device)
        elif state.age.shape != spikes.shape[1:] or state.age.dtype != spikes.dtype:
            raise ValueError(
                f"The state is {tuple(state.age.shape)} {state.age.dtype}, the spikes of one step are "
                f"{tuple(spikes.shape[1:])} {spikes.dtype}."
            )
        events, bursts = [], []
        for spike in spikes:
            event, burst, state = self.step(spike, state)
            events.append(event)
            bursts.append(burst)
        return torch.stack(events), torch.stack(bursts), state


class SpikeLabels(NamedTuple):
    """Events and bursts of one recorded neuron.

    Attributes:
        events: times of events in ms.
        bursts: times of the second spikes of bursts in ms.
        spikes_per_burst: number of spikes of each burst, at least 2.
    """

    events: npt.NDArray[np.float64]
    bursts: npt.NDArray[np.float64]
    spikes_per_burst: npt.NDArray[np.int64]


def label_spike_times(times_ms: npt.ArrayLike, burst_isi: float = BURST_ISI) -> SpikeLabels:
    """Events and bursts among recorded spike times of one neuron.

    Args:
        times_ms: spike times in ms, ascending; may be empty.
        burst_isi: longest inter-spike interval within a burst, in ms; an interval that exceeds it by a
            relative 1e-9 or less, as rounded multiples of a time step do, still counts.

    Raises ValueError for times that are not one-dimensional, finite and strictly ascending, or for a
    `burst_isi` that is not positive.
    """
    try:
        times = np.asarray(times_ms, dtype=np.float64)
    except (TypeError, ValueError):
        times = np.full(1, np.nan)
    if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise ValueError(
            "Spike times must be one list of finite numbers in strictly ascending order."
        )
    if not 0 < burst_isi < math.inf:
        raise ValueError(f"burst_isi must be a positive number of milliseconds, not {burst_isi}.")
    starts = np.flatnonzero(np.diff(times, prepend=-np.inf) > burst_isi * (1 + ROUNDING))
    sizes = np.diff(starts, append=len(times))
    repeated = sizes > 1
    return SpikeLabels(times[starts], times[starts[repeated] + 1], sizes[repeated].astype(np.int64))
