"""Counts of events and synapses equal those that are found one synapse at a time."""

from typing import Any

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.basal import Basal, Conv, Dense
from clapp_snn.circuit.drawn_window import drawn_window, drawn_windows
from clapp_snn.circuit.stream_area import Reading, StreamArea, StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.evaluation.synaptic_operations import (
    Operations,
    area_operations,
    events_of,
    network_operations,
    saving,
)
from clapp_snn.functional.window_plasticity import window_update
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.randomness import generator

SAMPLES = 6
Y = torch.tensor([1.0, -1.0]).repeat(3)


def windowed(
    basal: Basal, pre: int, post: int, **options: Any
) -> tuple[StreamArea, StreamAreaState, Tensor]:
    """An area at the end of its third window, with silent inputs, silent units and closed gates."""
    area = StreamArea(pre, post, EventBurst(), 100.0, copies=2, basal=basal, **options)
    area.reset_parameters(generator(0, "weights"))
    with torch.no_grad():
        area.W_pred.mul_(30)
    source, state = Streams.from_seed(2, "noise"), area.initial_state(SAMPLES)
    for number in range(3):
        x = torch.rand(SAMPLES, *area.input_shape, generator=generator(1, number))
        x = torch.where(x > 0.5, x, 0.0)
        state = drawn_window(area, x, area.latch(state) if number else state, source)
    arrived = torch.randint(0, 4, x.shape, generator=generator(3, "arrived")).float()
    return area, state, arrived


def one_by_one(area: StreamArea, reading: Reading, sample: int, gamma: float) -> tuple[int, int]:
    """Synapses of one sample that Eqs. 6-8 change, each by itself and together, from autograd-free updates.

    Presynaptic activities are made powers of two so that no sum of two changes cancels.
    """
    x, z, d, A, c, x_prev, d_prev = (each[[sample]] for each in reading.traces)
    one = torch.tensor([gamma])
    none = torch.zeros_like(A)
    parts = [
        reading.traces._replace(x=x, z=z, d=d, A=A, c=c, x_prev=x_prev * 0, d_prev=d_prev),
        reading.traces._replace(x=x, z=z, d=d, A=none, c=c, x_prev=x_prev, d_prev=d_prev),
    ]
    touched = []
    for traces in parts:
        update = window_update(
            one, traces, area.W_pred, area.W_retro, area.retro, area.basal.change
        )
        touched.append(update.weight != 0)
    pairs = int((update.W_pred != 0).sum()) * (1 if update.W_retro is None else 2)
    return sum(int(each.sum()) for each in touched) + pairs, int(
        (touched[0] | touched[1]).sum()
    ) + pairs


@pytest.mark.parametrize("retro", ["tied", "free", "zero"])
def test_dense_counts_are_those_of_single_synapses(retro: Any) -> None:
    area, state, arrived = windowed(Dense(), 9, 7, retro=retro)
    reading = area.read(state, Y)
    assert 0 < int((reading.gamma != 0).sum()) < SAMPLES
    found = area_operations(area, state, reading, arrived)
    open_gates = [one_by_one(area, reading, n, float(reading.gamma[n])) for n in range(SAMPLES)]
    forced = [one_by_one(area, reading, n, 1.0) for n in range(SAMPLES)]
    synapses = area.weight.numel() + 49 * (2 if retro == "free" else 1)
    events = events_of(area, state)
    assert torch.equal(events.round(), events.round().clamp(min=0))
    torch.testing.assert_close(events, events.round(), atol=1e-4, rtol=0)
    assert found.events == pytest.approx(float(events.sum()) / SAMPLES)
    assert found.forward == pytest.approx(float(arrived.sum()) * 7 / SAMPLES)
    assert found.lateral == pytest.approx(found.events * 7 * (1 if retro == "zero" else 2))
    assert found.plasticity == pytest.approx(sum(both for both, _ in open_gates) / SAMPLES)
    assert found.ungated == pytest.approx(sum(both for both, _ in forced) / SAMPLES)
    assert found.changed == pytest.approx(
        sum(distinct for _, distinct in open_gates) / SAMPLES / synapses
    )


def test_events_count_every_neuron() -> None:
    """z = events / (rho T M pathways): 20 Hz, 100 ms, 2 copies, 2 pathways make 8 at z = 1."""
    area, state, _ = windowed(Dense(), 9, 7)
    torch.testing.assert_close(events_of(area, state), state.sums.z / area.steps * 8)


@pytest.mark.parametrize("pool", [False, True])
def test_convolutions_count_connections_at_borders(pool: bool) -> None:
    """Each event reaches post channels at the neighbours that lie on the map: 4, 6 or 9 of them."""
    area, state, arrived = windowed(Conv(4, 6, pool), 2, 3)
    reading = area.read(state, Y)
    found = area_operations(area, state, reading, arrived)
    rows, cols = ([2, *[3] * (n - 2), 2] for n in (4, 6))
    reached = 3 * torch.tensor(rows)[:, None] * torch.tensor(cols)
    assert found.forward == pytest.approx(float((arrived.sum(3) * reached).sum()) / SAMPLES)
    x, z, d, A, c, x_prev, d_prev = reading.traces
    R = z @ area.W_pred
    count = 0
    for signal, pre in ((d * A[:, None, None], x), (d_prev * R[:, None, None], x_prev)):
        for sample, row, col, unit in (signal != 0).nonzero().tolist():
            patch = pre[sample, max(0, row - 1) : row + 2, max(0, col - 1) : col + 2]
            count += int((patch != 0).sum()) + 0 * unit
    count += int(((z != 0).sum(1) * (c != 0).sum(1)).sum())
    assert found.ungated == pytest.approx(count / SAMPLES, rel=1e-5)


def test_areas_receive_the_events_of_the_area_below() -> None:
    areas = [StreamArea(pre, post, EventBurst(), 100.0) for pre, post in ((9, 7), (7, 4))]
    network = StreamHierarchy(areas)
    network.reset_parameters(0)
    x = torch.rand(SAMPLES, 9, generator=generator(1))
    states = drawn_windows(
        network, x, network.initial_state(SAMPLES), [Streams.from_seed(4, n) for n in range(2)]
    )
    readings = [each.reading for each in network.learn(states, Y)]
    first, second = network_operations(network, states, readings, x)
    assert second.forward == pytest.approx(4 * first.events, rel=1e-6)


def test_saving_is_the_share_of_changes_that_did_not_happen() -> None:
    rows = [Operations(0, 0, 0, 10, 40, 0), Operations(0, 0, 0, 20, 60, 0)]
    assert saving(rows) == pytest.approx(0.7)
    assert saving([Operations(0, 0, 0, 0, 0, 0)]) == 0


def test_rates_have_no_events() -> None:
    area = StreamArea(3, 2, Rate(), 1.0)
    area.reset_parameters(generator(0))
    with pytest.raises(ValueError, match="no events"):
        events_of(area, area.initial_state(1))
