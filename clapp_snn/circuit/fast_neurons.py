"""The neurons of an area through blocks of time steps, of which only counts are kept.

`CountedLayer` runs any neuron on the compiled `FastLayer`: with the same random numbers its spikes are those
of single steps. `CountedIntervals` is for L3 without refractory time and random numbers by counter: one draw
an interval between events of all neurons of a unit, the same law by another path (`native/window.c`).
"""

import math
from typing import NamedTuple, Protocol, cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.circuit.ports import EventBurstPort
from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState
from clapp_snn.native import empty
from clapp_snn.native.neurons import Counter
from clapp_snn.native.window import WindowCounts, run_window
from clapp_snn.neurons.event_burst import (
    EventBurst,
    EventBurstConstants,
    EventBurstParameters,
    burst_probability,
)
from clapp_snn.neurons.fast import FastLayer
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.interface import Inputs, Outputs, Source


class Buffers:
    """Memory that is used again: blocks of equal names overwrite one another."""

    def __init__(self) -> None:
        self.held: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A float32 tensor with whatever was in it before."""
        count, held = math.prod(shape), self.held.get(name)
        if held is None or held.numel() < count:
            held = self.held[name] = empty((count,))
        return held[:count].view(shape)


class Counted(NamedTuple):
    """What an area asks of its neurons at the end of a window.

    Attributes:
        events: mean over pathways and copies, of every unit.
        spoken: events and bursts of each population as `CoincidenceDetector.collect` takes them.
        share: of every unit in the score; None where nobody asks.
    """

    events: Float[Tensor, "sample *unit"]
    spoken: Outputs
    share: Float[Tensor, "sample *unit"] | None


class Counting(Protocol):
    """Neurons of one window."""

    def run(
        self, drive: Float[Tensor, "time sample *unit"], first: int, counted: bool, speak: bool
    ) -> Float[Tensor, "time sample *unit"] | None:
        """A block of steps from step `first` on; with `speak` their activity, valid until the next block."""
        ...

    def finish(self) -> Counted:
        """Counts of the window."""
        ...

    @property
    def state(self) -> object:
        """Of the neurons."""
        ...


class CountedLayer:
    """Any neuron; arguments as `FastArea.begin` has them, `kappa` is the slope of burst probability."""

    def __init__(
        self, area: StreamArea, state: StreamAreaState, kappa: Tensor, source: Source | None
    ) -> None:
        self.area, self.layer, self.source = area, FastLayer(area.neuron), source
        self.state, self.kappa, self.apical = state.neuron, kappa, apical_drive(area, state, kappa)
        shape = (len(state.size), len(area.detector.signs), area.copies, *area.unit_shape)
        self.total = Outputs(*(torch.zeros(shape) for _ in Outputs._fields))

    def run(
        self, drive: Float[Tensor, "time sample *unit"], first: int, counted: bool, speak: bool
    ) -> Float[Tensor, "time sample *unit"] | None:
        """See `Counting`; raises ValueError for drives that are not finite."""
        constant = drive.stride(0) == 0
        soma = self.area.port.soma(drive[:1] if constant else drive)[:, :, None, None]
        shape = (len(drive), *self.total.event.shape)
        inputs, said = Inputs(soma.expand(shape), self.apical.expand(shape)), None
        if speak:
            every, self.state = self.layer(inputs, self.state, self.source)
            said = self.area.port.activity(every.event.mean((2, 3)))
            outputs = Outputs(*(each.sum(0) for each in every))
        else:
            outputs, self.state = self.layer.count(inputs, self.state, self.source)
        if counted:
            self.total = Outputs(
                *(total + now for total, now in zip(self.total, outputs, strict=True))
            )
        return said

    def finish(self) -> Counted:
        """See `Counting`."""
        area, total = self.area, self.total
        spoken = Outputs(*(each.flatten(2).sum(2, keepdim=True) for each in total))
        share = area.detector.share(total, self.kappa) if area.by_bursts else None
        return Counted(total.event.mean((1, 2)), spoken, share)


class CountedIntervals:
    """L3 by intervals; arguments as for `CountedLayer`, and a sum to which counted drives are added.

    Raises ValueError for a source that does not number the samples.
    """

    def __init__(
        self,
        area: StreamArea,
        state: StreamAreaState,
        kappa: Tensor,
        source: CounterStreams,
        buffers: Buffers,
        drive: Float[Tensor, "sample *drive"] | None,
    ) -> None:
        samples, size = len(state.size), math.prod(area.unit_shape)
        if source.samples is None or len(source.samples) != samples:
            raise ValueError(
                f"Number the {samples} samples: CounterStreams(..., samples=range({samples}))."
            )
        self.area, self.source, self.kappa, self.buffers = area, source, kappa, buffers
        self.state, self.samples = state.neuron, source.samples
        self.paths = len(area.detector.signs)
        params = cast(EventBurstParameters, area.neuron.params)
        chances = burst_probability(apical_drive(area, state, kappa), params)
        self.chances = chances.reshape(samples, self.paths, -1).contiguous()
        self.counts = WindowCounts(
            buffers.take("pending", (samples, size)),
            torch.zeros(samples, size),
            torch.zeros(samples, size) if area.by_bursts else None,
            torch.zeros(samples, 3, dtype=torch.int64),
            None if drive is None else drive.view(samples, size),
        )

    def run(
        self, drive: Float[Tensor, "time sample *unit"], first: int, counted: bool, speak: bool
    ) -> Float[Tensor, "time sample *unit"] | None:
        """See `Counting`."""
        area, source, shape = (
            self.area,
            self.source,
            (*drive.shape[:2], self.counts.events.shape[1]),
        )
        constants = cast(EventBurstConstants, area.neuron.constants)
        activity = self.buffers.take("activity", shape) if speak else None
        one = torch.tensor(1 / (self.paths * area.copies))
        if drive.stride(0) == 0:
            flat = drive[0].contiguous().view(shape[1:]).expand(shape)
        else:
            flat = drive.contiguous().view(shape)
        run_window(
            flat,
            self.chances,
            (constants.background, constants.rho),
            area.copies,
            self.counts,
            Counter(source.key, source.step, self.samples, shape[2]),
            begin=first == 0,
            counted=counted,
            activity=activity,
            scale=float(area.port.activity(one)),
        )
        source.advance(len(drive))
        return None if activity is None else activity.view(*shape[:2], *area.unit_shape)

    def finish(self) -> Counted:
        """See `Counting`."""
        counts = self.counts
        return collect_counts(self.area, self.kappa, counts.events, counts.totals, counts.share)


def collect_counts(
    area: StreamArea,
    kappa: Float[Tensor, "sample"],
    events: Float[Tensor, "sample unit"],
    totals: Int64[Tensor, "sample 3"],
    share: Float[Tensor, "sample unit"] | None,
) -> Counted:
    """What counts over all neurons of every unit say of a window; as `WindowCounts` has them."""
    said, paths = totals.to(events.dtype), len(area.detector.signs)
    event, burst = said[:, :1, None], said[:, 1 : 1 + paths, None]
    z = events.view(-1, *area.unit_shape) / (paths * area.copies)
    own = None if share is None else _share(area, kappa, events, share)
    return Counted(z, Outputs(event, event, burst), own)


def _share(area: StreamArea, kappa: Tensor, events: Tensor, bursts: Tensor) -> Tensor:
    event, burst = (
        each.view(-1, 1, 1, *area.unit_shape) / area.copies for each in (events, bursts)
    )
    if len(area.detector.signs) == 2:  # all of the difference, beside a population without bursts
        burst = torch.cat([burst, torch.zeros_like(burst)], 1)
    return area.detector.share(Outputs(event, event, burst), kappa)


def runs_by_intervals(area: StreamArea) -> bool:
    """Whether the neurons are L3 without refractory time, driven as `CountedIntervals` drives them."""
    neuron = area.neuron
    driven = type(area.port) is EventBurstPort and isinstance(neuron, EventBurst)
    return driven and not cast(EventBurstConstants, neuron.constants).n_ref


def apical_drive(
    area: StreamArea, state: StreamAreaState, kappa: Float[Tensor, "sample"]
) -> Float[Tensor, "sample path 1 *unit"]:
    """What dendrites of each pathway see through the window."""
    apical = area.basal.at_units(state.apical)[:, None, None]
    return area.port.apical(area.signs * apical, kappa.view(-1, 1, 1, *area.everywhere, 1))
