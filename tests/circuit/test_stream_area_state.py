"""State of a stream area: on one device, without a graph, resumable, independent of the batch, local."""

from typing import Any

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.coincidence import Readout
from clapp_snn.circuit.stream_area import Reading, StreamAreaState
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import NO_DRAWS, Outputs
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler
from clapp_snn.neurons.noise import SampleStreams, Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.strict_burst import StrictBurst
from tests.circuit.stream_areas import POST, build, glance, two_glances, window

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    ),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("neuron", [Rate(), EventBurst(), StrictBurst(), NaudSprekeler()])
def test_everything_stays_on_the_device_of_the_weights(neuron, device: str) -> None:
    """States, outputs and changes; rate code gives the numbers of the CPU."""
    area = build(neuron, window=20.0, retro="free").to(device)
    source = Streams.from_seed(0, device=device)
    x_prev, x = glance(4, 0).to(device), glance(4, 1).to(device)
    state = two_glances(area, x_prev, x, source)
    reading = area.read(state, torch.ones(4, device=device))
    changes = [change for _, change in area.changes(reading.update)]
    for each in (*tensors(state), *tensors(reading.traces), reading.gamma, *changes):
        assert each.device.type == device
    if isinstance(neuron, Rate):
        here = build(neuron, window=20.0, retro="free")
        expected = here.read(two_glances(here, glance(4, 0), glance(4, 1)), torch.ones(4))
        torch.testing.assert_close(reading.score.cpu(), expected.score)


def test_no_graph_is_built() -> None:
    area = build(EventBurst(), window=20.0, retro="free").requires_grad_(True)

    def refuse(saved: Tensor) -> Tensor:
        raise AssertionError(f"autograd saved a tensor of shape {tuple(saved.shape)}")

    with torch.autograd.graph.saved_tensors_hooks(refuse, refuse):
        state = two_glances(area, glance(4, 0), glance(4, 1), Streams.from_seed(0))
        reading = area.read(state, torch.ones(4))
    assert all(not change.requires_grad for _, change in area.changes(reading.update))


def tensors(state: Any) -> list[Tensor]:
    """All leaves of nested named tuples."""
    return (
        [state] if isinstance(state, Tensor) else [leaf for part in state for leaf in tensors(part)]
    )


def rebuild(like: Any, leaves: list[Tensor]) -> Any:
    if isinstance(like, Tensor):
        return leaves.pop(0)
    return type(like)(*(rebuild(part, leaves) for part in like))


@pytest.mark.parametrize(
    ("neuron", "options"),
    [(EventBurst(EventBurstParameters(t_ref=5.0)), {}), (StrictBurst(), {"tau_basal": 10.0})],
)
def test_a_state_saved_in_mid_window_resumes_bit_identically(neuron, options: dict) -> None:
    """The state is nothing but tensors; with the generators' states it is all there is."""
    area = build(neuron, window=40.0, settle=10.0, **options)
    source = Streams.from_seed(6)
    state = area.latch(window(area, glance(3, 0), area.initial_state(3), source))
    for _ in range(23):
        _, state = area.step(glance(3, 1), state, source)
    fresh = [leaf.data_ptr() for leaf in tensors(area.initial_state(3))]
    assert len(fresh) == len(set(fresh)), "tensors that share memory cannot be saved to one file"
    saved = [leaf.clone() for leaf in tensors(state)]
    random = [stream.get_state() for stream in source]

    def finish(state: StreamAreaState, source: Streams) -> Reading:
        for _ in range(area.steps - 23):
            _, state = area.step(glance(3, 1), state, source)
        return area.read(state, torch.ones(3))

    first = finish(state, source)
    again = Streams.from_seed(999)
    for stream, kept in zip(again, random, strict=True):
        stream.set_state(kept)
    second = finish(rebuild(state, saved), again)
    for one, two in zip(tensors(first.traces), tensors(second.traces), strict=True):
        assert torch.equal(one, two)
    assert torch.equal(first.score, second.score)


@pytest.mark.parametrize("neuron", [EventBurst(), StrictBurst()])
def test_a_sample_does_not_depend_on_its_batch(neuron) -> None:
    """Spikes, gain and score are bit-identical; products of matrices may round differently with the batch."""
    area = build(neuron, window=60.0).double()

    def scores(samples: list[int]) -> tuple[Tensor, Tensor]:
        source = SampleStreams(3, samples, "area", 0)
        x = [glance(6, index).double()[samples] for index in (0, 1)]
        state = two_glances(area, x[0], x[1], source)
        return state.sums.z, state.detector.u

    z, u = scores([0, 1, 2, 3, 4, 5])
    for sample in (1, 4):
        z_alone, u_alone = scores([sample])
        assert torch.equal(z_alone[0], z[sample])
        torch.testing.assert_close(u_alone[0], u[sample], rtol=1e-9, atol=1e-12)


def test_predictions_never_touch_activity() -> None:
    """Events are bit-identical whatever W_pred is."""

    def events(factor: float) -> Tensor:
        area = build(StrictBurst(), window=100.0)
        with torch.no_grad():
            area.W_pred *= factor
        return two_glances(area, glance(4, 0), glance(4, 1), Streams.from_seed(2)).sums.z

    assert torch.equal(events(1.0), events(-30.0))


def test_plateaus_are_written_by_the_weights_of_their_time() -> None:
    """What is learned between windows counts for the next prediction, not for the held one."""
    area = build(Rate(), window=2.0)
    state = area.latch(window(area, glance(2, 0), area.initial_state(2)))
    held = state.apical.clone()
    with torch.no_grad():
        area.W_pred *= -2
    assert torch.equal(window(area, glance(2, 1), state).apical, held)
    assert not torch.equal(area.latch(window(area, glance(2, 1), state)).apical, held)


class Loud(EventBurst):
    """Events in every step, bursts as ever."""

    def step(self, inputs, state, draws=NO_DRAWS):
        outputs, state = super().step(inputs, state, draws)
        every = torch.ones_like(outputs.event)
        return Outputs(every, every, outputs.burst), state


@pytest.mark.parametrize("readout", ["half_wave", "opponent"])
def test_the_nucleus_hears_nothing_but_bursts(readout: Readout) -> None:
    """Other spikes and events leave score and gamma bit-identical; synapses and activity see them."""
    found = []
    for model in (EventBurst, Loud):
        area = build(model(EventBurstParameters(readout=readout)), window=60.0)
        state = area.latch(window(area, glance(8, 0), area.initial_state(8), Streams.from_seed(5)))
        # One prediction and gain, whatever was active.
        state = state._replace(apical=glance(8, 3, POST) - 1, size=torch.ones(8))
        state = window(area, glance(8, 1), state, Streams.from_seed(6))
        found.append(area.read(state, torch.ones(8)))
    quiet, loud = found
    assert float(quiet.score.abs().mean()) > 0
    assert torch.equal(quiet.score, loud.score)
    assert torch.equal(quiet.gamma, loud.gamma)
    assert not torch.equal(quiet.traces.z, loud.traces.z)
