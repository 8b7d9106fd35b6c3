"""Event-camera recordings as the input of a network: events of one micro-saccade, in units of activity.

The unit is three events a pixel in 100 ms: a pixel of N-MNIST that saw any in a micro-saccade saw 3.2 of
them (905 recordings), so that an active pixel is about 1, as in the digits, and the root mean square over all
pixels is about 0.5. Averages over 2 x 2 pixels keep the unit.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.stimuli.event_glances import DURATION, EventGlances
from clapp_snn.stimuli.event_recordings import Recordings

UNIT = 3.0
"""Events of a pixel in a micro-saccade that are activity 1."""


class EventCounts:
    """Recordings; a view is one of their micro-saccades, as a map for each polarity.

    Args:
        recordings: of one sensor.
        resolution: "pooled" averages counts over 2 x 2 pixels, "full" takes every pixel.
        border: pixels that are cut off at each side first.
        step: time step in ms, for activity in time; its mean over the micro-saccade is the constant activity
            that None gives.

    Raises ValueError for maps with odd sides that are to be pooled, and as `EventGlances` does.
    """

    def __init__(
        self,
        recordings: Recordings,
        resolution: Literal["pooled", "full"] = "pooled",
        border: int = 0,
        step: float | None = None,
    ) -> None:
        sensor = recordings.sensor
        self.pooled, self.border, self.step = resolution == "pooled", border, step
        if self.pooled and ((sensor.rows - 2 * border) % 2 or (sensor.cols - 2 * border) % 2):
            raise ValueError(f"only even sides can be pooled, not {sensor}; take full resolution")
        microseconds = DURATION if step is None else round(1000 * step)
        self.glances = EventGlances(recordings, step=microseconds)

    @property
    def labels(self) -> Int64[Tensor, "recording"] | None:
        """Class of every recording, or None."""
        return self.glances.labels

    def __len__(self) -> int:
        return len(self.glances)

    def views(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float32[Tensor, "sample *time polarity row col"]:
        """One micro-saccade of each recording; one random stream a sample."""
        return self._activity(self.glances.views(indices, generators))

    @property
    def looks(self) -> int:
        """All micro-saccades: three."""
        return len(self.glances.starts)

    def inspect(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float32[Tensor, "sample look *time polarity row col"]:
        """All micro-saccades of each recording; nothing is random."""
        which = torch.arange(self.looks)
        events = self.glances.fixations(
            indices.repeat_interleave(self.looks), which.repeat(len(indices))
        )
        return self._activity(events).unflatten(0, (len(indices), self.looks))

    def raw(
        self, seen: Float32[Tensor, "sample look *time polarity row col"]
    ) -> Float32[Tensor, "sample pixel"]:
        """Mean over micro-saccades and time: event counts of the recording, up to a factor."""
        return seen.flatten(1, -4).mean(1).flatten(1)

    def _activity(self, events: Float32[Tensor, "sample step address"]) -> Tensor:
        sensor, cut = self.glances.recordings.sensor, self.border
        maps = (events * (events.shape[1] / UNIT)).unflatten(2, sensor)
        maps = maps[..., cut : sensor.rows - cut, cut : sensor.cols - cut]
        if self.pooled:
            maps = F.avg_pool2d(maps.flatten(0, 1), 2).unflatten(0, maps.shape[:2])
        return maps[:, 0] if self.step is None else maps
