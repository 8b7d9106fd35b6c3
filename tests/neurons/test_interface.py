"""One interface for all neurons: step, module, simulation and time-first layer say the same."""

from typing import Any

import pytest
import torch

from clapp_snn.neurons.adex import AdEx
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.interface import Inputs, Layer, Neuron, Outputs, simulate
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.neurons.urbanczik_senn import UrbanczikSenn

NEURONS: list[Neuron[Any]] = [
    TwoCompartmentLIF(),
    NaudSprekeler(),
    StrictBurst(),
    EventBurst(EventBurstParameters(rho=40.0, t_ref=5.0)),
    UrbanczikSenn(),
    Rate(),
]
named = pytest.mark.parametrize("neuron", NEURONS, ids=lambda neuron: type(neuron).__name__)
precise = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
STEPS = 60


def drives(
    neuron: Neuron[Any], shape: tuple[int, ...], dtype: torch.dtype = torch.float32, seed: int = 0
) -> Inputs:
    """Random drives under which the neuron spikes: pure numbers about 1, or some nA."""
    scale = 3000.0 if neuron.soma_unit == "pA" else 1.0
    noise = torch.Generator().manual_seed(seed)
    soma, apical = torch.randn(2, STEPS, *shape, generator=noise, dtype=dtype) * scale + scale
    return Inputs(soma, apical)


@named
@precise
def test_layer_module_and_simulation_agree_step_by_step(
    neuron: Neuron[Any], dtype: torch.dtype
) -> None:
    inputs = drives(neuron, (3, 4), dtype)
    together, last = Layer(neuron)(inputs, source=Streams.from_seed(1))
    state, source, each = None, Streams.from_seed(1), []
    for soma, apical in zip(*inputs, strict=True):
        outputs, state = neuron(Inputs(soma, apical), state, source)
        each.append(outputs)
    seen: list[Outputs] = []
    end = simulate(
        neuron,
        lambda index: Inputs(inputs.soma[index], inputs.apical[index]),
        STEPS,
        source=Streams.from_seed(1),
        observe=lambda _step, _inputs, outputs, _state: seen.append(outputs),
    )
    for name in Outputs._fields:
        whole = getattr(together, name)
        assert whole.dtype == dtype
        assert whole.shape == (STEPS, 3, 4)
        assert torch.equal(whole, torch.stack([getattr(outputs, name) for outputs in each]))
        assert torch.equal(whole, torch.stack([getattr(outputs, name) for outputs in seen]))
    for one, two, three in zip(last, state, end, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)
    assert together.spike.abs().sum() > 0


@named
def test_a_run_continues_from_its_state(neuron: Neuron[Any]) -> None:
    inputs, layer, source = drives(neuron, (5,)), Layer(neuron), Streams.from_seed(2)
    whole, end = layer(inputs, source=Streams.from_seed(2))
    first, state = layer(Inputs(*(drive[:23] for drive in inputs)), source=source)
    second, last = layer(Inputs(*(drive[23:] for drive in inputs)), state, source)
    for name in Outputs._fields:
        parts = torch.cat((getattr(first, name), getattr(second, name)))
        assert torch.equal(parts, getattr(whole, name))
    assert all(torch.equal(one, two) for one, two in zip(end, last, strict=True))


@named
def test_a_step_changes_neither_its_inputs_nor_its_state(neuron: Neuron[Any]) -> None:
    inputs = Inputs(*(drive[0] for drive in drives(neuron, (6,))))
    state = neuron.initial_state((6,))
    kept = [values.clone() for values in (*inputs, *state)]
    source = Streams.from_seed(0)
    neuron.step(
        inputs, state, neuron.draw(source, torch.Size((6,)), torch.float32, torch.device("cpu"))
    )
    assert all(torch.equal(a, b) for a, b in zip(kept, (*inputs, *state), strict=True))


@named
@precise
@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
        ),
    ],
)
def test_any_device(neuron: Neuron[Any], dtype: torch.dtype, device: str) -> None:
    """Numbers by counter are those of any device, so that trains may differ in rare roundings only.

    The reference runs in float64 on the CPU. A rounding can move a spike and what follows it: in 60 steps of
    200 neurons at most 1 % of the entries may differ.
    """
    inputs = drives(neuron, (10, 20))

    def run(to: torch.dtype, where: str) -> tuple[Outputs, Any]:
        moved = Inputs(*(drive.to(where, to) for drive in inputs))
        return Layer(neuron)(moved, source=CounterStreams(3))

    expected, _ = run(torch.float64, "cpu")
    outputs, state = run(dtype, device)
    for values in (*outputs, *state):
        assert values.device.type == device
    for one, two in zip(outputs, expected, strict=True):
        far = (one.cpu().double() - two).abs() > 1e-5 * two.abs().clamp(min=1)
        assert far.double().mean() < 0.01
    assert outputs.spike.abs().sum() > 0


@named
@pytest.mark.parametrize("shape", [(), (1,), (7,), (2, 3, 4, 5)])
def test_any_shape(neuron: Neuron[Any], shape: tuple[int, ...]) -> None:
    outputs, state = Layer(neuron)(drives(neuron, shape), source=Streams.from_seed(0))
    assert all(values.shape == (STEPS, *shape) for values in outputs)
    assert all(values.shape == shape for values in state)


@named
def test_drives_broadcast(neuron: Neuron[Any]) -> None:
    """A drive shared by a batch gives what its expanded copy gives."""
    soma = drives(neuron, (1, 4)).soma[0]
    apical = drives(neuron, (3, 1), seed=1).apical[0]
    small, _ = neuron(Inputs(soma, apical), source=Streams.from_seed(0))
    large, _ = neuron(
        Inputs(soma.expand(3, 4).clone(), apical.expand(3, 4).clone()), source=Streams.from_seed(0)
    )
    assert all(torch.equal(one, two) for one, two in zip(small, large, strict=True))


@pytest.mark.parametrize("neuron", [*NEURONS, AdEx()], ids=lambda neuron: type(neuron).__name__)
def test_no_two_parts_of_a_state_share_memory(neuron: Neuron[Any]) -> None:
    state = neuron.initial_state((4,))
    assert len({values.data_ptr() for values in state}) == len(state)


@named
def test_observers_see_every_step(neuron: Neuron[Any]) -> None:
    inputs = drives(neuron, (2,))
    seen = []
    outputs, last = Layer(neuron)(
        inputs,
        source=Streams.from_seed(0),
        observe=lambda step, now, said, state: seen.append((step, now, said, state)),
    )
    assert [entry[0] for entry in seen] == list(range(STEPS))
    for step, now, said, _ in seen:
        assert torch.equal(now.soma, inputs.soma[step])
        assert torch.equal(said.spike, outputs.spike[step])
    assert all(torch.equal(one, two) for one, two in zip(seen[-1][3], last, strict=True))


def test_constant_drives_are_simulated_without_copies() -> None:
    inputs = Inputs(torch.full((3,), 0.3), torch.zeros(3))
    spikes: list[torch.Tensor] = []
    simulate(
        TwoCompartmentLIF(),
        inputs,
        40,
        observe=lambda i, x, outputs, s: spikes.append(outputs.spike),
    )
    repeated, _ = Layer(TwoCompartmentLIF())(Inputs(*(drive.expand(40, 3) for drive in inputs)))
    assert torch.equal(torch.stack(spikes), repeated.spike)


def test_units_are_stated() -> None:
    for neuron in NEURONS:
        assert neuron.soma_unit in ("", "pA")
        assert neuron.apical_unit in ("", "pA")
