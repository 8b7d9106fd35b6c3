"""What a stream area refuses, and what it chooses by itself."""

import math

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.apical_memory import LeakyTrace
from clapp_snn.circuit.ports import EventBurstPort, StrictBurstPort
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.randomness import generator
from tests.circuit.stream_areas import PRE, build, glance, window


def test_reading_in_mid_window_is_refused() -> None:
    area = build(Rate(), window=3.0)
    _, state = area.step(glance(2, 0), area.initial_state(2))
    with pytest.raises(ValueError, match="3 steps, but 1 have passed"):
        area.read(state, torch.ones(2))
    with pytest.raises(ValueError, match="3 steps, but 1 have passed"):
        area.latch(state)


@pytest.mark.parametrize("y", [torch.ones(3), torch.zeros(2), torch.tensor([1.0, 2.0])])
def test_a_saccade_signal_is_plus_or_minus_one_for_every_sample(y: Tensor) -> None:
    area = build(Rate(), window=1.0)
    state = window(area, glance(2, 0), area.initial_state(2))
    with pytest.raises(ValueError, match="fixation"):
        area.read(state, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 10.4}, "whole number of steps"),
        ({"settle": -1.0}, "must not be negative"),
        ({"tau_basal": -1.0}, "must not be negative"),
        ({"single": True}, "ablation of the opponent"),
        ({"settle": 10.5}, "settle of 10.5 ms must be a whole number"),
        ({"settle": math.nan}, "must not be negative"),
        ({"settle": math.inf}, "must not be negative"),
        ({"tau_basal": math.nan}, "must not be negative"),
        ({"copies": 0}, "copies must be a positive whole number"),
        ({"copies": 1.5}, "copies must be a positive whole number"),
        ({"retro": "tie"}, "retro is one of tied, free, zero, not 'tie'"),
        ({"post_factor": "drives"}, "post_factor is one of drive"),
        ({"port": EventBurstPort(EventBurst(dt=0.5))}, "made for steps of 0.5 ms"),
        ({"port": EventBurstPort(EventBurst(EventBurstParameters(rho=9.0)))}, "other parameters"),
        ({"port": StrictBurstPort(StrictBurst())}, r"other parameters \(StrictBurstParameters\)"),
        ({"memory": LeakyTrace(50.0, dt=0.5)}, "memory was made for steps of 0.5 ms"),
    ],
)
def test_impossible_areas_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StreamArea(3, 4, EventBurst(), **options)


def test_a_port_can_be_given() -> None:
    neuron = EventBurst(EventBurstParameters(rho=30.0))
    assert StreamArea(3, 4, neuron, port=EventBurstPort(neuron)).detector.rho == 30.0


@pytest.mark.parametrize(("pre", "post"), [(0, 4), (3, 0), (3, 2.5)])
def test_an_area_has_inputs_and_units(pre: int, post: int) -> None:
    with pytest.raises(ValueError, match="must be a positive whole number"):
        StreamArea(pre, post, EventBurst())


def test_biophysical_neurons_settle_by_default() -> None:
    """50 ms of their port; neurons without memory need none."""
    wanted = [(Rate(), 0), (EventBurst(), 0), (TwoCompartmentLIF(), 0)]
    for neuron, steps in [*wanted, (StrictBurst(), 50), (NaudSprekeler(), 50)]:
        assert StreamArea(3, 4, neuron).settle == steps
    assert StreamArea(3, 4, StrictBurst(), settle=0.0).settle == 0


def test_weights_must_be_drawn_first() -> None:
    area = StreamArea(3, 4, Rate(), 1.0, retro="free")
    with pytest.raises(ValueError, match="call reset_parameters"):
        area.initial_state(2)
    area.reset_parameters(generator(0))
    assert area.initial_state(2).basal.shape == (2, 3)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("neuron", [Rate(), EventBurst()])
def test_input_that_is_not_finite_is_found_at_the_end_of_its_window(neuron, value: float) -> None:
    area = build(neuron, window=3.0, settle=1.0)
    source = Streams.from_seed(0)
    x = glance(2, 0)
    x[1, 2] = value
    _, state = area.step(x, area.initial_state(2), source)
    for _ in range(3):
        _, state = area.step(glance(2, 0), state, source)
    for end in (lambda: area.read(state, torch.ones(2)), lambda: area.latch(state)):
        with pytest.raises(ValueError, match="not finite"):
            end()


@pytest.mark.parametrize(
    "x", [torch.ones(3, PRE), torch.ones(2, PRE + 1), torch.ones(PRE), torch.ones(2, PRE).double()]
)
def test_input_of_another_shape_or_precision_is_refused(x: Tensor) -> None:
    area = build(Rate(), window=1.0)
    with pytest.raises(ValueError, match=r"must be \(2, 12\) torch.float32"):
        area.step(x, area.initial_state(2))
