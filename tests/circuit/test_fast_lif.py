"""L0 with one membrane for all neurons of a unit: the very spikes, bursts and states of single steps."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from clapp_snn import native
from clapp_snn.circuit.basal import Conv
from clapp_snn.circuit.fast_lif import CountedLIF, are_one
from clapp_snn.circuit.fast_neurons import Buffers, CountedLayer
from clapp_snn.circuit.fast_window import FastHierarchy
from clapp_snn.circuit.ports import LIFPort, LinearLIFPort
from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.native.lif_window import LIFCounts, run_lif_window
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF, TwoCompartmentLIFState
from clapp_snn.randomness import generator
from tests.circuit.fast_stacks import SAMPLES, dyadic, glance, two_windows

pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_unavailable())

NEURON = TwoCompartmentLIF()
PORTS = {"calibrated": LIFPort, "linear": LinearLIFPort}


def build(port: str, units: tuple[int, ...] = (6, 5), **options: Any) -> StreamHierarchy:
    """Dense areas, or one map of 4 x 6 where `basal` is given; weights on a grid, so that sums are exact."""
    areas, pre = [], 3 if "basal" in options else 9
    for index, post in enumerate(units):
        chosen = PORTS[port](NEURON, rho=100.0)
        area = StreamArea(pre, post, NEURON, window=40.0, port=chosen, **options)
        area.reset_parameters(generator(index, "area"))
        with torch.no_grad():
            area.weight.copy_(dyadic(area.weight.shape, 2.0, f"weight {index}"))
            area.bias.copy_(dyadic(area.bias.shape, 0.5, f"bias {index}"))
            area.W_pred *= 20
        areas.append(area)
        pre = post
    return StreamHierarchy(areas)


def leaves(state: Any) -> list[Tensor]:
    return [state] if isinstance(state, Tensor) else [x for part in state for x in leaves(part)]


def require_equal(slow: StreamAreaState, fast: StreamAreaState) -> None:
    """All but sums of drives and inputs bit by bit."""
    assert torch.equal(slow.sums.z, fast.sums.z)
    for name in ("neuron", "nucleus", "apical", "size", "elapsed", "share"):
        for one, other in zip(
            leaves(getattr(slow, name)), leaves(getattr(fast, name)), strict=True
        ):
            torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-6)
    for one, other in zip(slow.neuron, fast.neuron, strict=True):
        assert torch.equal(one, other)
    torch.testing.assert_close(fast.sums, slow.sums, rtol=2e-5, atol=2e-4)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("in_time", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"copies": 3}, {"settle": 6.0, "post_factor": "burst"}, {"basal": Conv(4, 6)}],
    ids=["plain", "copies", "bursts", "map"],
)
def test_windows_are_those_of_single_steps(
    port: str, in_time: bool, options: dict[str, Any]
) -> None:
    """A second window, in which dendrites hold predictions; blocks of 7 steps.

    Of the first area drives are exact, so all its spikes are; what the second one hears are spikes, whose
    sums are rounded otherwise: it is compared in the tests of the neurons by themselves.
    """
    hierarchy = build(port, (6,), **options)
    x = glance(hierarchy, in_time)
    fast = FastHierarchy(hierarchy, 7)
    assert fast.areas[0].lanes == 1
    slow = two_windows(hierarchy, hierarchy.window, x, [None])[0]
    quick = two_windows(hierarchy, fast.window, x, [None])[0]
    assert type(fast.areas[0].neurons) is CountedLIF
    if "basal" not in options:
        require_equal(slow, quick)
    else:  # Winograd's scheme rounds differently
        different = (slow.sums.z != quick.sums.z).sum()
        assert int(different) <= 2
    assert 0 < float(slow.sums.z.mean()) < 350  # of 400
    assert float(slow.nucleus.fixation.abs().sum()) > 0, "nobody burst"


def test_maps_bit_by_bit_where_drives_are_exact() -> None:
    """The neurons alone: CountedLIF against FastLayer on equal drives, (channels repeat over positions)."""
    hierarchy = build("linear", (5,), basal=Conv(4, 6), copies=2, post_factor="burst")
    area = hierarchy.area(0)
    state = hierarchy.initial_state(SAMPLES)[0]
    state = state._replace(apical=dyadic(tuple(state.apical.shape), 2.0, "apical"))
    kappa = area.gain.kappa(torch.ones(SAMPLES))
    drive = dyadic((30, SAMPLES, *area.unit_shape), 8.0, "drive")
    found = []
    total = torch.zeros(SAMPLES, *area.unit_shape)
    for neurons in (
        CountedLayer(area, state, kappa, None),
        CountedLIF(area, state, kappa, Buffers(), total),
    ):
        said = [
            neurons.run(drive[:11], 0, False, True).clone(),
            neurons.run(drive[11:], 11, True, True).clone(),
        ]
        found.append((torch.cat(said), neurons.finish(), neurons.state))
    (said, counted, after), (also, count, later) = found
    assert torch.equal(said, also)
    assert torch.equal(counted.events, count.events)
    assert torch.equal(counted.spoken.burst, count.spoken.burst)
    assert int(count.spoken.burst.sum()) > 0
    torch.testing.assert_close(count.share, counted.share)
    for one, other in zip(after, later, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(total, drive[11:].sum(0))


@pytest.mark.parametrize(
    ("channels", "positions"), [(3, 500), (700, 1), (1100, 2), (512, 2), (1, 9)]
)
def test_tiles_know_their_channels(channels: int, positions: int) -> None:
    """Any number of units: a plain loop over time in torch gives the same."""
    samples, steps, size = 2, 25, channels * positions
    drive = dyadic((steps, samples, size), 0.5, "drive")
    apical = dyadic((samples, 2, channels), 0.5, "apical")
    counts = LIFCounts(
        torch.zeros(samples, size),
        torch.zeros(samples, 2, channels),
        torch.zeros(samples, size),
        torch.zeros(samples, 2, dtype=torch.int64),
        torch.zeros(samples, size),
    )
    run_lif_window(drive, apical, (1.0, 1.0, 0.0), (0.5, 0.75, 1.0, 0.5), counts, counted=True)
    v, a = torch.zeros(samples, size), torch.zeros(samples, 2, channels)
    spikes, share = torch.zeros_like(v), torch.zeros_like(v)
    bursts = torch.zeros(samples, 2)
    for now in drive:
        a = 0.75 * a + apical
        v = 0.5 * v + now
        fired = (v > 1).float()
        v = v * (1 - fired)
        up = (a > 0.5).float().repeat(1, 1, positions)
        spikes += fired
        share += fired * (up[:, 0] - up[:, 1])
        bursts += (fired[:, None] * up).sum(2)
    assert torch.equal(counts.spikes, spikes)
    assert torch.equal(counts.share, share)
    assert torch.equal(counts.v, v)
    assert torch.equal(counts.dendrite, a)
    assert counts.bursts.tolist() == bursts.tolist()
    assert int(bursts.sum()) > 0


def test_neurons_that_differ_run_one_by_one() -> None:
    """A state in which copies are not alike is left to the general engine."""
    hierarchy = build("linear", (6,), copies=2)
    x, state = glance(hierarchy, True), hierarchy.initial_state(SAMPLES)[0]
    v = state.neuron.v.clone()
    v[:, :, 1] += 0.25
    other = state._replace(neuron=TwoCompartmentLIFState(v, state.neuron.a))
    assert are_one(state.neuron)
    assert not are_one(other.neuron)
    fast = FastHierarchy(hierarchy, 16)
    quick = fast.window(x, [other], [None])[0]
    assert type(fast.areas[0].neurons) is CountedLayer
    assert torch.equal(hierarchy.window(x, [other], [None])[0].sums.z, quick.sums.z)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_drives_that_are_not_finite_are_refused(value: float) -> None:
    hierarchy = build("linear", (6,))
    x = glance(hierarchy, True)
    x[7, 1, 2] = value
    with pytest.raises(ValueError, match="not finite"):
        FastHierarchy(hierarchy).window(x, hierarchy.initial_state(SAMPLES), [None])
