"""Recordings of an event camera: which pixel saw brightness change, in which direction, and when."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float32, Int64
from torch import Tensor


class Sensor(NamedTuple):
    """A camera: polarities (0 darker, 1 brighter), rows and columns of pixels.

    The address of an event is (polarity * rows + row) * cols + col.
    """

    polarities: int
    rows: int
    cols: int

    @property
    def addresses(self) -> int:
        """How many different events there are."""
        return self.polarities * self.rows * self.cols

    def __str__(self) -> str:
        return f"{self.polarities} polarities of {self.rows}x{self.cols} pixels"


@dataclass(frozen=True, eq=False)
class Recordings:
    """Recordings back to back.

    Attributes:
        sensor: of all of them.
        time: of every event since the start of its recording, in microseconds, in order.
        address: of every event.
        offsets: recording i holds the events from offsets[i] up to offsets[i + 1].
        labels: class of every recording, counted from 0, or None.
        source: where they come from, for error messages.

    Raises ValueError if offsets do not match the events or the labels, and for an empty recording, unsorted
    times, negative times or addresses outside the sensor; the message names the first culprit.
    """

    sensor: Sensor
    time: Int64[Tensor, "event"]
    address: Int64[Tensor, "event"]
    offsets: Int64[Tensor, "recording_and_end"]
    labels: Int64[Tensor, "recording"] | None = None
    source: str = field(default="these recordings", repr=False)

    def __post_init__(self) -> None:
        check_offsets(self.offsets, len(self.time), len(self.address), self.source)
        lengths = self.offsets.diff()
        if self.labels is not None and len(self.labels) != len(lengths):
            raise ValueError(
                f"{self.source}: {len(self.labels)} labels for {len(lengths)} recordings"
            )
        if not lengths.all():
            raise ValueError(
                f"{self.source}: recording {int(lengths.argmin())} is empty; leave it out"
            )
        outside = (self.address < 0) | (self.address >= self.sensor.addresses)
        if outside.any():
            raise ValueError(
                f"{self._name(outside)} has address {int(self.address[outside][0])}, outside the sensor "
                f"(addresses 0 to {self.sensor.addresses - 1}: {self.sensor})"
            )
        if (self.time < 0).any():
            raise ValueError(f"{self._name(self.time < 0)} has a negative time")
        backward = self.time.diff(prepend=self.time[:1]) < 0
        backward[self.offsets[:-1]] = False
        if backward.any():
            raise ValueError(
                f"{self._name(backward)} is earlier than the event before it; sort each recording by time"
            )

    def _name(self, culprits: Tensor) -> str:
        """The first event that is marked."""
        event = int(culprits.to(torch.uint8).argmax())
        recording = int(torch.searchsorted(self.offsets, event, right=True)) - 1
        return (
            f"{self.source}: event {event - int(self.offsets[recording])} of recording {recording}"
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def events(self, recording: int) -> tuple[Int64[Tensor, "recorded"], Int64[Tensor, "recorded"]]:
        """Times in microseconds and addresses of one recording."""
        begin, end = self.offsets[recording : recording + 2].tolist()
        return self.time[begin:end], self.address[begin:end]

    def counts(self) -> Float32[Tensor, "recording address"]:
        """Number of events of every kind in each whole recording."""
        row = torch.arange(len(self)).repeat_interleave(self.offsets.diff())
        size = len(self) * self.sensor.addresses
        kind = row * self.sensor.addresses + self.address
        return torch.bincount(kind, minlength=size).float().view(len(self), -1)

    def select(self, numbers: Int64[Tensor, "chosen"]) -> "Recordings":
        """These recordings, in this order."""
        lengths = self.offsets.diff()[numbers]
        ends = lengths.cumsum(0)
        shift = self.offsets[numbers] - (ends - lengths)
        event = torch.arange(int(lengths.sum())) + shift.repeat_interleave(lengths)
        return Recordings(
            self.sensor,
            self.time[event],
            self.address[event],
            torch.cat([torch.zeros(1, dtype=torch.int64), ends]),
            None if self.labels is None else self.labels[numbers],
            self.source,
        )


def check_offsets(
    offsets: Int64[Tensor, "recording_and_end"], times: int, addresses: int, source: str
) -> None:
    """Raise ValueError unless the offsets cut this number of events into recordings."""
    fits = (
        len(offsets) > 1
        and offsets[0] == 0
        and offsets[-1] == times == addresses
        and bool((offsets.diff() >= 0).all())
    )
    if not fits:
        raise ValueError(
            f"{source}: {times} times, {addresses} addresses and offsets up to "
            f"{int(offsets.max()) if len(offsets) else 0} do not fit together; the data are truncated or "
            f"mixed up, fetch them again"
        )


def join(parts: Sequence[Recordings]) -> Recordings:
    """All recordings of these parts, one part after the other.

    Raises ValueError for no part, different sensors, or labels in some parts only.
    """
    if len({part.sensor for part in parts}) != 1:
        raise ValueError(
            f"only recordings of one sensor can be joined, not {len({p.sensor for p in parts})}"
        )
    labels = [part.labels for part in parts if part.labels is not None]
    if labels and len(labels) != len(parts):
        raise ValueError("some of the recordings to be joined have labels and some have none")
    lengths = torch.cat([part.offsets.diff() for part in parts])
    return Recordings(
        parts[0].sensor,
        torch.cat([part.time for part in parts]),
        torch.cat([part.address for part in parts]),
        torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]),
        torch.cat(labels) if labels else None,
        parts[0].source,
    )


def bin_events(
    time: Int64[Tensor, "event"],
    address: Int64[Tensor, "event"],
    addresses: int,
    step: int,
    steps: int,
) -> Float32[Tensor, "step address"]:
    """Number of events of every kind in each of `steps` steps of `step` microseconds.

    Times count from the first step; events outside of all steps are left out.
    """
    inside = (time >= 0) & (time < step * steps)
    cell = time[inside] // step * addresses + address[inside]
    return torch.bincount(cell, minlength=steps * addresses).float().view(steps, addresses)
