"""Networks side by side learn what each learns alone, where their neurons do not draw lots."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from benchmarks.side_by_side import SideBySide, stack, unstack
from clapp_snn.circuit import drawn_window as module
from clapp_snn.circuit.ablations import Ablation, make_area, make_stack
from clapp_snn.circuit.build_stream import build_stream
from clapp_snn.circuit.drawn_window import drawn_windows
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import VGG6
from clapp_snn.functional.objective import Retro
from clapp_snn.methods import get_method
from clapp_snn.neurons.drawn import WindowCounts
from clapp_snn.neurons.event_burst import (
    EventBurst,
    EventBurstParameters,
    burst_probability,
    event_rate,
    hazard,
)
from clapp_snn.neurons.interface import Inputs
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.randomness import generator
from clapp_snn.training.stream_learner import StreamLearner

NETWORKS, BATCH, WINDOWS = 3, 4, 4
Y = torch.tensor([1.0, -1.0, -1.0, 1.0])


def expected_counts(
    inputs: Inputs, params: EventBurstParameters, dt: float, steps: int, _: object, copies: int = 1
) -> WindowCounts:
    """Means instead of lots."""
    soma, apical = torch.broadcast_tensors(*inputs)
    events = steps * copies * hazard(event_rate(soma, params, dt), dt).clamp(max=1)
    return WindowCounts(events, events * burst_probability(apical, params))


def networks_of(ablation: Ablation, retro: Retro, readout: str) -> list[StreamHierarchy]:
    neuron = EventBurst(EventBurstParameters(readout=readout))
    result = []
    for seed in range(NETWORKS):
        areas = [
            make_area(ablation, pre, post, neuron, 100.0, retro=retro)
            for pre, post in ((6, 12), (12, 8))
        ]
        network = make_stack(ablation, areas)
        network.reset_parameters(seed)
        result.append(network.requires_grad_(False))
    return result


def glances() -> Tensor:
    return torch.rand(WINDOWS, NETWORKS, BATCH, 6, generator=generator(0))


def assert_equal_weights(one: StreamHierarchy, two: StreamHierarchy) -> None:
    for (name, found), expected in zip(one.named_parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4, msg=name)


# The neighbour whose gamma a shuffled sample takes may be of another network; leaky memories are stepped.
SAME = [each for each in get_args(Ablation) if each not in ("shuffled_gamma", "leaky_memory")]


@pytest.mark.parametrize(
    ("ablation", "retro"), [*((each, "tied") for each in SAME), ("none", "free"), ("none", "zero")]
)
def test_side_by_side_is_as_alone(
    ablation: Ablation, retro: Retro, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "draw_counts", expected_counts)
    readout = "opponent" if ablation == "single_population" else "half_wave"
    alone, apart = (networks_of(ablation, retro, readout) for _ in range(2))
    sources, views = [Streams.from_seed(0)] * 2, glances()
    for number, network in enumerate(alone):
        learner, states = StreamLearner(network, 0.01), network.initial_state(BATCH)
        for window in range(WINDOWS):
            states = drawn_windows(network, views[window, number], states, sources)
            learner.learn(states, Y)
            states = network.latch(states)
    run = SideBySide(stack(apart), NETWORKS, BATCH, sources, 0.01, drawn=True)
    for window in range(WINDOWS):
        run.learn(views[window].flatten(0, 1), Y.repeat(NETWORKS))
    before = networks_of(ablation, retro, readout)
    for one, two in zip(apart, before, strict=True):
        assert_equal_weights(one, two)
    unstack(run.network, apart)
    for one, two, start in zip(apart, alone, before, strict=True):
        assert_equal_weights(one, two)
        assert not torch.allclose(one.area(1).weight, start.area(1).weight)


def test_rates_learn_side_by_side_as_alone() -> None:
    alone, apart = (
        [
            StreamHierarchy([StreamArea(6, 5, Rate(), 1.0), StreamArea(5, 3, Rate(), 1.0)])
            for _ in range(NETWORKS)
        ]
        for _ in range(2)
    )
    for seed, (one, two) in enumerate(zip(alone, apart, strict=True)):
        one.reset_parameters(seed)
        two.load_state_dict(one.state_dict())
        one.requires_grad_(False)
    views, opened = glances(), torch.zeros(2, NETWORKS)
    for number, network in enumerate(alone):
        learner, states = StreamLearner(network, 0.01), network.initial_state(BATCH)
        for window in range(WINDOWS):
            states = network.window(views[window, number], states, [None] * 2)
            seen = learner.learn(states, Y)
            opened[:, number] += torch.tensor([area.gate for area in seen])
            states = network.latch(states)
    run = SideBySide(stack(apart), NETWORKS, BATCH, [Streams.from_seed(0)] * 2, 0.01, drawn=False)
    for window in range(WINDOWS):
        run.learn(views[window].flatten(0, 1), Y.repeat(NETWORKS))
    unstack(run.network, apart)
    for one, two in zip(apart, alone, strict=True):
        assert_equal_weights(one, two)
    torch.testing.assert_close(run.gates, opened)


def test_only_dense_areas_are_put_side_by_side() -> None:
    encoder = Encoder(VGG6, 1 / 32)
    encoder.reset_parameters(generator(0))
    network = build_stream(encoder, get_method("clapp"), 0, "rate")
    with pytest.raises(ValueError, match="Only dense"):
        stack([network, network])
