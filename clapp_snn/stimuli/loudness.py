"""Spoken words as the input of a network: parts of 200 ms, as loudness or as spikes.

The unit is a loudness of UNIT, so that the root mean square over bands and time is about 1.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.stimuli.cochlea import Cochlea
from clapp_snn.stimuli.sounds import SoundGlances, Sounds

BANDS = 40
PART = 200.0
"""Length of a glance, ms."""

LOOKS = 4
RATE = 500.0
"""Spikes per second of a loudness of 1."""

UNIT = 0.1
"""Loudness that is activity 1."""


class Loudness:
    """Words; a view is a part of one, drawn uniformly: mean loudness of each band, or spikes in time.

    Args:
        sounds: what is heard.
        step: time step in ms, for spikes (drawn anew at every glance, with the encoder of snnTorch) whose
            expectation is the loudness of the step; None gives the mean loudness over the part.

    Raises ValueError as `SoundGlances` and `Cochlea` do.
    """

    def __init__(self, sounds: Sounds, step: float | None = None) -> None:
        self.step = step
        dt = 1.0 if step is None else step
        cochlea = Cochlea(sounds.sampling_rate, BANDS, step=dt)
        encoder = None if step is None else "snntorch_rate"
        self.glances = SoundGlances(sounds, cochlea, round(PART / dt), encoder, RATE)
        self.scale = 1 / UNIT if step is None else 1000 / (RATE * dt * UNIT)

    @property
    def labels(self) -> Int64[Tensor, "sound"]:
        """Class of every sound."""
        return self.glances.labels

    def __len__(self) -> int:
        return len(self.glances)

    def views(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "sample *time band"]:
        """One part of each sound; one random stream a sample."""
        return self._activity(self.glances.views(indices, generators))

    @property
    def looks(self) -> int:
        """Parts from the beginning to the end of a sound, evenly spaced: four."""
        return LOOKS

    def inspect(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "sample look *time band"]:
        """Parts from beginning to end; only spikes are random."""
        ends = [len(self.glances.heard[index]) - self.glances.steps for index in indices.tolist()]
        parts = [
            self._activity(
                self.glances.parts(
                    indices, [round(end * look / (LOOKS - 1)) for end in ends], generators
                )
            )
            for look in range(LOOKS)
        ]
        return torch.stack(parts, 1)

    def raw(self, seen: Float[Tensor, "sample look *time band"]) -> Float[Tensor, "sample band"]:
        """Mean over parts and time, as areas are averaged over parts."""
        return seen.flatten(1, -2).mean(1)

    def _activity(self, heard: Tensor) -> Tensor:
        return self.scale * (heard.mean(1) if self.step is None else heard)
