"""Glances at event-camera recordings: each of the camera's own micro-saccades is one fixation of its object.

The camera of N-MNIST made three movements of about 100 ms over every digit. Each shows the same object from
another direction, so they are natural fixations; going to another recording is the saccade.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from clapp_snn.stimuli.event_recordings import Recordings, bin_events

MICRO_SACCADES = (0, 105_000, 215_000)
"""Starts of N-MNIST's three movements, in microseconds: the minima of the event rate lie before them."""

DURATION = 100_000
"""Length of a movement, in microseconds."""


class EventGlances:
    """Recordings, each seen during one of its fixations, as events per time step and address.

    A glance takes any of the fixations with equal probability, so two in a row may be the same one.

    Args:
        recordings: of one sensor.
        starts: where the fixations begin, in microseconds, in order.
        duration: how long each lasts, in microseconds.
        step: length of a time step, in microseconds; `duration` for counts over the whole fixation.

    Raises ValueError if the duration is no whole number of steps, for no or unordered fixations, and for a
    recording that ends before half of its last fixation.
    """

    def __init__(
        self,
        recordings: Recordings,
        starts: Sequence[int] = MICRO_SACCADES,
        duration: int = DURATION,
        step: int = 1000,
    ) -> None:
        if step < 1 or duration % step or duration < step:
            raise ValueError(
                f"a fixation of {duration} microseconds is no whole number of steps of {step} microseconds"
            )
        if not starts or any(later <= start for start, later in pairwise(starts)):
            raise ValueError(f"fixations start one after the other, not at {list(starts)}")
        self.recordings = recordings
        self.starts = tuple(starts)
        self.duration = duration
        self.step = step
        last = recordings.time[recordings.offsets[1:] - 1]
        early = last < self.starts[-1] + duration // 2
        if early.any():
            number = int(early.to(torch.uint8).argmax())
            raise ValueError(
                f"{recordings.source}: recording {number} ends after {int(last[number]) / 1000:.1f} ms, "
                f"inside or before its last fixation ({self.starts[-1] / 1000:.1f} to "
                f"{(self.starts[-1] + duration) / 1000:.1f} ms); leave it out"
            )

    @property
    def labels(self) -> Int64[Tensor, "recording"] | None:
        """Class of every recording, or None."""
        return self.recordings.labels

    def __len__(self) -> int:
        return len(self.recordings)

    def fixations(
        self, indices: Int64[Tensor, "sample"], which: Int64[Tensor, "sample"]
    ) -> Float32[Tensor, "sample step address"]:
        """Events during these fixations (counted from 0) of these recordings."""
        addresses = self.recordings.sensor.addresses
        seen = []
        for index, fixation in zip(indices.tolist(), which.tolist(), strict=True):
            time, address = self.recordings.events(index)
            since = time - self.starts[fixation]
            seen.append(
                bin_events(since, address, addresses, self.step, self.duration // self.step)
            )
        return torch.stack(seen)

    def views(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float32[Tensor, "sample step address"]:
        """One fixation of each recording; one random stream a sample."""
        draws = [torch.randint(len(self.starts), (1,), generator=stream) for stream in generators]
        return self.fixations(indices, torch.cat(draws))
