"""Contexts from other areas on a stream: the rate code against autograd and rate mode, spikes against rates,
what reaches whom, and which code computes it."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn import native
from clapp_snn.circuit.apical_memory import LeakyTrace
from clapp_snn.circuit.build_stream import build_stream, learns_on_streams
from clapp_snn.circuit.drawn_window import drawn_windows
from clapp_snn.circuit.engine_choice import choose_engine
from clapp_snn.circuit.fast_drawn import FastDrawn
from clapp_snn.circuit.gain import Gain
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_context import (
    ContextHierarchy,
    StreamSource,
    area_with_context,
    stream_source,
    why_not_on_streams,
)
from clapp_snn.circuit.stream_hierarchy import StreamUpdate
from clapp_snn.circuit.two_contexts import TwoContexts
from clapp_snn.circuit.windowed_conv import WindowedConv
from clapp_snn.evaluation.synaptic_operations import network_operations
from clapp_snn.methods import TABLES, get_method
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.interface import Neuron
from clapp_snn.neurons.rate import Rate
from clapp_snn.randomness import generator
from tests.circuit.context_stacks import (
    SAMPLES,
    SOURCES,
    UNITS,
    Y,
    assert_gradients,
    dense,
    end_of_second,
    glance,
    predictions,
    small_encoder,
    streams,
)


@pytest.mark.parametrize("context", SOURCES)
def test_dense_areas_in_rate_code_learn_the_gradient(context: StreamSource) -> None:
    """float64 against autograd; no gradient between areas, or to the source of the context."""
    network = dense(context).double()
    xs = glance(0).double(), glance(1).double()
    updates = list(network.learn(end_of_second(network, xs), Y.double()))
    activity, now = [], list(xs)
    for index in range(3):
        area = network.area(index)
        now = [torch.relu(F.linear(x.detach(), area.weight, area.bias)) for x in now]
        activity.append(now)
    losses = []
    for index in range(3):
        losses.append(torch.zeros((), dtype=torch.float64))
        for number, (matrix, handed) in enumerate(predictions(network.area(index))):
            c = activity[network.predicted_by[index] if handed else index][0].detach()
            u = (activity[index][1] * (c @ matrix.T)).sum(1)
            if number == 0:
                torch.testing.assert_close(updates[index].reading.score, u.detach())
            losses[-1] = losses[-1] + (1 - Y * u).clamp(min=0).sum()
    gates = torch.cat([update.reading.gamma.abs() for update in updates])
    assert 0 < float(gates.mean()) < 1
    assert_gradients(updates, losses)


def linear(context: StreamSource, copies: int) -> ContextHierarchy:
    """Nothing is rectified, so that noise of counts stays noise; n = 20 `copies`."""
    network = dense(context, EventBurst(), 1000.0, copies=copies, gain=Gain("fixed", 0.1))
    with torch.no_grad():
        for area in network.areas:
            area.weight.abs_().mul_(0.5)
            area.bias.abs_()
    return network


@pytest.mark.parametrize("context", ["above", "top"])
def test_spiking_updates_approach_the_rates_as_the_root_of_the_budget(
    context: StreamSource,
) -> None:
    """|dW_spikes - dW_rate| / |dW_rate| ~ n^(-1/2) for Eq. 6 and for Eq. 8 with the context of another area,
    n from 20 to 1280 events; mean of 40 draws, gamma = 1, slopes within 0.05 (reference 3.3)."""
    reference = dense(context)
    budgets = (1, 4, 16, 64)
    errors = torch.zeros(2, len(budgets))
    repeats = 40
    xs = tuple(glance(index, 2).repeat(repeats, 1) for index in (0, 1))
    for at, copies in enumerate(budgets):
        network = linear(context, copies)
        reference.load_state_dict(network.state_dict())
        exact = end_of_second(reference, (glance(0, 2), glance(1, 2)))
        rates = reference.area(0)._traces(exact[0])
        sources = streams(at)
        states = drawn_windows(network, xs[0], network.initial_state(2 * repeats), sources)
        states = drawn_windows(network, xs[1], network.latch(states), sources)
        held = network.area(0)._traces(states[0])
        for row, (a, b) in enumerate((("A", "d"), ("z", "c"))):
            wanted = torch.einsum("sj,sk->sjk", getattr(rates, a), getattr(rates, b))
            found = torch.einsum("sj,sk->sjk", getattr(held, a), getattr(held, b))
            miss = found.unflatten(0, (repeats, 2)) - wanted
            relative = miss.flatten(2).norm(dim=2) / wanted.flatten(1).norm(dim=1)
            errors[row, at] = relative.mean()
    x = torch.tensor(budgets).log()
    slope = ((x - x.mean()) * (errors.log() - errors.log().mean(1, keepdim=True))).sum(1)
    slope = slope / (x - x.mean()).square().sum()
    assert float((slope + 0.5).abs().max()) < 0.05, slope
    assert float(errors[:, -1].max()) < 0.06


def learn(network: ContextHierarchy, sources: list | None = None) -> list[StreamUpdate]:
    return list(network.learn(end_of_second(network, (glance(0), glance(1)), sources), Y))


def same(a: StreamUpdate, b: StreamUpdate) -> bool:
    pairs = zip(a.changes, b.changes, strict=True)
    return all(torch.equal(one, two) for (_, one), (_, two) in pairs)


CODES = [(Rate(), 1.0), (EventBurst(), 20.0)]


@pytest.mark.parametrize("context", SOURCES)
@pytest.mark.parametrize(("neuron", "window"), CODES)
def test_another_areas_prediction_and_gamma_leave_updates_bit_identical(
    context: StreamSource, neuron: Neuron, window: float
) -> None:
    """Also those of the area that is the source, and of those it predicts."""
    network = dense(context, neuron, window)
    for changed in range(3):
        before = learn(network, streams())
        with torch.no_grad():
            for matrix, _ in predictions(network.area(changed)):
                matrix.mul_(-50)
        after = learn(network, streams())
        gammas = before[changed].reading.gamma, after[changed].reading.gamma
        assert not torch.equal(*gammas)
        kept = [same(a, b) for a, b in zip(before, after, strict=True)]
        assert kept == [index != changed for index in range(3)]


@pytest.mark.parametrize(("neuron", "window"), CODES)
def test_weights_of_later_areas_reach_an_area_through_its_context_alone(
    neuron: Neuron, window: float
) -> None:
    """Area 1 is predicted by area 2 ("above") or 3 ("top"). Weights of area 3 that change reach it only in
    the second case, only a window later, and not at all where the context is held."""
    cases: list[tuple[StreamSource, bool]] = [("above", False), ("top", True)]
    for context, reached in cases:
        network = dense(context, neuron, window)
        before = learn(network, streams())
        sources = streams()
        states = network.window(glance(0), network.initial_state(SAMPLES), sources)
        states = network.latch(states)
        with torch.no_grad():
            network.area(2).weight.add_(0.3)
        now = list(network.learn(network.window(glance(1), states, sources), Y))
        assert [same(a, b) for a, b in zip(before, now, strict=True)] == [True, True, False]
        later = learn(network, streams())
        assert same(before[0], later[0]) == (not reached)

        held = end_of_second(network, (glance(0), glance(1)), streams())
        if reached:
            assert not torch.equal(held[0].memory.context, states[0].memory.context)
        kept = network.area(0).read(held[0]._replace(memory=states[0].memory), Y)
        torch.testing.assert_close(kept.traces.c, before[0].reading.traces.c, rtol=0, atol=0)
        assert torch.equal(kept.traces.z, before[0].reading.traces.z)
        assert torch.equal(kept.traces.x, before[0].reading.traces.x)


@pytest.mark.parametrize("context", ["top", "both"])
def test_no_graph_is_built_and_every_parameter_learns(context: StreamSource) -> None:
    network = dense(context, EventBurst(), 60.0)

    def refuse(saved: Tensor) -> Tensor:
        raise AssertionError(f"autograd saved a tensor of shape {tuple(saved.shape)}")

    with torch.autograd.graph.saved_tensors_hooks(refuse, refuse):
        updates = learn(network, streams())
        network.latch(end_of_second(network, (glance(0), glance(1)), streams()))
    changes = [change for update in updates for _, change in update.changes]
    assert all(not change.requires_grad and bool(change.any()) for change in changes)
    found = {id(p) for update in updates for p, _ in update.changes}
    assert found == {id(p) for p in network.parameters()}


@pytest.mark.parametrize("context", ["top", "both"])
def test_two_runs_are_identical(context: StreamSource) -> None:
    one, two = (learn(dense(context, EventBurst(), 60.0), streams()) for _ in range(2))
    assert all(same(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.skipif(not native.available(), reason="needs a C compiler")
@pytest.mark.parametrize("context", ["above", "top"])
@pytest.mark.parametrize("code", ["rate", "spiking"])
def test_the_compiled_engine_hands_down_the_same_contexts(context: StreamSource, code: str) -> None:
    """Rates agree with the eager stack, two windows long. Of spikes, what was counted is handed down."""
    rate = code == "rate"
    options = {} if rate else {"neuron": EventBurst(), "window": 200.0}
    one, two = (dense(context, **options).requires_grad_(False) for _ in range(2))
    assert choose_engine(two, not rate) == (
        "native",
        "windows are drawn at once by compiled kernels",
    )
    states, fast = one.initial_state(SAMPLES), FastDrawn(two, SAMPLES)
    counters = [CounterStreams(5, index, samples=range(SAMPLES)) for index in range(3)]
    for number in range(3):
        x = glance(number)
        fast.window(x, [None] * 3 if rate else counters)
        held = [(area.c.clone(), area.z.clone()) for area in fast.areas]
        if rate:
            states = one.window(x, states, [None] * 3)
            eager = list(one.learn(states, Y))
            for mine, quick in zip(eager, fast.learn(Y), strict=True):
                for (parameter, change), (other, wanted) in zip(
                    mine.changes, quick.changes, strict=True
                ):
                    torch.testing.assert_close(wanted, change, rtol=1e-4, atol=1e-5)
                    parameter += 0.01 * change
                    other += 0.01 * wanted
            states = one.latch(states)
        fast.latch()
        for area, source in zip(fast.areas, two.predicted_by, strict=True):
            assert torch.equal(area.c, held[source][1])
            torch.testing.assert_close(area.apical, area.area.predict(area.c))
    for eager_state, quick_state in zip(states if rate else [], fast.states(), strict=rate):
        torch.testing.assert_close(quick_state.apical, eager_state.apical, rtol=1e-4, atol=1e-5)


def test_rows_that_learn_on_streams_and_why_the_others_do_not() -> None:
    able = {name for name, each in TABLES["images"].items() if learns_on_streams(each)}
    wanted = {"clapp-pp": "same", "clapp-pp-dfb": "top", "clapp-pp-pooled": "same"}
    wanted |= {
        "clapp-pp-both": "both",
        "clapp-fb": "above",
        "clapp": "same",
        "clapp-zero-retro": "same",
    }
    assert able == set(wanted)
    for name, source in wanted.items():
        assert stream_source(get_method(name)) == source
    reasons = {
        "clapp-s": "at once",
        "clapp-s-above": "at once",
        "clapp-pp-end-to-end": "back-propagation",
        "hinge-dfa": "error of the top area",
        "hinge-predictive-coding": "error of the top area",
        "lpl": "no score",
        "supervised": "labels",
        "random": "does not learn",
        "cpc": "back-propagation",
        "gim-layerwise": "at once",
    }
    for name, reason in reasons.items():
        assert reason in (why_not_on_streams(get_method(name)) or "")
    with pytest.raises(ValueError, match=r"'lpl' cannot learn .* no score.* one of: clapp, "):
        build_stream(small_encoder(), get_method("lpl"), 0)
    speech = next(each for each in TABLES["speech"].values() if each.context == "recurrent")
    with pytest.raises(ValueError, match="recurrent layer"):
        stream_source(speech)


def test_areas_and_stacks_that_do_not_fit_are_refused() -> None:
    def area(pre: int, post: int, context: int | None, **options) -> StreamArea:
        return StreamArea(pre, post, EventBurst(), 20.0, context=context, **options)

    zero = {"retro": "zero"}
    with pytest.raises(ValueError, match="retro='zero', not 'tied'"):
        area(4, 5, 6)
    with pytest.raises(ValueError, match="traces its own"):
        area(4, 5, 6, memory=LeakyTrace(10.0), **zero)
    with pytest.raises(ValueError, match="retro='zero', not 'free'"):
        StreamArea(1, 2, Rate(), 1.0, retro="free", basal=WindowedConv(4, 4, window=2))
    with pytest.raises(ValueError, match="3 x 3 do not fill a map of 4 x 4"):
        WindowedConv(4, 4, window=3)
    top = area(5, 6, None, **zero)
    with pytest.raises(ValueError, match=r"area 2, which has 6 values .* by 5 values"):
        ContextHierarchy([area(4, 5, 5, **zero), top], "top")
    with pytest.raises(ValueError, match="predicted by itself"):
        ContextHierarchy([area(4, 5, None, **zero), top], "above")
    with pytest.raises(ValueError, match="same, above, top, both, not 'below'"):
        ContextHierarchy([top], "below")  # type: ignore[arg-type]
    lower = area(4, 5, 6, **zero)
    network = ContextHierarchy([lower, top], "top")
    network.reset_parameters(0)
    state = network.initial_state(2)[0]
    with pytest.raises(ValueError, match="latch the stack"):
        lower.latch(state)
    with pytest.raises(ValueError, match="6 values, not 5"):
        lower.latch(state, torch.zeros(2, 5))
    twice = ContextHierarchy(
        [
            area_with_context("both", i, (5, 6), (4, 5)[i], (5, 6)[i], Rate(), window=1.0, **zero)
            for i in (0, 1)
        ],
        "both",
    )
    twice.reset_parameters(0)
    with pytest.raises(ValueError, match="the 6 values of the top area"):
        twice.area(0).latch(twice.initial_state(2)[0])
    with pytest.raises(ValueError, match="context 'top'"):
        ContextHierarchy([twice.area(0), twice.area(1)], "top")
    with pytest.raises(ValueError, match="traces its own"):
        TwoContexts(4, 5, EventBurst(), 20.0, top=6, memory=LeakyTrace(10.0), **zero)
    with pytest.raises(ValueError, match="retro='zero'"):
        TwoContexts(4, 5, EventBurst(), 20.0, top=6)
    sources = streams(areas=2)
    states = network.window(torch.rand(2, 4), network.initial_state(2), sources)
    readings = [each.reading for each in network.learn(states, torch.ones(2))]
    with pytest.raises(ValueError, match="predict themselves"):
        network_operations(network, states, readings, torch.ones(2, 4))


def test_two_populations_of_an_area_have_spikes_and_gammas_of_their_own() -> None:
    """The first is an area that predicts itself, the second one that the top area predicts; basal synapses
    add what both make of the window."""
    both = dense("both", EventBurst(), 60.0, copies=2)
    x, noise = (glance(0), glance(1)), streams(4)
    states = both.initial_state(SAMPLES)
    for each in x:
        states = both.latch(drawn_windows(both, each, states, noise))
    states = drawn_windows(both, x[0], states, noise)
    own, second = states[0], states[0].memory.second
    assert not torch.equal(own.sums.z, second.sums.z)
    torch.testing.assert_close(both.area(0).told(states[0]) * 60, (own.sums.z + second.sums.z) / 2)
    torch.testing.assert_close(states[1].sums.x / 60, both.area(0).told(states[0]))
    reading = both.area(0).read(states[0], Y)
    changes = dict(both.area(0).changes(reading.update))
    for name, state, size in (("W_pred", own, None), ("W_top", second, UNITS[3])):
        alone = StreamArea(
            UNITS[0], UNITS[1], EventBurst(), 60.0, copies=2, retro="zero", context=size
        )
        alone.reset_parameters(generator(0, "unused"))
        if name == "W_pred":
            state = state._replace(
                memory=alone.memory.initial_state(own.apical)._replace(context=own.memory.context)
            )
        found = alone.read(state, Y)
        assert torch.equal(changes[getattr(both.area(0), name)], found.update.W_pred)
        changes[both.area(0).weight] = changes[both.area(0).weight] - found.update.weight
    assert float(changes[both.area(0).weight].abs().max()) < 1e-5


def test_two_populations_are_left_to_torch() -> None:
    engine, reason = choose_engine(dense("both", EventBurst(), 60.0), drawn=True)
    assert engine == "torch"
    assert "TwoContexts" in reason


def test_the_page_runs() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "howto" / "feedback_streams.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict = {}
    exec(compile(block, "feedback_streams", "exec"), names)
    states, network = names["states"], names["network"]
    assert states[0].memory.context.shape == (8, 12)
    assert torch.equal(states[0].memory.context, states[2].memory.context)
    assert network.predicted_by == [2, 2, 2]
