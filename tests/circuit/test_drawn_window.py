"""Windows drawn at once: the same law as stepping, reproducible by sample, refused where it is wrong."""

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.apical_memory import LeakyTrace
from clapp_snn.circuit.basal import Conv
from clapp_snn.circuit.drawn_window import drawn_window, drawn_windows, require_drawable
from clapp_snn.circuit.readout_synapses import SynapticReadout
from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.noise import SampleStreams, Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.randomness import generator

PRE, POST, SAMPLES = 9, 6, 1500


def build(readout: str = "half_wave", **options) -> StreamArea:
    neuron = EventBurst(EventBurstParameters(readout=readout))
    area = StreamArea(PRE, POST, neuron, window=50.0, **options)
    area.reset_parameters(generator(1, "area"))
    with torch.no_grad():
        area.weight *= 3
    return area


def glance(index: int, samples: int = SAMPLES) -> Tensor:
    return 2 * torch.rand(1, PRE, generator=generator(index, "glance")).expand(samples, -1)


def stepped(area: StreamArea, x: Tensor, state: StreamAreaState, source: Streams):
    for _ in range(area.steps):
        _, state = area.step(x, state, source)
    return state


@pytest.mark.parametrize("readout", ["half_wave", "opponent"])
@pytest.mark.parametrize("copies", [1, 3])
def test_the_same_law_as_step_by_step(readout: str, copies: int) -> None:
    """After two windows: mean and variance of activity, score, nucleus and bursts, and a covariance.

    1500 independent samples of each kind. Means within 4.5 standard errors, taken from the samples;
    log variances within 4.5 standard errors, (kurtosis - 1) / R for each, kurtosis taken from the samples.
    """
    area = build(readout, copies=copies, settle=5.0, post_factor="burst")
    found = []
    for advance, key in ((stepped, "steps"), (drawn_window, "drawn")):
        source = Streams.from_seed(3, key)
        state = area.latch(advance(area, glance(0), area.initial_state(SAMPLES), source))
        state = advance(area, glance(1), state, source)
        reading = area.read(state, torch.ones(SAMPLES))
        z = reading.traces.z
        both = (z - z.mean(0)) * (reading.score - reading.score.mean())[:, None]
        score, fixation = reading.score[:, None], state.nucleus.fixation[:, None]
        found.append(torch.cat([z, score, fixation, reading.traces.A, both], 1))
    a, b = found
    error = ((a.var(0) + b.var(0)) / SAMPLES).sqrt()
    active = error > 0
    assert bool(((a.mean(0) - b.mean(0)).abs() <= 4.5 * error)[active].all())
    assert torch.equal(a[:, ~active], b[:, ~active]), "silent units are silent in both"
    a, b = a[:, active], b[:, active]
    noise = sum((v - v.mean(0)).pow(4).mean(0) / v.var(0).square() - 1 for v in (a, b)) / SAMPLES
    assert bool(((a.var(0) / b.var(0)).log().abs() <= 4.5 * noise.sqrt()).all())


@pytest.mark.parametrize("pool", [False, True])
def test_maps_have_the_same_law_as_step_by_step(pool: bool) -> None:
    """Of 1000 samples: activity of every unit, score and its variance within 4.5 standard errors."""
    area = StreamArea(3, 4, EventBurst(), 40.0, basal=Conv(2, 4, pool), post_factor="burst")
    area.reset_parameters(generator(1, "area"))
    with torch.no_grad():
        area.weight *= 3
    x = 2 * torch.rand(1, 2, 4, 3, generator=generator(0, "glance")).expand(1000, -1, -1, -1)
    found = []
    for advance, key in ((stepped, "steps"), (drawn_window, "drawn")):
        state, source = area.initial_state(1000), Streams.from_seed(3, key)
        state = advance(area, x, area.latch(advance(area, x, state, source)), source)
        reading = area.read(state, torch.ones(1000))
        u = reading.score[:, None]
        parts = (state.sums.z.flatten(1), u, (u - u.mean()).square(), reading.traces.A.flatten(1))
        found.append(torch.cat(parts, 1))
    a, b = found
    error = ((a.var(0) + b.var(0)) / 1000).sqrt()
    assert bool(((a.mean(0) - b.mean(0)).abs() <= 4.5 * error + 1e-6).all())
    assert int((error > 0).sum()) > error.numel() / 3


def test_what_is_not_random_is_as_after_stepping() -> None:
    area = build(settle=5.0)
    start = area.initial_state(4)
    a = stepped(area, glance(0, 4), start, Streams.from_seed(0))
    b = drawn_window(area, glance(0, 4), start, Streams.from_seed(0))
    assert torch.equal(a.elapsed, b.elapsed)
    torch.testing.assert_close(a.sums.x, b.sums.x)
    torch.testing.assert_close(a.sums.drive, b.sums.drive)
    torch.testing.assert_close(a.basal, b.basal)


def test_predictions_never_touch_events_and_samples_never_their_batch() -> None:
    def counts(samples: list[int], factor: float) -> Tensor:
        area = build()
        with torch.no_grad():
            area.W_pred *= factor
        source = SampleStreams(5, samples, "area")
        state = area.initial_state(len(samples))
        state = area.latch(drawn_window(area, glance(0, len(samples)), state, source))
        return drawn_window(area, glance(1, len(samples)), state, source).sums.z

    z = counts([0, 1, 2, 3], 1.0)
    assert torch.equal(z, counts([0, 1, 2, 3], -30.0))
    assert torch.equal(z[2:3], counts([2], 1.0))
    assert not torch.equal(z[2], z[3])


def test_a_stack_hands_on_what_it_counted() -> None:
    areas = [build(), StreamArea(POST, 5, EventBurst(), window=50.0)]
    hierarchy = StreamHierarchy(areas)
    hierarchy.reset_parameters(2)
    sources = [Streams.from_seed(0, index) for index in range(2)]
    below, above = drawn_windows(hierarchy, glance(0, 7), hierarchy.initial_state(7), sources)
    torch.testing.assert_close(above.basal, below.sums.z / 50)
    drive = above.basal @ areas[1].weight.T + areas[1].bias
    torch.testing.assert_close(above.sums.drive / 50, drive.detach())


@pytest.mark.parametrize(
    ("area", "reason"),
    [
        (lambda: StreamArea(3, 4, Rate(), 1.0), "Rate"),
        (
            lambda: StreamArea(3, 4, EventBurst(EventBurstParameters(t_ref=5.0))),
            "refractory",
        ),
        (lambda: StreamArea(3, 4, EventBurst(), memory=LeakyTrace(50.0)), "memory"),
        (lambda: StreamArea(3, 4, EventBurst(), tau_basal=20.0), "tau_basal"),
        (lambda: StreamArea(3, 4, EventBurst(), tau_nucleus=80.0), "tau_nucleus"),
        (lambda: StreamArea(3, 4, EventBurst(), tau_eligibility=80.0), "tau_eligibility"),
        (lambda: StreamArea(3, 4, EventBurst(), readout=SynapticReadout), "readout"),
    ],
)
def test_what_is_not_binomial_is_refused(area, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        require_drawable(area())


def test_a_window_is_drawn_once_and_for_every_area() -> None:
    """A window that was not latched would be lost, and areas without a state silently left out."""
    area = build()
    source = Streams.from_seed(0)
    done = drawn_window(area, glance(0, 4), area.initial_state(4), source)
    with pytest.raises(ValueError, match="50 steps of this window have passed"):
        drawn_window(area, glance(1, 4), done, source)
    hierarchy = StreamHierarchy([build(), StreamArea(POST, 5, EventBurst(), window=50.0)])
    hierarchy.reset_parameters(2)
    states = hierarchy.initial_state(4)
    with pytest.raises(ValueError, match="as many states, not 1"):
        drawn_windows(hierarchy, glance(0, 4), states[:1], [source])
    with pytest.raises(ValueError, match="as many sources, not 1"):
        drawn_windows(hierarchy, glance(0, 4), states, [source])
