"""Linear and few-shot probes of a network on glances: what can be read from the counts of one window.

Features of an area are its activity z in one glance from rest: events divided by rho T M, or rates. Scores,
bursts, gamma and weights are not looked at. Layer 0 is the raw input of the same glances.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.circuit.drawn_window import drawn_windows
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.evaluation.cache import CachedFeatures
from clapp_snn.evaluation.fast_probe import fast_probe
from clapp_snn.evaluation.few_shot import few_shot_probe
from clapp_snn.evaluation.scores import LayerScore
from clapp_snn.neurons.noise import SampleStreams
from clapp_snn.randomness import generator
from clapp_snn.stimuli.glances import Objects


@torch.no_grad()
def glance_features(
    network: StreamHierarchy,
    objects: Objects,
    indices: Int64[Tensor, "glance"],
    seed: int,
    part: str,
    *,
    drawn: bool = False,
    batch: int = 300,
) -> list[Float[Tensor, "glance feature"]]:
    """Input and activity of every area for one glance at each of `indices`.

    Args:
        network: frozen.
        objects: what is looked at.
        indices: objects, in any order, also repeatedly: each glance is a new one.
        seed, part: name the views and the neurons' random numbers. They depend on the place in `indices`, not
            on the batch, so networks are compared on the same glances.
        drawn: True draws the counts of a window at once.
        batch: glances side by side.
    """
    layers: list[list[Tensor]] = []
    for numbers in torch.arange(len(indices)).split(batch):
        each = numbers.tolist()
        views = [generator(seed, "probe glance", part, number) for number in each]
        x = objects.views(indices[numbers], views).flatten(1)
        states = network.initial_state(len(each))
        areas = range(len(network.areas))
        sources = [SampleStreams(seed, each, "probe", part, area) for area in areas]
        if drawn:
            states = drawn_windows(network, x, states, sources)
        else:
            states = network.window(x, states, sources)
        steps = network.area(0).detector.steps
        layers.append([x, *(state.sums.z.flatten(1) / steps for state in states)])
    return [torch.cat(layer) for layer in zip(*layers, strict=True)]


def cache_glances(
    network: StreamHierarchy,
    train: Objects,
    test: Objects,
    seed: int,
    *,
    drawn: bool = False,
    test_views: int = 3,
) -> CachedFeatures:
    """Features of one glance at every training object and of `test_views` at every test object.

    Raises ValueError for objects without labels.
    """
    labels: list[Tensor] = []
    parts: list[dict[int, Tensor]] = []
    for objects, part, views in ((train, "train", 1), (test, "test", test_views)):
        if objects.labels is None:
            raise ValueError(f"The {part} objects have no labels; a probe needs them.")
        indices = torch.arange(len(objects)).repeat(views)
        features = glance_features(network, objects, indices, seed, part, drawn=drawn)
        parts.append(dict(enumerate(features)))
        labels.append(objects.labels[indices])
    return CachedFeatures(parts[0], labels[0], parts[1], labels[1], int(labels[0].max()) + 1, 0)


def probe_glances(
    cache: CachedFeatures, seed: int, shots: int = 5, episodes: int = 200
) -> tuple[Sequence[LayerScore], Sequence[LayerScore]]:
    """Linear and few-shot scores of every layer.

    The linear classifier is the logistic regression of `fast_probe`, its penalty chosen on held-out training
    objects; the few-shot one the nearest class mean of `few_shot_probe`. Several glances at a test object are
    not independent: the intervals of the scores are too narrow, those over seeds are not.
    """
    return fast_probe(cache, seed), few_shot_probe(cache, seed, shots, episodes)
