"""Compiled windows that are one draw: rate neurons as the eager stack does, L3 by the same law."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.ablations import make_area, make_stack
from clapp_snn.circuit.basal import Conv
from clapp_snn.circuit.drawn_window import drawn_windows
from clapp_snn.circuit.engine_choice import choose_engine, require_native
from clapp_snn.circuit.fast_drawn import FastDrawn
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.randomness import generator

SAMPLES = 6


def dense(neuron, units=(9, 7, 5), **options) -> StreamHierarchy:
    network = StreamHierarchy(
        [StreamArea(pre, post, neuron, **options) for pre, post in pairwise(units)]
    )
    return ready(network)


def maps(neuron, **options) -> StreamHierarchy:
    """With and without pooling, and few input channels as well as several."""
    shapes = ((3, 8, Conv(8, 8)), (8, 6, Conv(8, 8, True)), (6, 7, Conv(4, 4, True)))
    return ready(
        StreamHierarchy(
            [StreamArea(a, b, neuron, basal=basal, **options) for a, b, basal in shapes]
        )
    )


def ready(network: StreamHierarchy) -> StreamHierarchy:
    network.reset_parameters(3)
    network.requires_grad_(False)
    for index in range(len(network.areas)):
        network.area(index).weight.mul_(2)
    return network


def glance(network: StreamHierarchy, window: int, samples: int = SAMPLES) -> Tensor:
    shape = (samples, *network.area(0).input_shape)
    return torch.randn(shape, generator=generator(window, "glance"))


def signs(window: int, samples: int = SAMPLES) -> Tensor:
    return torch.where(torch.rand(samples, generator=generator(window, "y")) < 0.5, -1.0, 1.0)


def counters(network: StreamHierarchy, samples: int = SAMPLES) -> list[CounterStreams]:
    areas = range(len(network.areas))
    return [CounterStreams(5, "area", index, samples=range(samples)) for index in areas]


@pytest.mark.parametrize("build", [dense, maps])
@pytest.mark.parametrize("retro", ["tied", "free", "zero"])
def test_rate_neurons_learn_as_the_eager_stack(build, retro) -> None:
    """Three windows with learning; to a few 1e-5 of the largest value, what Winograd's scheme costs."""
    neuron = Rate()
    one, two = (build(neuron, window=neuron.dt, retro=retro) for _ in range(2))
    states, fast = one.initial_state(SAMPLES), FastDrawn(two, SAMPLES)
    nothing = [None] * len(one.areas)
    for window in range(3):
        x, y = glance(one, window), signs(window)
        _, states = one.step(x, states, nothing)
        fast.window(x, nothing)
        for eager, quick in zip(one.learn(states, y), fast.learn(y), strict=True):
            assert torch.equal(eager.reading.gamma, quick.gamma)
            close(quick.score, eager.reading.score)
            close(quick.z, eager.reading.traces.z)
            for (mine, change), (yours, same) in zip(eager.changes, quick.changes, strict=True):
                close(same, change)
                mine += 0.01 * change
                yours += 0.01 * change
        states = one.latch(states)
        fast.latch()
    for eager, quick in zip(states, fast.states(), strict=True):
        for name in ("basal", "apical", "x_prev", "size", "share"):
            close(getattr(quick, name), getattr(eager, name))
        close(quick.memory.context, eager.memory.context)
        assert torch.equal(quick.d_prev, eager.d_prev)
        assert quick.d_prev.any()


def close(one: Tensor, two: Tensor) -> None:
    scale = max(float(two.abs().max()), 1e-6)
    torch.testing.assert_close(one, two, rtol=1e-4, atol=3e-5 * scale)


@pytest.mark.parametrize("build", [dense, maps])
@pytest.mark.parametrize("readout", ["half_wave", "opponent"])
def test_l3_has_the_law_of_drawn_windows(build, readout: str) -> None:
    """After two windows of 600 equal samples: means of activity, score and their product, and variances.

    Means within 4.5 standard errors; log variances within 4.5 standard errors, from the samples' kurtosis.
    """
    count = 600
    neuron = EventBurst(EventBurstParameters(readout=readout))
    found = []
    for compiled in (False, True):
        network = build(neuron, window=100.0, copies=2)
        areas = range(len(network.areas))
        states, fast = network.initial_state(count), FastDrawn(network, count)
        sources = [Streams.from_seed(1, "eager", index) for index in areas]
        numbered = counters(network, count)
        for window in range(2):
            x = glance(network, window, 1).expand(count, *network.area(0).input_shape).contiguous()
            if compiled:
                fast.window(x, numbered)
                _ = fast.latch() if window == 0 else None
            else:
                states = drawn_windows(network, x, states, sources)
                states = network.latch(states) if window == 0 else states
        y = torch.ones(count)
        if compiled:
            said = [(learned.score, learned.z) for learned in fast.learn(y)]
        else:
            said = [(u.reading.score, u.reading.traces.z) for u in network.learn(states, y)]
        score, z = torch.stack([u for u, _ in said], 1), torch.cat([z for _, z in said], 1)
        mixed = (score[:, :1] - score[:, :1].mean()) * (z - z.mean(0))
        found.append(torch.cat([score, z, mixed], 1))
    a, b = found
    error = ((a.var(0) + b.var(0)) / count).sqrt()
    assert bool(((a.mean(0) - b.mean(0)).abs() <= 4.5 * error + 1e-7).all())
    alive = (a.var(0) > 1e-8) & (b.var(0) > 1e-8)
    kurtosis = torch.stack([((v - v.mean(0)) ** 4).mean(0) / v.var(0) ** 2 for v in (a, b)]).amax(0)
    spread = (2 * (kurtosis - 1) / count).sqrt()
    ratio = (a.var(0) / b.var(0)).log().abs()
    assert bool((ratio[alive] < 4.5 * spread[alive]).all())
    assert int(alive.sum()) > 10


def test_a_sample_does_not_depend_on_its_batch() -> None:
    network = maps(EventBurst(), window=100.0)
    x = glance(network, 0)
    whole, alone = FastDrawn(network, SAMPLES), FastDrawn(network, 1)
    whole.window(x, counters(network))
    areas = range(len(network.areas))
    alone.window(x[2:3].contiguous(), [CounterStreams(5, "area", i, samples=[2]) for i in areas])
    for many, one in zip(whole.learn(torch.ones(SAMPLES)), alone.learn(torch.ones(1)), strict=True):
        torch.testing.assert_close(many.z[2:3], one.z)
        torch.testing.assert_close(many.score[2:3], one.score)


@pytest.mark.parametrize("build", [dense, maps])
def test_states_go_out_and_in_bit_by_bit(build) -> None:
    network = build(EventBurst(), window=100.0)
    one, two = FastDrawn(network, SAMPLES), FastDrawn(network, SAMPLES)
    first, sources = counters(network), counters(network)
    for window in range(3):
        one.window(glance(network, window), first)
        one.latch()
    two.load(one.states(), one.turn)
    for source, mine in zip(sources, first, strict=True):
        source.step = mine.step
    for fast, own in ((one, first), (two, sources)):
        fast.window(glance(network, 4), own)
    for a, b in zip(one.learn(signs(4)), two.learn(signs(4)), strict=True):
        assert all(torch.equal(p, q) for (_, p), (_, q) in zip(a.changes, b.changes, strict=True))
    # What the eager stack goes on from is the same.
    fresh = FastDrawn(network, SAMPLES)
    fresh.load(two_states := one_latched(one), one.turn)
    assert all(
        torch.equal(a.d_prev, b.d_prev) for a, b in zip(two_states, fresh.states(), strict=True)
    )


def one_latched(fast: FastDrawn):
    fast.latch()
    return fast.states()


def test_order_and_input_are_checked() -> None:
    network = dense(Rate(), window=1.0)
    fast, nothing = FastDrawn(network, SAMPLES), [None, None]
    x = glance(network, 0)
    with pytest.raises(ValueError, match="No window has passed"):
        list(fast.learn(signs(0)))
    with pytest.raises(ValueError, match="No window has passed"):
        fast.latch()
    with pytest.raises(ValueError, match="as many sources, not 1"):
        fast.window(x, [None])
    with pytest.raises(ValueError, match="input of the area must be"):
        fast.window(x[:, :4], nothing)
    bad = x.clone()
    bad[0, 0] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        fast.window(bad, nothing)
    fast.window(x, nothing)
    with pytest.raises(ValueError, match="has not been latched"):
        fast.window(x, nothing)
    with pytest.raises(ValueError, match="has not been latched"):
        fast.states()
    with pytest.raises(ValueError, match="y must be"):
        list(fast.learn(torch.zeros(SAMPLES)))
    spiking = FastDrawn(dense(EventBurst()), SAMPLES)
    with pytest.raises(ValueError, match="Number the 6 samples"):
        spiking.window(x, [None, None])
    with pytest.raises(ValueError, match="Number the 6 samples"):
        spiking.window(x, [CounterStreams(0), CounterStreams(1)])


def test_drives_beyond_float32_are_refused() -> None:
    network = dense(Rate(), window=1.0)
    network.area(0).weight.fill_(3e38)
    with pytest.raises(ValueError, match="drives hold values that are not finite"):
        FastDrawn(network, SAMPLES).window(glance(network, 0).abs() + 1, [None, None])


REFUSED = {
    "ablated area": (
        lambda: make_area("no_gate", 4, 3, EventBurst(), window=200.0),
        "it is a NoGate",
    ),
    "other neuron": (lambda: StreamArea(4, 3, TwoCompartmentLIF()), "not EventBurst"),
    "refractory": (lambda: StreamArea(4, 3, EventBurst(EventBurstParameters(t_ref=5.0))), "t_ref"),
    "post-factor": (lambda: StreamArea(4, 3, EventBurst(), post_factor="burst"), "'burst'"),
    "long rate window": (lambda: StreamArea(4, 3, Rate(), window=5.0), "windows of one step"),
    "float64": (lambda: StreamArea(4, 3, EventBurst()).double(), "float64"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_supported_is_refused_and_left_to_torch(kind: str) -> None:
    make, reason = REFUSED[kind]
    network = ready(StreamHierarchy([make()]))
    with pytest.raises(ValueError, match=reason):
        FastDrawn(network, 2)
    with pytest.raises(ValueError, match=reason):
        require_native(network, drawn=True)
    engine, why = choose_engine(network, drawn=True)
    assert engine == "torch"
    assert reason in why


def test_a_stack_that_learns_otherwise_is_left_to_torch() -> None:
    areas = [StreamArea(4, 3, EventBurst()), StreamArea(3, 3, EventBurst())]
    network = ready(make_stack("other_gamma", areas))
    with pytest.raises(ValueError, match="OtherGamma may do otherwise"):
        FastDrawn(network, 2)
    engine, why = choose_engine(network, drawn=True)
    assert (engine, "OtherGamma" in why) == ("torch", True)
    assert choose_engine(network, drawn=False)[0] == "native", "blocks leave learning to the stack"


def test_the_engine_is_chosen_where_it_applies() -> None:
    assert choose_engine(dense(Rate(), window=1.0), drawn=False)[0] == "native"
    assert "drawn at once" in choose_engine(dense(EventBurst()), drawn=True)[1]
    assert "blocks" in choose_engine(dense(TwoCompartmentLIF()), drawn=False)[1]


def test_a_refused_call_leaves_the_stack_as_it_was() -> None:
    """A window before the latch, and one that fails in an upper area, change nothing that is learned."""

    def changes(disturbed: bool) -> list[Tensor]:
        network = dense(EventBurst())
        fast, sources = FastDrawn(network, SAMPLES), counters(network)
        if disturbed:
            with pytest.raises(ValueError, match="No window has passed"):
                fast.latch()
            upper = network.area(1).weight
            kept, upper[0, 0] = float(upper[0, 0]), torch.nan
            with pytest.raises(ValueError, match="not finite"):
                fast.window(glance(network, 7), counters(network))
            upper[0, 0] = kept
        fast.window(glance(network, 0), sources)
        if disturbed:
            with pytest.raises(ValueError, match="not been latched"):
                fast.window(glance(network, 1), sources)
        found = [change for area in fast.learn(signs(0)) for _, change in area.changes]
        fast.latch()
        assert [area.now for area in fast.areas] == [1, 1]
        return found

    for one, two in zip(changes(disturbed=False), changes(disturbed=True), strict=True):
        assert torch.equal(one, two)


def test_a_prediction_that_is_not_finite_is_refused() -> None:
    """Bursts cannot tell it from none."""
    network = dense(EventBurst())
    fast, states = FastDrawn(network, SAMPLES), network.initial_state(SAMPLES)
    for area in network.areas:
        area.W_pred[0, 0] = torch.nan
    streams = [Streams.from_seed(0, str(index)) for index in range(2)]
    for window in range(2):
        x = glance(network, window)
        if window:
            with pytest.raises(ValueError, match="prediction of this window is not finite"):
                fast.window(x, counters(network))
            with pytest.raises(ValueError, match="not finite"):
                list(network.learn(drawn_windows(network, x, states, streams), signs(window)))
        else:
            fast.window(x, counters(network))
            fast.latch()
            states = network.latch(drawn_windows(network, x, states, streams))
