"""Contexts from other areas on streams of maps: against autograd, rate mode and the moments of bursts."""

import pytest
import torch
from torch.nn import functional as F

from clapp_snn.circuit.drawn_window import drawn_windows
from clapp_snn.circuit.engine_choice import choose_engine
from clapp_snn.circuit.gain import Gain
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.functional.map_score import draw_map_saccades, group_views
from clapp_snn.neurons.noise import Streams
from clapp_snn.randomness import generator
from tests.circuit.context_stacks import (
    Y,
    assert_gradients,
    end_of_second,
    images,
    map_stream,
    on_maps,
    predictions,
    streams,
)
from tests.circuit.small_maps import TABLE, build

MAPS = ("clapp-pp", "clapp-pp-dfb", "clapp-pp-both", "clapp-pp-pooled")


@pytest.mark.parametrize("name", MAPS)
def test_maps_in_rate_code_learn_the_gradient(name: str) -> None:
    """With pooling, against autograd through the averaged, flattened maps."""
    network = map_stream(name)
    xs = images(0), images(1)
    updates = list(network.learn(end_of_second(network, xs), Y.double()))
    flat, now = [], [x.permute(0, 3, 1, 2) for x in xs]
    for index, window in enumerate((4, 4, 2)):
        area = network.area(index)
        now = [F.relu(F.conv2d(x.detach(), area.weight, area.bias, padding=1)) for x in now]
        now = [F.max_pool2d(x, 2) for x in now] if TABLE.layers[index].pool else now
        side = now[0].shape[2] if name == "clapp-pp-pooled" else window
        flat.append([F.avg_pool2d(x, side).permute(0, 2, 3, 1).flatten(1) for x in now])
    losses = []
    for index in range(3):
        losses.append(torch.zeros((), dtype=torch.float64))
        for matrix, handed in predictions(network.area(index)):
            c = flat[2 if handed and on_maps(name).context != "same" else index][0].detach()
            u = (flat[index][1] * (c @ matrix.T)).sum(1)
            losses[-1] = losses[-1] + (1 - Y * u).clamp(min=0).sum()
    assert_gradients(updates, losses)


@pytest.mark.parametrize("name", MAPS)
def test_maps_on_streams_have_the_weights_and_scores_of_rate_mode(name: str) -> None:
    """Glance 1 shows first views, glance 2 the second ones (fixations), or those of the next image."""
    rate, network = build(name), map_stream(name)
    first, second = images(0, 2), images(1, 2)
    stimulus = torch.cat((first, second)).permute(0, 3, 1, 2)
    assert rate.objective.sampling == "next"
    landing = draw_map_saccades(rate.objective, [generator(0, "unused")], 2)
    means, x = [], rate.encoder.patches(stimulus)
    for index, window in enumerate(rate.objective.windows):
        x = rate.encoder.respond(index, x, learn=False).output
        side = window or x.shape[1]
        pooled = F.avg_pool2d(x.permute(0, 3, 1, 2), side).permute(0, 2, 3, 1)
        means.append(group_views(pooled, 2))
    for pair, shown in enumerate((second, second.roll(-1, 0))):
        states = end_of_second(network, (first, shown))
        scores = [update.reading.score for update in network.learn(states, torch.ones(2).double())]
        for index, score in enumerate(scores):
            compared = rate.area(index).compare(means[index], means[-1], landing)
            for (mine, _), (yours, _) in zip(
                predictions(network.area(index)), compared, strict=True
            ):
                torch.testing.assert_close(mine, yours)
            # Of the image before last the next one is a first view; the other is the roll above.
            signals = compared[0][1]
            wanted = signals.scores[0, :2, pair] if pair == 0 else signals.scores[0, :1, pair]
            torch.testing.assert_close(score[: len(wanted)], wanted)


@pytest.mark.parametrize("name", ["clapp-pp", "clapp-pp-dfb"])
def test_bursts_on_maps_estimate_the_score_of_all_windows(name: str) -> None:
    """Mean of 400 windows within 4.5 standard errors of the closed form; gain without saturation."""
    network = map_stream(name, "spiking", gain=2.0, window=200.0, copies=2).requires_grad_(False)
    area, repeats = network.area(1), 400
    states = end_of_second(network, (images(0, 1), images(1, 1)), streams())
    latched = network.latch(states)[1]
    area.gain = Gain("fixed", 0.8 / float(latched.apical.abs().max()))
    x = states[1].sums.x[:1] / area.detector.steps
    rows = area.initial_state(repeats)._replace(
        apical=latched.apical.expand(repeats, -1).contiguous()
    )
    inputs, single = x.expand(repeats, *x.shape[1:]).contiguous(), [Streams.from_seed(9)]
    alone = StreamHierarchy([area])
    score = drawn_windows(alone, inputs, [rows], single)[0].detector.u
    a = area.basal.drive(x, area.weight, area.bias)
    z = area.basal.winners(a, torch.zeros_like(a)).clamp(min=0)
    kappa = area.gain.kappa(rows.size[:1])
    moments = area.detector.moments(area.basal.seen(z), latched.apical, kappa)
    u = (area.basal.seen(z) * latched.apical).sum(1)
    torch.testing.assert_close(moments.mean, u)
    assert 0 < float(z.max()) < 5
    error = (float(moments.variance) / repeats) ** 0.5
    assert abs(float(score.mean() - u)) < 4.5 * error
    assert float(score.var() / moments.variance) == pytest.approx(1, abs=0.35)


def test_maps_in_windows_are_left_to_torch_and_it_is_said() -> None:
    network = map_stream("clapp-pp-dfb", "spiking").float()
    engine, reason = choose_engine(network, drawn=True)
    assert engine == "torch"
    assert "WindowedConv" in reason
    engine, reason = choose_engine(network, drawn=False)
    assert engine == "torch"
    assert "window by window" in reason or "compiler" in reason
