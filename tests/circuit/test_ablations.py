"""Every ablation does what its name says, and nothing else; "none" is the intact circuit."""

from collections.abc import Sequence
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.ablations import Ablation, Dale, make_area, make_stack
from clapp_snn.circuit.apical_memory import LeakyTrace
from clapp_snn.circuit.drawn_window import drawn_window, drawn_windows, require_drawable
from clapp_snn.circuit.stream_area import Reading, StreamArea, StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.functional.window_plasticity import window_update
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.randomness import generator

PRE, POST, SAMPLES, WINDOW = 12, 10, 16, 200.0
Y = torch.tensor([1.0, -1.0]).repeat(SAMPLES // 2)
GATES = ("no_gate", "shuffled_gamma", "exact_score", "exact_plasticity")


def area_of(ablation: Ablation, readout: str = "half_wave", **options: Any) -> StreamArea:
    """With weights that are the same for all ablations, and scores around the margin."""
    neuron = EventBurst(EventBurstParameters(readout=readout))
    area = make_area(ablation, PRE, POST, neuron, WINDOW, **options)
    area.reset_parameters(generator(0, "weights"))
    with torch.no_grad():
        for prediction in area.parts if isinstance(area, Dale) else [area.W_pred]:
            prediction.mul_(8)
    return area.requires_grad_(False)


def glances(windows: int) -> list[Tensor]:
    return [torch.rand(SAMPLES, PRE, generator=generator(1, window)) for window in range(windows)]


def after(area: StreamArea, windows: int = 3) -> StreamAreaState:
    """State at the end of the last window, before it latches."""
    source, state = Streams.from_seed(2, "noise"), area.initial_state(SAMPLES)
    for number, x in enumerate(glances(windows)):
        state = drawn_window(area, x, area.latch(state) if number else state, source)
    return state


def assert_equal_updates(found: Reading, expected: Reading) -> None:
    for one, two in zip(found.update, expected.update, strict=True):
        assert (one is None) == (two is None)
        if one is not None and two is not None:
            torch.testing.assert_close(one, two)


def eqs_6_to_8(
    area: StreamArea, gamma: Tensor, traces: Sequence[Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Weight, bias and W_pred, synapse by synapse, for W_retro tied."""
    x, z, d, A, c, x_prev, d_prev = traces
    R = torch.einsum("sj,jk->sk", z, area.W_pred)
    now, before = gamma[:, None] * A * d, gamma[:, None] * R * d_prev
    weight = torch.einsum("sj,si->ji", now, x) + torch.einsum("sk,sm->km", before, x_prev)
    return weight, (now + before).sum(0), torch.einsum("s,sj,sk->jk", gamma, z, c)


def test_nothing_ablated_is_the_intact_circuit() -> None:
    area, plain = area_of("none"), StreamArea(PRE, POST, EventBurst(), WINDOW)
    plain.load_state_dict(area.state_dict())
    assert type(area) is StreamArea
    assert type(make_stack("none", [area])) is StreamHierarchy
    one, two = after(area), after(plain)
    assert torch.equal(one.sums.z, two.sums.z)
    assert torch.equal(one.detector.u, two.detector.u)


@pytest.mark.parametrize("ablation", [*GATES, "dale"])
def test_spikes_are_those_of_the_intact_circuit(ablation: Ablation) -> None:
    """What is ablated is read after the window; equal weights and noise give equal events and bursts."""
    broken, intact = after(area_of(ablation)), after(area_of("none"))
    assert torch.equal(broken.sums.z, intact.sums.z)
    torch.testing.assert_close(broken.detector.u, intact.detector.u)


def test_without_a_gate_gamma_is_y() -> None:
    area, intact = area_of("no_gate"), area_of("none")
    state = after(area)
    reading, normal = area.read(state, Y), intact.read(state, Y)
    assert torch.equal(reading.gamma, Y)
    assert not torch.equal(normal.gamma, Y)
    expected = eqs_6_to_8(area, Y, reading.traces)
    for one, two in zip(reading.update, expected, strict=False):
        torch.testing.assert_close(one, two)


def test_shuffled_gamma_is_that_of_the_sample_before() -> None:
    area, intact = area_of("shuffled_gamma"), area_of("none")
    state = after(area)
    reading, normal = area.read(state, Y), intact.read(state, Y)
    assert reading.gamma.tolist() == [normal.gamma[n - 1].item() for n in range(SAMPLES)]
    assert torch.equal(reading.score, normal.score)
    for one, two in zip(
        reading.update, eqs_6_to_8(area, reading.gamma, normal.traces), strict=False
    ):
        torch.testing.assert_close(one, two)
    with pytest.raises(ValueError, match="larger batch"):
        area.read(
            drawn_window(area, glances(1)[0][:1], area.initial_state(1), Streams.from_seed(0)),
            Y[:1],
        )


def noise_free(area: StreamArea) -> tuple[Tensor, Tensor]:
    """z of the last two of three windows, from weights and input alone."""
    last, now = (torch.relu(x @ area.weight.T + area.bias) for x in glances(3)[1:])
    return last, now


def test_the_exact_score_is_that_of_the_activities_without_noise() -> None:
    area, intact = area_of("exact_score"), area_of("none")
    state = after(area)
    reading = area.read(state, Y)
    last, now = noise_free(area)
    u = torch.einsum("sj,jk,sk->s", now, area.W_pred, last)
    torch.testing.assert_close(reading.score, u)
    assert reading.gamma.tolist() == [
        float(y) if y * score < 1 else 0.0 for y, score in zip(Y, u, strict=True)
    ]
    assert 0 < int(reading.gamma.abs().sum()) < SAMPLES
    traces = intact.read(after(intact), Y).traces
    for one, two in zip(reading.update, eqs_6_to_8(area, reading.gamma, traces), strict=False):
        torch.testing.assert_close(one, two)


def test_exact_plasticity_is_that_of_the_activities_without_noise() -> None:
    area, intact = area_of("exact_plasticity"), area_of("none")
    state = after(area)
    reading, normal = area.read(state, Y), intact.read(after(intact), Y)
    assert torch.equal(reading.gamma, normal.gamma)
    last, now = noise_free(area)
    x = glances(3)
    d_prev, d = ((z > 0).float() for z in (last, now))
    traces = (x[2], now, d, last @ area.W_pred.T, last, x[1], d_prev)
    for one, two in zip(reading.update, eqs_6_to_8(area, reading.gamma, traces), strict=False):
        torch.testing.assert_close(one, two)
    assert not torch.allclose(reading.update.W_pred, normal.update.W_pred)


def test_the_single_population_reads_on_bursts_minus_the_baseline() -> None:
    """One pathway of neurons; its baseline p0 is subtracted by the detector."""
    single, both = (area_of(name, "opponent") for name in ("single_population", "none"))
    assert (single.detector.readout, both.detector.readout) == ("single", "opponent")
    assert (single.detector.p0, single.detector.signs) == (both.detector.p0, (1,))
    assert after(single).neuron.refractory.shape[1] == 1
    with pytest.raises(ValueError, match="opponent"):
        area_of("single_population")


def test_the_gamma_of_the_area_above_is_used() -> None:
    first = area_of("none")
    second = make_area("none", POST, POST, EventBurst(), WINDOW)
    second.reset_parameters(generator(5, "upper"))
    broken, intact = (make_stack(name, [first, second]) for name in ("other_gamma", "none"))
    states, sources = broken.initial_state(SAMPLES), [Streams.from_seed(6, n) for n in range(2)]
    for number, x in enumerate(glances(3)):
        states = drawn_windows(broken, x, broken.latch(states) if number else states, sources)
    normal, crossed = list(intact.learn(states, Y)), list(broken.learn(states, Y))
    gammas = [update.reading.gamma for update in normal]
    assert not torch.equal(*gammas)
    for index, update in enumerate(crossed):
        area, other = broken.area(index), gammas[1 - index]
        assert update.area == index
        assert torch.equal(update.reading.gamma, other)
        assert torch.equal(update.reading.score, normal[index].reading.score)
        expected = window_update(
            other, normal[index].reading.traces, area.W_pred, area.W_retro, area.retro
        )
        for (_, change), two in zip(update.changes, expected, strict=False):
            assert torch.equal(change, two)
    with pytest.raises(ValueError, match="two or more"):
        make_stack("other_gamma", [first])


@pytest.mark.parametrize("stepped", [False, True])
def test_apical_drive_of_the_soma_changes_events(stepped: bool) -> None:
    """Both populations of unit 0 expect rho T [a +- kappa zhat]_+ events, here 20 and 4 Hz for 2000 ms."""
    neuron = EventBurst()
    area = make_area("apical_drives_soma", 1, 1, neuron, 2000.0, copies=50)
    with torch.no_grad():
        area.weight.fill_(0.6)
        area.bias.zero_()
        area.W_pred.zero_()
    state = area.initial_state(1)
    zhat = torch.tensor([[0.4]])
    state = state._replace(apical=zhat, size=torch.ones(1))
    kappa = area.gain.kappa(state.size)
    seen: list[Tensor] = []
    source = Streams.from_seed(0, "soma")
    x = torch.ones(1, 1)
    if stepped:
        for _ in range(area.steps):
            step, state = area.step(x, state, source)
            seen.append(step.outputs.event.sum(2).flatten())
        counts = torch.stack(seen).sum(0)
        for side, count in zip((1, -1), counts, strict=True):
            mean = 20 * 2.0 * 50 * (0.6 + side * float(kappa) * 0.4)
            assert abs(float(count) - mean) < 4.5 * mean**0.5
    else:
        state = drawn_window(area, x, state, source)
    # Poisson bounds the variance of Bernoulli counts; z averages the two populations.
    expected = sum(max(0.0, 0.6 + side * float(kappa) * 0.4) for side in (1, -1)) / 2
    z = float(state.sums.z) / area.steps
    assert abs(z - expected) < 4.5 * (expected / (2 * 20 * 2.0 * 50)) ** 0.5
    assert float(area.read(state, torch.ones(1)).traces.d) == 1


@pytest.mark.parametrize("neuron", [StrictBurst(), TwoCompartmentLIF()])
def test_drives_of_unequal_units_are_not_added(neuron: Any) -> None:
    with pytest.raises(ValueError, match="different units"):
        make_area("apical_drives_soma", PRE, POST, neuron, WINDOW)


def test_dale_keeps_signs_and_learns_the_same_difference() -> None:
    dale, intact = area_of("dale"), area_of("none")
    assert isinstance(dale, Dale)
    excitatory, inhibitory = dale.parts
    torch.testing.assert_close(excitatory - inhibitory, intact.W_pred)
    assert bool((excitatory >= 0).all() and (inhibitory >= 0).all())
    assert bool((excitatory * inhibitory == 0).all())
    state = after(dale)
    reading, normal = dale.read(state, Y), intact.read(state, Y)
    assert_equal_updates(reading, normal)
    changes = list(dale.changes(reading.update))
    assert [id(parameter) for parameter, _ in changes[2:]] == [id(excitatory), id(inhibitory)]
    torch.testing.assert_close(changes[2][1], normal.update.W_pred)
    torch.testing.assert_close(changes[3][1], -normal.update.W_pred)
    with torch.no_grad():
        for parameter, change in changes:
            parameter.add_(change)
    raw = [part.clone() for part in dale.parts]
    assert min(float(part.min()) for part in raw) < 0
    latched = dale.latch(state)
    for part, before in zip(dale.parts, raw, strict=True):
        assert torch.equal(part, before.clamp(min=0))
    expected = latched.memory.context @ (raw[0].clamp(min=0) - raw[1].clamp(min=0)).T
    torch.testing.assert_close(latched.apical, expected)


def test_dale_is_kept_in_checkpoints() -> None:
    one, two = area_of("dale"), area_of("dale")
    with torch.no_grad():
        for part in one.parts:  # type: ignore[attr-defined]
            part.add_(0.1)
    two.load_state_dict(one.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert len(list(two.parameters())) == 4


def test_the_leaky_memory_has_half_a_window_and_must_be_stepped() -> None:
    area = area_of("leaky_memory")
    assert isinstance(area.memory, LeakyTrace)
    assert area.memory.carried_over(WINDOW) == pytest.approx(0.432, abs=1e-3)
    with pytest.raises(ValueError, match="apical memory"):
        require_drawable(area)


@pytest.mark.parametrize(
    "ablation", [each for each in get_args(Ablation) if each != "leaky_memory"]
)
def test_windows_of_all_others_can_be_drawn(ablation: Ablation) -> None:
    require_drawable(area_of(ablation, "opponent"))
