"""Stacked stream areas: locality bit by bit, time, and a task that can only be learned from predictions."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.stream_area import Step, StreamArea, StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy, StreamUpdate
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.interface import Neuron
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.randomness import generator

SIZES = (10, 8, 9, 7)


def stack(neuron: Neuron, window: float) -> StreamHierarchy:
    areas = [StreamArea(a, b, neuron, window) for a, b in pairwise(SIZES)]
    hierarchy = StreamHierarchy(areas)
    hierarchy.reset_parameters(seed=1)
    with torch.no_grad():
        for area in areas:
            area.weight *= 3
            area.bias.abs_()
    return hierarchy


def sources(seed: int = 0) -> list[Streams]:
    return [Streams.from_seed(seed, "area", index) for index in range(3)]


def glance(index: int) -> Tensor:
    return 2 * torch.rand(6, SIZES[0], generator=generator(index, "glance"))


def learn(hierarchy: StreamHierarchy) -> list[StreamUpdate]:
    states, streams = hierarchy.initial_state(6), sources()
    states = hierarchy.latch(hierarchy.window(glance(0), states, streams))
    states = hierarchy.window(glance(1), states, streams)
    return list(hierarchy.learn(states, torch.ones(6)))


def same(a: StreamUpdate, b: StreamUpdate) -> bool:
    return all(
        torch.equal(one, two) for (_, one), (_, two) in zip(a.changes, b.changes, strict=True)
    )


CODES = [(Rate(), 1.0), (EventBurst(), 60.0)]


@pytest.mark.parametrize(("neuron", "window"), CODES)
def test_later_areas_leave_earlier_updates_bit_identical(neuron: Neuron, window: float) -> None:
    hierarchy = stack(neuron, window)
    before = learn(hierarchy)
    with torch.no_grad():
        hierarchy.area(1).weight.add_(0.1)
        hierarchy.area(1).W_pred.add_(0.1)
    after = learn(hierarchy)
    assert [same(a, b) for a, b in zip(before, after, strict=True)] == [True, False, False]


@pytest.mark.parametrize(("neuron", "window"), CODES)
def test_another_areas_gamma_leaves_all_updates_bit_identical(
    neuron: Neuron, window: float
) -> None:
    """W_pred decides its own area's score and gamma; even the areas above do not notice."""
    hierarchy = stack(neuron, window)
    before = learn(hierarchy)
    with torch.no_grad():
        hierarchy.area(1).W_pred.mul_(-50)
    after = learn(hierarchy)
    assert not torch.equal(before[1].reading.gamma, after[1].reading.gamma)
    assert [same(a, b) for a, b in zip(before, after, strict=True)] == [True, False, True]


def test_every_parameter_of_every_area_learns() -> None:
    hierarchy = stack(EventBurst(), 60.0)
    touched = {id(p) for update in learn(hierarchy) for p, change in update.changes if change.any()}
    assert touched == {id(p) for p in hierarchy.parameters()}


def test_input_in_time_and_constant_input_agree() -> None:
    hierarchy = stack(EventBurst(), 30.0)
    states = hierarchy.initial_state(6)
    constant = hierarchy.window(glance(0), states, sources())
    in_time = hierarchy.window(glance(0).expand(30, -1, -1), states, sources())
    for one, two in zip(constant, in_time, strict=True):
        assert torch.equal(one.sums.z, two.sums.z)


def test_watchers_see_every_step_of_every_area() -> None:
    hierarchy = stack(EventBurst(), 5.0)
    seen: list[tuple[int, int]] = []
    events = torch.zeros(3)

    def watch(area: int, index: int, step: Step, state: StreamAreaState) -> None:
        seen.append((area, index))
        events[area] += step.outputs.event.sum()
        assert int(state.elapsed) == index + 1

    states = hierarchy.window(glance(0), hierarchy.initial_state(6), sources(), watch)
    assert seen == [(area, index) for index in range(5) for area in range(3)]
    counted = torch.stack([(state.sums.z * 2 * 20 * 0.001).sum() for state in states])
    torch.testing.assert_close(counted, events)


def test_areas_that_do_not_fit_are_refused() -> None:
    one = StreamArea(4, 5, EventBurst(), 20.0)
    with pytest.raises(ValueError, match="6 inputs cannot follow one of 5 units"):
        StreamHierarchy([one, StreamArea(6, 5, EventBurst(), 20.0)])
    with pytest.raises(ValueError, match="same window"):
        StreamHierarchy([one, StreamArea(5, 5, EventBurst(), 30.0)])
    with pytest.raises(ValueError, match="same window"):
        StreamHierarchy([one, StreamArea(5, 5, EventBurst(dt=0.5), 20.0)])
    with pytest.raises(ValueError, match="at least one area"):
        StreamHierarchy([])
    hierarchy = StreamHierarchy([one])
    hierarchy.reset_parameters(0)
    states = hierarchy.initial_state(2)
    with pytest.raises(ValueError, match="20 steps, but the input has 3"):
        hierarchy.window(torch.zeros(3, 2, 4), states, [None])
    with pytest.raises(ValueError, match="2 samples of 4, not shape"):
        hierarchy.window(torch.zeros(2, 3), states, [None])
    with pytest.raises(ValueError, match="not finite"):
        hierarchy.window(torch.full((2, 4), float("nan")), states, [None])


def objects(samples: int, stream: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Two glances: at two noisy views of one object (y = +1), or at two objects (y = -1)."""
    shapes = torch.rand(4, 16, generator=generator(0, "objects"))
    shapes = 2 * (shapes > 0.6).float()
    first = torch.randint(4, (samples,), generator=stream)
    y = 2.0 * torch.randint(2, (samples,), generator=stream) - 1
    second = torch.where(
        y > 0, first, (first + torch.randint(1, 4, (samples,), generator=stream)) % 4
    )

    def view(which: Tensor) -> Tensor:
        return (shapes[which] + 0.4 * torch.randn(samples, 16, generator=stream)).clamp(min=0)

    return view(first), view(second), y


@pytest.mark.parametrize(
    ("neuron", "window", "least"), [(Rate(), 1.0, 0.9), (EventBurst(), 40.0, 0.8)]
)
def test_an_area_learns_to_tell_fixations_from_saccades(
    neuron: Neuron, window: float, least: float
) -> None:
    """Share of scores with the sign of y, computed in exact rates, before and after learning with the code's
    own gamma and traces. One glance alone says nothing about y. Spike budget n = rho T M = 0.8.
    """
    area = StreamArea(16, 12, neuron, window)
    area.reset_parameters(generator(3, "area"))
    streams = Streams.from_seed(5)
    hierarchy = StreamHierarchy([area])

    def correct() -> float:
        x_prev, x, y = objects(1000, generator(99, "test"))
        with torch.no_grad():
            c, z = (torch.relu(each @ area.weight.T + area.bias) for each in (x_prev, x))
            u = ((z @ area.W_pred) * c).sum(1)
        return float((u * y > 0).float().mean())

    assert correct() < 0.7
    stream = generator(1, "training")
    for _ in range(80):
        x_prev, x, y = objects(64, stream)
        states = hierarchy.latch(hierarchy.window(x_prev, hierarchy.initial_state(64), [streams]))
        states = hierarchy.window(x, states, [streams])
        (update,) = hierarchy.learn(states, y)
        with torch.no_grad():
            for parameter, change in update.changes:
                parameter.add_(change, alpha=0.04 / 64)
    assert correct() > least


def test_every_area_needs_its_state_and_source() -> None:
    hierarchy = StreamHierarchy([StreamArea(4, 4, EventBurst(), 2.0) for _ in range(2)])
    hierarchy.reset_parameters(0)
    states, sources = hierarchy.initial_state(3), [Streams.from_seed(index) for index in range(2)]
    x = torch.ones(3, 4)
    for run in (hierarchy.step, hierarchy.window):
        with pytest.raises(ValueError, match="2 areas needs as many sources, not 1"):
            run(x, states, sources[:1])
        with pytest.raises(ValueError, match="2 areas needs as many states, not 1"):
            run(x, states[:1], sources)
    with pytest.raises(ValueError, match="as many states"):
        hierarchy.latch(states[:1])
    with pytest.raises(ValueError, match="as many states"):
        list(hierarchy.learn(states[:1], torch.ones(3)))
