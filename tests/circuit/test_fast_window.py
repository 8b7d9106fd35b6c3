"""Windows block by block against single steps: same spikes where numbers are shared, else the same law."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from clapp_snn import native
from clapp_snn.circuit.apical_memory import LeakyTrace
from clapp_snn.circuit.fast_area import require_fast
from clapp_snn.circuit.fast_window import FastHierarchy
from clapp_snn.circuit.readout_synapses import SynapticReadout
from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.surrogate import fast_sigmoid
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.randomness import generator
from tests.circuit.fast_stacks import (
    NEURONS,
    SAMPLES,
    counters,
    events,
    glance,
    maps,
    sampled,
    stack,
    two_windows,
)
from tests.threads import threads

pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_unavailable())


def require_close(expected: list[StreamAreaState], found: list[StreamAreaState]) -> None:
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(other, one, rtol=2e-5, atol=2e-4)


@pytest.mark.parametrize("in_time", [False, True])
@pytest.mark.parametrize("name", NEURONS)
def test_given_the_same_numbers_the_state_is_that_of_single_steps(name: str, in_time: bool) -> None:
    """Dyadic drives of the first area are exact, so all its spikes are; L1 has its own exponential."""
    settle = {"settle": 5.0} if name == "L3" else {}
    hierarchy = stack(NEURONS[name], (6, 5) if name.startswith("L3") else (6,), **settle)
    numbers = sampled if name.startswith("L3") else counters
    areas = len(hierarchy.areas)
    x = glance(hierarchy, in_time)
    slow = two_windows(hierarchy, hierarchy.window, x, numbers(areas))
    fast = two_windows(hierarchy, FastHierarchy(hierarchy, 7).window, x, numbers(areas))
    require_close(slow, fast)
    assert float(slow[-1].sums.z.sum()) > 0
    for index, (one, other) in enumerate(zip(slow, fast, strict=True)):
        assert torch.equal(*(events(hierarchy.area(index), each) for each in (one, other)))
    y = torch.tensor([1.0, -1.0, 1.0])
    for expected, found in zip(hierarchy.learn(slow, y), hierarchy.learn(fast, y), strict=True):
        assert torch.equal(expected.reading.gamma, found.reading.gamma)
        torch.testing.assert_close(found.reading, expected.reading, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"copies": 3},
        {"tau_basal": 20.0},
        {"single": True},
        {"post_factor": "burst"},
        {"post_factor": "burst_ratio", "copies": 2, "settle": 10.0},
    ],
    ids=str,
)
def test_options_of_an_area(options: dict[str, Any]) -> None:
    hierarchy = stack(NEURONS["L3"], **options)
    x = glance(hierarchy, in_time=True)
    slow = two_windows(hierarchy, hierarchy.window, x, sampled(2))
    fast = two_windows(hierarchy, FastHierarchy(hierarchy, 16).window, x, sampled(2))
    require_close(slow, fast)


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("in_time", [False, True])
def test_maps(pool: bool, in_time: bool) -> None:
    """Winograd's scheme rounds differently: of 288 units at most one may see another event."""
    hierarchy = maps(pool, settle=5.0)
    x = glance(hierarchy, in_time)
    slow = hierarchy.window(x, hierarchy.initial_state(SAMPLES), sampled(1))[0]
    fast = FastHierarchy(hierarchy, 9).window(x, hierarchy.initial_state(SAMPLES), sampled(1))[0]
    different = events(hierarchy.area(0), slow) != events(hierarchy.area(0), fast)
    assert int(different.sum()) <= 1
    assert float(slow.sums.z.sum()) > 0
    torch.testing.assert_close(fast.sums.drive, slow.sums.drive, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(fast.sums.x, slow.sums.x)


@pytest.mark.parametrize("maps_or_dense", ["dense", "maps", "pooled maps"])
def test_input_that_is_mostly_zero(maps_or_dense: str) -> None:
    """Added up spike by spike; on the grid of `dyadic` the drives are exact in any order."""
    hierarchy = stack(NEURONS["L3"]) if maps_or_dense == "dense" else maps("pool" in maps_or_dense)
    areas = len(hierarchy.areas)
    with torch.no_grad():
        for parameter in (hierarchy.area(0).weight, hierarchy.area(0).bias):
            parameter.copy_((parameter * 32).round() / 32)
    x = glance(hierarchy, in_time=True)
    x = x * (torch.rand(x.shape, generator=generator(0, "sparse")) < 0.05)
    slow = hierarchy.window(x, hierarchy.initial_state(SAMPLES), sampled(areas))
    fast = FastHierarchy(hierarchy, 9).window(x, hierarchy.initial_state(SAMPLES), sampled(areas))
    for index, (one, other) in enumerate(zip(slow, fast, strict=True)):
        assert torch.equal(*(events(hierarchy.area(index), each) for each in (one, other)))
        torch.testing.assert_close(other.sums, one.sums, rtol=1e-4, atol=1e-4)
    assert float(slow[-1].sums.z.sum()) > 0


def by_intervals(hierarchy, x, samples: list[int], block: int | None = None) -> list[Tensor]:
    sources = [CounterStreams(4, index, samples=samples) for index in range(2)]
    run = FastHierarchy(hierarchy, block).window
    states = two_windows(hierarchy, run, x, sources, len(samples))
    return [part for state in states for part in (state.sums.z, state.detector.u)]


def test_batch_threads_and_blocks_change_nothing() -> None:
    hierarchy = stack(NEURONS["L3"], (70, 5), settle=4.0, copies=2)
    x = glance(hierarchy, True)
    whole = by_intervals(hierarchy, x, [5, 0, 9])
    alone = by_intervals(hierarchy, x[:, 2:], [9])
    with threads(3):
        again = by_intervals(hierarchy, x, [5, 0, 9], 11)
    for every, one, other in zip(whole, alone, again, strict=True):
        assert torch.equal(every[2:], one)
        assert torch.equal(every, other)
    assert not torch.equal(whole[0][0], whole[0][1])


def test_predictions_never_touch_events() -> None:
    hierarchy = stack(NEURONS["L3"], copies=2)
    x = glance(hierarchy, True)
    z, u = by_intervals(hierarchy, x, [0, 1, 2])[:2]
    with torch.no_grad():
        hierarchy.area(0).W_pred *= -30
    other_z, other_u = by_intervals(hierarchy, x, [0, 1, 2])[:2]
    assert torch.equal(z, other_z)
    assert not torch.equal(u, other_u)


def test_input_may_come_block_by_block() -> None:
    hierarchy = stack(NEURONS["L3"])
    x = glance(hierarchy, True)
    asked = []

    def blocks(first: int, last: int) -> Tensor:
        asked.append((first, last))
        return x[first:last]

    fast = FastHierarchy(hierarchy, 16)
    start = hierarchy.initial_state(SAMPLES)
    given = fast.window(blocks, start, counters(2))
    whole = fast.window(x, start, counters(2))
    assert asked == [(0, 16), (16, 32), (32, 40)]
    for one, other in zip(given, whole, strict=True):
        assert torch.equal(one.sums.z, other.sums.z)


@pytest.mark.parametrize(
    ("area", "reason"),
    [
        (lambda: StreamArea(3, 4, Rate(), 1.0), "FastLayer knows"),
        (lambda: StreamArea(3, 4, EventBurst(), memory=LeakyTrace(50.0)), "memory"),
        (lambda: StreamArea(3, 4, EventBurst(), tau_eligibility=80.0), "tau_eligibility"),
        (lambda: StreamArea(3, 4, EventBurst(), tau_nucleus=80.0), "tau_nucleus"),
        (lambda: StreamArea(3, 4, EventBurst(), readout=SynapticReadout), "readout"),
        (lambda: StreamArea(3, 4, EventBurst()).double(), "float32"),
        (lambda: type("Other", (StreamArea,), {})(3, 4, EventBurst()), "Other"),
    ],
)
def test_what_is_not_supported_is_refused(area, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        require_fast(area())


def test_bad_calls_say_what_is_wrong() -> None:
    hierarchy = stack(NEURONS["L3"])
    fast, x, start = FastHierarchy(hierarchy), glance(hierarchy, True), hierarchy.initial_state(3)
    with pytest.raises(ValueError, match="as many sources, not 1"):
        fast.window(x, start, counters(1))
    with pytest.raises(ValueError, match=re.escape("not (39, 3, 9)")):
        fast.window(x[1:], start, counters(2))
    with pytest.raises(ValueError, match="need as many inputs, not 3"):
        fast.window(lambda first, last: x[:3], start, counters(2))
    with pytest.raises(ValueError, match="Number the 3 samples"):
        fast.window(x, start, [CounterStreams(0), CounterStreams(1)])
    with pytest.raises(ValueError, match="40 steps of this window have passed"):
        fast.window(x, fast.window(x, start, counters(2)), counters(2))
    with pytest.raises(ValueError, match="surrogate"):
        FastHierarchy(stack(TwoCompartmentLIF(surrogate=fast_sigmoid(25.0))))
    with pytest.raises(ValueError, match="at least one step"):
        FastHierarchy(hierarchy, 0)
    broken = x.clone()
    broken[3, 1, 2] = torch.nan
    ended = fast.window(broken, start, counters(2))
    with pytest.raises(ValueError, match="not finite"):
        hierarchy.latch(ended)


def test_the_page_runs() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "howto" / "fast_neurons.md"
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, "fast_neurons.md", "exec"), names)
    assert names["counts"].event.shape == (3, 64)
    assert float(names["states"][1].apical.abs().sum()) > 0
