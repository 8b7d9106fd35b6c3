"""Linear and few-shot probes of a network on glances: what can be read from the counts of windows.

Features of an area are its activity z in a glance from rest: events divided by rho T M, or rates; of a
convolutional area, averaged over positions, as in rate mode. Where an object is inspected with several looks
(three micro-saccades of a recording, all patches of an image), each is a window from rest, and features are
averages over them. Scores, bursts, gamma and weights are not looked at. Layer 0 is the raw input of the same
looks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.circuit.drawn_window import drawn_windows
from clapp_snn.circuit.engine_choice import Engine, one_draw
from clapp_snn.circuit.fast_drawn import FastDrawn
from clapp_snn.circuit.fast_window import FastHierarchy
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.stream_input import stream_input
from clapp_snn.evaluation.cache import CachedFeatures
from clapp_snn.evaluation.fast_probe import fast_probe
from clapp_snn.evaluation.few_shot import few_shot_probe
from clapp_snn.evaluation.scores import LayerScore
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.noise import SampleStreams
from clapp_snn.randomness import generator
from clapp_snn.stimuli.glances import Inspectable


@torch.no_grad()
def glance_features(
    network: StreamHierarchy,
    objects: Inspectable,
    indices: Int64[Tensor, "glance"],
    seed: int,
    part: str,
    *,
    drawn: bool = False,
    batch: int = 300,
    engine: Engine = "torch",
) -> list[Float[Tensor, "glance feature"]]:
    """Input and activity of every area for each of `indices`, inspected once; on the CPU.

    Args:
        network: frozen.
        objects: what is looked at.
        indices: objects, in any order, also repeatedly: each glance is a new one.
        seed, part: name the views and the neurons' random numbers. They depend on the place in `indices`, not
            on the batch, so networks are compared on the same glances.
        drawn: True draws the counts of a window at once.
        batch: looks side by side.
        engine: "native" computes windows by compiled kernels, with other random numbers of spikes.

    Raises ValueError for areas that the compiled kernels do not support.
    """
    layers: list[list[Tensor]] = []
    for numbers in torch.arange(len(indices)).split(max(1, batch // objects.looks)):
        views = [generator(seed, "probe glance", part, number) for number in numbers.tolist()]
        seen = objects.inspect(indices[numbers], views)
        count, looks = seen.shape[:2]
        x = stream_input(network, seen.flatten(0, 1))
        each = [number * looks + look for number in numbers.tolist() for look in range(looks)]
        z = _activity(network, x, _Looks(each, seed, part), drawn, engine)
        means = (one.unflatten(0, (count, looks)).mean(1).cpu() for one in z)
        layers.append([objects.raw(seen), *means])
    return [torch.cat(layer) for layer in zip(*layers, strict=True)]


class _Looks(NamedTuple):
    """Numbers of the looks, and what else names their random numbers."""

    numbers: list[int]
    seed: int
    part: str


def _activity(
    network: StreamHierarchy, x: Tensor, looks: _Looks, drawn: bool, engine: Engine
) -> list[Float[Tensor, "look post"]]:
    """Mean activity of every area in one window from rest."""
    numbers, areas = looks.numbers, range(len(network.areas))
    if engine == "native":
        counters = [
            CounterStreams(looks.seed, "probe", looks.part, area, samples=numbers) for area in areas
        ]
        if one_draw(network, drawn):
            fast = FastDrawn(network, len(numbers))
            fast.window(x, counters)
            return [area.z for area in fast.areas]
        states = FastHierarchy(network).window(x, network.initial_state(len(numbers)), counters)
    else:
        device = network.area(0).weight.device
        streams = [
            SampleStreams(looks.seed, numbers, "probe", looks.part, area, device=device)
            for area in areas
        ]
        run = drawn_windows if drawn else StreamHierarchy.window
        states = run(network, x, network.initial_state(len(numbers)), streams)
    steps = network.area(0).detector.steps
    return [
        network.area(area).basal.average(state.sums.z) / steps for area, state in enumerate(states)
    ]


def cache_glances(
    network: StreamHierarchy,
    train: Inspectable,
    test: Inspectable,
    seed: int,
    *,
    drawn: bool = False,
    test_views: int | None = None,
    engine: Engine = "torch",
) -> CachedFeatures:
    """Features of every training object, inspected once, and of every test object, `test_views` times.

    None inspects objects of several looks once, others three times.

    Raises ValueError for objects without labels.
    """
    labels: list[Tensor] = []
    parts: list[dict[int, Tensor]] = []
    for objects, part in ((train, "train"), (test, "test")):
        if objects.labels is None:
            raise ValueError(f"The {part} objects have no labels; a probe needs them.")
        views = 1
        if part == "test":
            views = test_views or (1 if objects.looks > 1 else 3)
        indices = torch.arange(len(objects)).repeat(views)
        features = glance_features(
            network, objects, indices, seed, part, drawn=drawn, engine=engine
        )
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
