"""Updates reach the weights as computed, area by area, and weights that are not finite stop the run."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.drawn_window import drawn_windows
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.stimuli.glances import GlanceStream
from clapp_snn.training.stream_build import build_network, open_objects
from clapp_snn.training.stream_config import StreamConfig
from clapp_snn.training.stream_learner import StreamLearner
from clapp_snn.training.stream_session import StreamSession

TINY = StreamConfig(units=(6, 5), window=30.0, batch=4, seed=3)


def session(config: StreamConfig, samples: range = range(4)) -> StreamSession:
    learner = StreamLearner(build_network(config), config.learning_rate, config.rule)
    stream = GlanceStream(open_objects(config).train, samples, config.seed)
    return StreamSession(learner, stream, config.seed, config.drawn)


def window(it: StreamSession):
    while (seen := it.advance()) is None:
        pass
    return seen


def weights(network: StreamHierarchy) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


@pytest.mark.parametrize("neuron", ["rate", "event_burst"])
def test_sgd_adds_the_mean_change_of_eqs_6_to_8(neuron) -> None:
    config = replace(TINY, neuron=neuron, rule="sgd", learning_rate=0.2)
    it = session(config)
    window(it)
    network = it.network
    before = {p: p.clone() for p in network.parameters()}
    assert it._seen is not None
    glance = it._seen[0]
    twin = session(config)
    window(twin)
    window(twin)
    # The same window once more by hand: read it with the weights of before.
    if it.drawn:
        states = drawn_windows(network, glance.view.flatten(1), it.states, it.sources)
    else:
        states = network.window(glance.view.flatten(1), it.states, it.sources)
    for _, changes, _ in network.learn(states, glance.y):
        for parameter, change in changes:
            parameter.copy_(before[parameter] + 0.2 * change / 4)
    moved = [not torch.equal(p, before[p]) for p in network.parameters()]
    assert any(moved)
    for one, two in zip(weights(network), weights(twin.network), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-8)


def test_the_first_window_changes_nothing() -> None:
    it = session(TINY)
    before = weights(it.network)
    seen = window(it)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(it.network), strict=True))
    assert [area.gate for area in seen] == [1, 1]


def test_reports_are_those_of_the_readings() -> None:
    it = session(replace(TINY, neuron="rate"))
    window(it)
    assert it._seen is not None
    glance = it._seen[0]
    x, states = glance.view.flatten(1), it.states
    states = it.network.window(x, states, it.sources)
    readings = [reading for _, _, reading in it.network.learn(states, glance.y)]
    for seen, reading in zip(window(it), readings, strict=True):
        hinge = (1 - glance.y * reading.score).clamp(min=0).mean()
        assert seen.loss == pytest.approx(float(hinge))
        assert seen.gate == pytest.approx(float((reading.gamma != 0).float().mean()))
        assert seen.activity == pytest.approx(float(reading.traces.z.mean()))


def test_weights_that_are_not_finite_name_their_area() -> None:
    it = session(TINY)
    window(it)
    with torch.no_grad():
        it.network.area(1).W_pred[0, 0] = torch.nan
    with pytest.raises(DivergenceError, match="area 2 are not finite"):
        window(it)


@pytest.mark.parametrize("neuron", ["rate", "event_burst"])
def test_learning_lowers_the_loss_of_every_area(neuron) -> None:
    """Mean hinge of windows 2 to 30 against the last 30 of 250; 0.06 is far beyond the noise of 32 x 30."""
    config = StreamConfig(neuron=neuron, units=(32, 32), batch=32, learning_rate=3e-3, seed=1)
    it = session(config, range(32))
    losses = torch.tensor([[area.loss for area in window(it)] for _ in range(250)])
    assert bool((losses[-30:].mean(0) < losses[1:30].mean(0) - 0.06).all())
