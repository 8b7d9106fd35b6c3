"""How much of what a rate network knows its spikes tell: linear read-outs of spike counts against time steps.

Everything is read out of the same looks at the same objects, as in `clapp_snn.evaluation.stream_probe`: the
raw input, the activity z of the rate network with the same weights, and the spike counts of exported
networks.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.stream_input import stream_input
from clapp_snn.commands.export_compare import with_silence
from clapp_snn.evaluation.cache import CachedFeatures
from clapp_snn.evaluation.fast_probe import fast_probe
from clapp_snn.export.convert import Converted, lines_of
from clapp_snn.export.interpreter import Input, Spikes, run_on_current
from clapp_snn.export.rate_layers import RateLayer, respond
from clapp_snn.randomness import generator
from clapp_snn.stimuli.glances import Inspectable

Run = Callable[[Input], list[Spikes]]
"""Input spikes (time, sample, input) to the spikes of every layer, bottom up."""


class Looks(NamedTuple):
    """Looks at objects.

    Attributes:
        train, test: input activity, channels first where inputs are maps: (object, look, *input).
        train_labels, test_labels: of the objects.
    """

    train: np.ndarray
    test: np.ndarray
    train_labels: Tensor
    test_labels: Tensor


def look(
    network: StreamHierarchy, train: Inspectable, test: Inspectable, seed: int, views: int = 1
) -> Looks:
    """Every training object once, every test object `views` times.

    Raises ValueError for objects without labels, and for input that changes during a glance.
    """
    seen, labels = [], []
    for objects, part, repeats in ((train, "train", 1), (test, "test", views)):
        if objects.labels is None:
            raise ValueError(f"The {part} objects have no labels; a probe needs them.")
        indices = torch.arange(len(objects)).repeat(repeats)
        streams = [generator(seed, "probe glance", part, n) for n in range(len(indices))]
        found = objects.inspect(indices, streams)
        x = stream_input(network, found.flatten(0, 1))
        axes = len(network.area(0).input_shape)
        if x.dim() != axes + 1:
            raise ValueError("Input that changes during a glance cannot be exported as a rate.")
        x = x.movedim(-1, 1) if axes == 3 else x
        seen.append(x.double().numpy().reshape(len(indices), -1, *x.shape[1:]))
        labels.append(objects.labels[indices])
    return Looks(seen[0], seen[1], labels[0], labels[1])


def rate_accuracy(
    layers: Sequence[RateLayer], looks: Looks, seed: int, *, average: bool = False
) -> list[float]:
    """Linear read-out of z of every layer, in percent; with `average`, pools average instead of taking the
    largest."""

    def features(x: np.ndarray, batch: int = 500) -> list[np.ndarray]:
        parts: list[list[np.ndarray]] = [[] for _ in layers]
        objects = x.shape[:2]
        x = x.reshape(-1, *x.shape[2:])
        for first in range(0, len(x), batch):
            z = x[first : first + batch]
            for part, layer in zip(parts, layers, strict=True):
                z = respond(layer, z.reshape(len(z), *layer.synapse.input_shape), average=average)[
                    1
                ]
                part.append(z.reshape(*z.shape[:2], -1).mean(2))
        return [_per_object(np.concatenate(part), objects) for part in parts]

    return _read_out(features(looks.train), features(looks.test), looks, seed)


def spike_accuracy(
    converted: Converted,
    run: Run,
    looks: Looks,
    steps: Sequence[int],
    seed: int,
    delay: int = 0,
    batch: int = 200,
) -> dict[int, list[float]]:
    """Linear read-out of counts after each number of steps, of every layer, in percent.

    Args:
        converted: makes the input spikes.
        run: the judge, or a chip's integer model.
        looks: at objects.
        steps: how long to count; the first steps of one simulation serve the shorter ones.
        seed: of the probe.
        delay: steps that each layer comes later; counts begin as much later.
        batch: looks side by side.
    """
    most = max(steps)

    def features(x: np.ndarray) -> dict[int, list[np.ndarray]]:
        objects = x.shape[:2]
        x = x.reshape(-1, *x.shape[2:])
        parts: dict[int, list[list[np.ndarray]]] = {each: [] for each in steps}
        for first in range(0, len(x), batch):
            spikes = converted.spikes(x[first : first + batch], most)
            layers = run(with_silence(spikes, delay * len(converted.network.stages)))
            for each in steps:
                parts[each].append(
                    [
                        layer[(k + 1) * delay : each + (k + 1) * delay].sum(0)
                        for k, layer in enumerate(layers)
                    ]
                )
        return {
            each: [
                _per_object(np.concatenate(layer), objects) for layer in zip(*found, strict=True)
            ]
            for each, found in parts.items()
        }

    train, test = features(looks.train), features(looks.test)
    return {each: _read_out(train[each], test[each], looks, seed) for each in steps}


def current_accuracy(converted: Converted, looks: Looks, steps: int, seed: int) -> list[float]:
    """Linear read-out of counts where the input is constant current, as in training, in percent."""

    def features(x: np.ndarray, batch: int = 200) -> list[np.ndarray]:
        objects = x.shape[:2]
        x = lines_of(x.reshape(-1, *x.shape[2:]), converted.signed) / converted.input_scale
        parts = [
            [z.sum(0) for z in run_on_current(converted.network, x[first : first + batch], steps)]
            for first in range(0, len(x), batch)
        ]
        return [_per_object(np.concatenate(layer), objects) for layer in zip(*parts, strict=True)]

    return _read_out(features(looks.train), features(looks.test), looks, seed)


def _per_object(x: np.ndarray, objects: tuple[int, ...]) -> np.ndarray:
    """Means over positions and looks."""
    x = x.reshape(len(x), x.shape[1], -1).mean(2)
    return x.reshape(*objects, -1).mean(1)


def _read_out(
    train: Sequence[np.ndarray], test: Sequence[np.ndarray], looks: Looks, seed: int
) -> list[float]:
    def layers(arrays: Sequence[np.ndarray]) -> dict[int, Tensor]:
        return {
            k: torch.from_numpy(each.reshape(len(each), -1)).float()
            for k, each in enumerate(arrays)
        }

    classes = int(looks.train_labels.max()) + 1
    cache = CachedFeatures(
        layers(train), looks.train_labels, layers(test), looks.test_labels, classes, 0
    )
    return [score.accuracy for score in fast_probe(cache, seed)]
