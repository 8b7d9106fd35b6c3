"""A stream of glances ordered by labels: the next object is of the same class, then of another, in turn.

This is how EchoSpike predictive plasticity is trained (Graf, Su and Indiveri 2024, arXiv:2405.13976). It
tells the network which objects belong together, which a stream of fixations and saccades does not.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from clapp_snn.randomness import generator
from clapp_snn.stimuli.glances import FIXATION, SACCADE, Glance, Objects, Position


class ClassStream:
    """Endless glances at objects of the class before (y = +1) and of any other class (y = -1) in turn.

    The first window is a saccade to any object.

    Args:
        objects: with labels.
        samples: numbers of the samples; each names its own random stream.
        seed: master seed.

    Raises ValueError for no sample, or objects without labels or of fewer than two classes.
    """

    def __init__(self, objects: Objects, samples: Sequence[int], seed: int) -> None:
        if not samples:
            raise ValueError("a stream needs at least one sample")
        if objects.labels is None or len(objects.labels.unique()) < 2:
            raise ValueError("a stream of classes needs labels of two classes or more")
        self.objects = objects
        self.labels: Tensor = objects.labels
        self.samples = tuple(samples)
        self.seed = seed

    def start(self) -> Position:
        """Position before the first glance."""
        return Position(0, None)

    def next(self, position: Position) -> tuple[Glance, Position]:
        """The glance at `position`, and the position after it."""
        window, last = position.window, position.index
        streams = [generator(self.seed, "class glance", sample, window) for sample in self.samples]
        place = torch.stack([torch.rand((), generator=s, dtype=torch.float64) for s in streams])
        same = window % 2 == 1
        if last is None:
            index = (place * len(self.objects)).long()
        else:
            index = torch.stack(
                [
                    members[int(where * len(members))]
                    for where, label in zip(place, self.labels[last], strict=True)
                    for members in [((self.labels == label) == same).nonzero().flatten()]
                ]
            )
        y = torch.full((len(streams),), FIXATION if same else SACCADE)
        return Glance(self.objects.views(index, streams), y, index), Position(window + 1, index)
