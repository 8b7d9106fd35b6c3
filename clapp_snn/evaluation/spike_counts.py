"""Probe features of networks that are shown spikes in time: the spike counts of every layer.

The looks are those of `clapp_snn.evaluation.stream_probe`: equal seeds give equal views. Where an object is
inspected with several looks, each starts from rest and counts are averaged.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.evaluation.cache import CachedFeatures
from clapp_snn.randomness import generator
from clapp_snn.stimuli.glances import Inspectable

Counts = Callable[[Tensor], Sequence[Tensor]]
"""From [sample, step, *input] to the spike counts [sample, unit] of every layer, from rest."""


def count_features(
    counts: Counts,
    objects: Inspectable,
    indices: Int64[Tensor, "glance"],
    seed: int,
    part: str,
    batch: int = 300,
) -> list[Float[Tensor, "glance feature"]]:
    """Raw input and spike counts of every layer for each of `indices`, inspected once."""
    layers = []
    for numbers in torch.arange(len(indices)).split(max(1, batch // objects.looks)):
        streams = [generator(seed, "probe glance", part, number) for number in numbers.tolist()]
        seen = objects.inspect(indices[numbers], streams)
        spikes = [each.unflatten(0, seen.shape[:2]).mean(1) for each in counts(seen.flatten(0, 1))]
        layers.append([objects.raw(seen), *spikes])
    return [torch.cat(layer) for layer in zip(*layers, strict=True)]


def cache_counts(
    counts: Counts, train: Inspectable, test: Inspectable, seed: int
) -> CachedFeatures:
    """Features of every training object, and of every test object once or, with one look each, three times.

    Raises ValueError for objects without labels.
    """
    parts: list[dict[int, Tensor]] = []
    labels: list[Tensor] = []
    for objects, part in ((train, "train"), (test, "test")):
        if objects.labels is None:
            raise ValueError(f"The {part} objects have no labels; a probe needs them.")
        views = 3 if part == "test" and objects.looks == 1 else 1
        indices = torch.arange(len(objects)).repeat(views)
        parts.append(dict(enumerate(count_features(counts, objects, indices, seed, part))))
        labels.append(objects.labels[indices])
    return CachedFeatures(parts[0], labels[0], parts[1], labels[1], int(labels[0].max()) + 1, 0)
