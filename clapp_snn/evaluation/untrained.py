"""What an encoder has to know of its stimuli before it can be read out without having learned."""

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor

from clapp_snn.evaluation.features import View, index_batches
from clapp_snn.evaluation.interfaces import ImageSplit
from clapp_snn.randomness import generator

IMAGES = 256
BATCH = 32


class Settling(Protocol):
    """An encoder that may normalise its layers by running statistics."""

    @property
    def unsettled(self) -> bool: ...

    def settle(self, batches: Iterable[Tensor]) -> None: ...


def settle(
    encoder: Settling, split: ImageSplit, view: View, seed: int, device: torch.device | str
) -> None:
    """Running statistics for an encoder that has seen no stimulus; nothing for others.

    Its layers would pass on their input as it is, while those of a trained encoder normalise theirs: the two
    would differ by more than what was learned. Statistics are those of `IMAGES` random images of `split`.
    """
    if encoder.unsettled:
        order = torch.randperm(len(split), generator=generator(seed, "statistics"))[:IMAGES]
        encoder.settle(
            view(split.read(order[part]).to(device)) for part in index_batches(len(order), BATCH)
        )
