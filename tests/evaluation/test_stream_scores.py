"""Scores of frozen networks on a stream, and the traces of one area over a few glances."""

from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from clapp_snn.circuit.basal import Conv
from clapp_snn.circuit.gain import Gain
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_context import ContextHierarchy
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.evaluation.glance_traces import other_object, watch_glances
from clapp_snn.evaluation.stream_scores import stream_scores
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.rate import Rate
from clapp_snn.randomness import generator
from clapp_snn.stimuli.digits import DigitSet, open_digits
from clapp_snn.stimuli.glances import GlanceStream

DIGITS = open_digits(0).test


def stack(*areas: StreamArea) -> StreamHierarchy:
    hierarchy = StreamHierarchy(areas)
    hierarchy.reset_parameters(3)
    return hierarchy.requires_grad_(False)


def test_scores_of_rate_neurons_are_those_of_the_last_two_activities() -> None:
    network = stack(StreamArea(64, 12, Rate(), 1.0), StreamArea(12, 7, Rate(), 1.0))
    with torch.no_grad():
        network.area(0).W_pred.mul_(20)
    before = [parameter.clone() for parameter in network.parameters()]
    stream = GlanceStream(DIGITS, range(4), seed=5)
    found = stream_scores(network, stream, windows=3, seed=0, warm_up=2)
    assert found.score.shape == found.gamma.shape == (2, 3, 4)
    position, activities = stream.start(), []
    for number in range(5):
        glance, position = stream.next(position)
        z = glance.view.flatten(1)
        layers = []
        for area in (network.area(0), network.area(1)):
            z = torch.relu(F.linear(z, area.weight, area.bias))
            layers.append(z)
        activities.append(layers)
        if number >= 2:
            assert torch.equal(found.y[number - 2], glance.y)
            for index in range(2):
                now, last = activities[number][index], activities[number - 1][index]
                u = (now * F.linear(last, network.area(index).W_pred)).sum(1)
                torch.testing.assert_close(found.score[index, number - 2], u)
                gamma = glance.y * (1 - glance.y * u > 0)
                assert torch.equal(found.gamma[index, number - 2], gamma)
    assert set(found.gamma[0].unique().tolist()) == {-1.0, 0.0, 1.0}
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    with pytest.raises(ValueError, match="at least one window"):
        stream_scores(network, stream, windows=0, seed=0)


def test_the_score_in_the_traces_is_that_of_the_counted_bursts() -> None:
    """All units are shown: the score at the end of a window is the weight of a burst times ON minus OFF."""
    area = StreamArea(64, 20, EventBurst(), 200.0, settle=50.0, gain=Gain(slope=2.0))
    network = stack(area)
    traces = watch_glances(network, DIGITS, seed=1)
    assert traces.inputs is None
    assert traces.spikes.shape == traces.bursts.shape == (750, 40)
    assert bool((traces.spikes | ~traces.bursts).all())
    weight = 1 / (20.0 * 0.2 * 2.0)
    counts = []
    for number, glance in enumerate(traces.glances):
        bursts = traces.bursts[250 * number + 50 : 250 * (number + 1)].sum(0)
        counts.append(int(bursts[:20].sum() - bursts[20:].sum()))
        score = float(traces.score[250 * (number + 1) - 1])
        assert score == pytest.approx(weight * counts[-1], abs=1e-4)
        assert float(traces.fixation[250 * (number + 1) - 1]) == pytest.approx(1 - score, abs=1e-4)
        assert glance.gamma == glance.y * (1 - glance.y * score > 0)
    assert counts[0] == 0 == traces.glances[0].true
    assert any(counts[1:])


def test_input_events_have_the_rate_that_was_asked_for() -> None:
    network = stack(StreamArea(64, 8, EventBurst(), 1000.0))
    traces = watch_glances(network, DIGITS, seed=2, input_rate=100.0)
    assert traces.inputs is not None
    views = [
        DIGITS.views(torch.tensor([index]), [generator(2, "view", number)])
        for number, index in enumerate((0, 0, other_object(DIGITS)))
    ]
    for number, view in enumerate(views):
        count = int(traces.inputs[1000 * number : 1000 * (number + 1)].sum())
        mean = 100.0 * float(view.sum())
        assert abs(count - mean) < 4.5 * mean**0.5


def test_contexts_from_above_reach_the_watched_area() -> None:
    """Rate neurons: the score is z . W_pred c with c the top area's last activity."""
    lower = StreamArea(64, 8, Rate(), 1.0, retro="zero", context=5)
    network = ContextHierarchy([lower, StreamArea(8, 5, Rate(), 1.0, retro="zero")], "top")
    network.reset_parameters(3)
    network.requires_grad_(False)
    network.area(0).W_pred.mul_(20)
    traces = watch_glances(network, DIGITS, seed=2)
    x = [
        DIGITS.views(torch.tensor([index]), [generator(2, "view", number)]).flatten(1)
        for number, index in enumerate((0, 0, other_object(DIGITS)))
    ]
    wanted = [0.0]
    for before, now in pairwise(x):
        c = before
        for index in range(2):
            area = network.area(index)
            c = torch.relu(c @ area.weight.T + area.bias)
        z = torch.relu(now @ lower.weight.T + lower.bias)
        wanted.append(float((z * (c @ lower.W_pred.T)).sum()))
    assert [glance.true for glance in traces.glances] == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    assert min(map(abs, wanted[1:])) > 1e-3


def test_negative_input_does_not_arrive_as_events() -> None:
    signed = DigitSet(DIGITS.images - 1.0, DIGITS.labels)
    network = stack(StreamArea(64, 8, EventBurst(), 20.0))
    with pytest.raises(ValueError, match="below 0"):
        watch_glances(network, signed, seed=0, input_rate=100.0)


def test_maps_show_the_channels_of_their_centre() -> None:
    area = StreamArea(1, 6, EventBurst(), 20.0, basal=Conv(8, 8))
    traces = watch_glances(stack(area), DIGITS, seed=0)
    assert traces.spikes.shape == (60, 12)


def test_the_other_object_is_of_another_class() -> None:
    other = other_object(DIGITS)
    assert int(DIGITS.labels[other]) != int(DIGITS.labels[0])
    assert bool((DIGITS.labels[:other] == DIGITS.labels[0]).all())
