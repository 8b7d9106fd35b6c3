"""Streams of areas from the encoder's table: the same network as in rate mode, in either code."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.build_stream import build_stream, learns_on_streams
from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import VGG6
from clapp_snn.methods import METHODS, get_method
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.noise import Streams
from clapp_snn.randomness import generator

CLAPP = get_method("clapp")
assert CLAPP.objective is not None
TIED = replace(CLAPP, name="tied", objective=replace(CLAPP.objective, retro="tied"))


def encoder(dtype: torch.dtype = torch.float32) -> Encoder:
    made = Encoder(VGG6, width=1 / 32)
    made.reset_parameters(generator(0, "init", "encoder"))
    made.to(dtype)
    made.precision = dtype
    with torch.no_grad():
        for index in range(6):
            made.layer(index).weight *= 2
    return made


def images(index: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(1, 1, 64, 64, generator=generator(index, "images")).to(dtype)


def glances(stream: StreamHierarchy, made: Encoder, seed: int | None = None) -> list:
    sources = [None if seed is None else Streams.from_seed(seed, index) for index in range(6)]
    x_prev, x = (made.patches(images(index, made.precision)) for index in (0, 1))
    states = stream.latch(stream.window(x_prev, stream.initial_state(len(x)), sources))
    return stream.window(x, states, sources)


def test_methods_that_are_local_in_space_and_time_learn_on_streams() -> None:
    assert {name for name, method in METHODS.items() if learns_on_streams(method)} == {
        "clapp",
        "clapp-zero-retro",
    }
    for name in set(METHODS) - {"clapp", "clapp-zero-retro"}:
        with pytest.raises(
            ValueError, match=f"'{name}' cannot .* one of: clapp, clapp-zero-retro,"
        ):
            build_stream(encoder(), METHODS[name], 0)
    no_gate = replace(CLAPP, objective=replace(CLAPP.objective, gate=False))
    assert not learns_on_streams(no_gate)


def test_in_rate_code_areas_respond_as_the_encoder_does() -> None:
    made = encoder()
    stream = build_stream(made, CLAPP, 3, "rate")
    assert stream.steps == 1
    readings = [u.reading for u in stream.learn(glances(stream, made), torch.ones(49))]
    for reading, wanted in zip(readings, made.features(images(1)), strict=True):
        torch.testing.assert_close(reading.traces.z, wanted.flatten(0, 2))


def test_both_modes_start_from_one_network() -> None:
    """Lateral matrices too: that of the first prediction step."""
    made = encoder()
    hierarchy = Hierarchy(made, CLAPP)
    for index in range(6):
        hierarchy.area(index).reset_parameters(generator(7, "init", "area", index))
    stream = build_stream(made, CLAPP, 7)
    for index in range(6):
        area, layer = stream.area(index), made.layer(index)
        assert torch.equal(area.weight, layer.weight)
        assert torch.equal(area.bias, layer.bias)
        assert torch.equal(area.W_pred, hierarchy.area(index).W_pred[0])
    with torch.no_grad():
        stream.area(0).weight += 1
    assert not torch.equal(stream.area(0).weight, made.layer(0).weight)


@pytest.mark.parametrize("method", [CLAPP, get_method("clapp-zero-retro"), TIED])
def test_every_area_learns_the_gradient_of_its_own_loss(method) -> None:
    """Six areas with pooling in float64 against autograd, no gradient between areas."""
    made = encoder(torch.float64)
    stream = build_stream(made, method, 1, "rate")
    with torch.no_grad():
        for index in range(6):
            stream.area(index).W_pred.mul_(20)
    y = torch.where(torch.arange(49) % 2 == 0, 1.0, -1.0).double()
    updates = list(stream.learn(glances(stream, made), y))
    retro = method.objective.retro
    below = [made.patches(images(index, torch.float64)).permute(0, 3, 1, 2) for index in (0, 1)]
    for index, update in enumerate(updates):
        area = stream.area(index)
        pool = VGG6.layers[index].pool
        maps = [torch.relu(F.conv2d(x, area.weight, area.bias, padding=1)) for x in below]
        maps = [F.max_pool2d(each, 2) if pool else each for each in maps]
        c, z = (each.mean((2, 3)) for each in maps)
        u = (z * ((c if retro == "tied" else c.detach()) @ area.W_pred.T)).sum(1)
        loss = (1 - y * u).clamp(min=0).sum()
        if area.W_retro is not None:
            gamma = y * (1 - y * u.detach() > 0)
            loss = loss - (gamma * ((c @ area.W_retro) * z.detach()).sum(1)).sum()
        parameters = [p for p, _ in update.changes]
        assert {id(p) for p in parameters} == {id(p) for p in area.parameters()}
        gradients = torch.autograd.grad(loss, parameters)
        for (_, change), gradient in zip(update.changes, gradients, strict=True):
            assert bool(change.any())
            assert float((change + gradient).norm() / gradient.norm()) < 1e-9
        below = [each.detach() for each in maps]


def test_in_spiking_code_the_first_areas_carry_the_rates() -> None:
    """Windows of 0.3 s at 20 Hz a unit, 40 ms filter; averages over 256, 64 and 64 positions."""
    made = encoder()
    stream = build_stream(made, CLAPP, 3, window=300.0, settle=200.0, tau_basal=40.0)
    sources = [Streams.from_seed(2, index) for index in range(6)]
    x = made.patches(images(1))[:10]
    states = stream.window(x, stream.initial_state(10), sources)
    for index in range(3):
        z = states[index].sums.z.mean((1, 2)) / 300
        wanted = made.features(images(1))[index].flatten(0, 2)[:10]
        r = torch.corrcoef(torch.stack((z.flatten(), wanted.flatten())))[0, 1]
        assert float(r) > 0.95, index
        assert float(z.mean() / wanted.mean()) == pytest.approx(1, abs=0.1), index


def test_any_neuron_and_any_option_can_be_given() -> None:
    neuron = EventBurst(EventBurstParameters(rho=50.0, readout="opponent"))
    stream = build_stream(encoder(), CLAPP, 0, neuron, window=30.0, copies=2, post_factor="burst")
    assert stream.steps == 30
    area = stream.area(5)
    assert (area.neuron, area.copies, area.post_factor) == (neuron, 2, "burst")
    assert area.W_retro is not None
    with pytest.raises(ValueError, match="whole number of steps"):
        build_stream(encoder(), CLAPP, 0, window=10.4)
    with pytest.raises(ValueError, match="'rate', 'spiking' or a neuron, not 'spikes'"):
        build_stream(encoder(), CLAPP, 0, "spikes")
