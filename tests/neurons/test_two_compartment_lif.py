"""L0 against a hand-written loop, closed forms and autograd."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_snn.neurons.interface import Inputs, Layer
from clapp_snn.neurons.surrogate import arctan, fast_sigmoid
from clapp_snn.neurons.two_compartment_lif import (
    TwoCompartmentLIF,
    TwoCompartmentLIFParameters,
    TwoCompartmentLIFState,
    two_compartment_lif_step,
)


def by_hand(
    soma: list[float], apical: list[float], params: TwoCompartmentLIFParameters, dt: float
) -> tuple[list[float], list[float]]:
    """Spikes and bursts of one neuron in plain Python."""
    v = a = 0.0
    spikes, bursts = [], []
    for basal, top in zip(soma, apical, strict=True):
        a = a * math.exp(-dt / params.tau_apical) + top
        v = v * math.exp(-dt / params.tau_soma) + basal
        fired = v > params.threshold
        spikes.append(float(fired))
        bursts.append(float(fired and a > params.apical_threshold))
        if fired:
            v = 0.0
    return spikes, bursts


@settings(max_examples=50, deadline=None)
@given(
    drives=st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=1, max_size=60),
    tau_soma=st.floats(1.0, 50.0),
    tau_apical=st.floats(1.0, 50.0),
    dt=st.floats(0.1, 1.0),
)
def test_equal_to_plain_python(
    drives: list[tuple[float, float]], tau_soma: float, tau_apical: float, dt: float
) -> None:
    params = TwoCompartmentLIFParameters(tau_soma=tau_soma, tau_apical=tau_apical)
    soma, apical = torch.tensor(drives, dtype=torch.float64).T
    outputs, _ = Layer(TwoCompartmentLIF(params, dt))(Inputs(soma, apical))
    spikes, bursts = by_hand(soma.tolist(), apical.tolist(), params, dt)
    assert outputs.spike.tolist() == outputs.event.tolist() == spikes
    assert outputs.burst.tolist() == bursts


@pytest.mark.parametrize("drive", [0.08, 0.2, 0.55, 1.5])
def test_interval_under_constant_drive_is_the_closed_form(drive: float) -> None:
    """v after n steps is drive (1 - beta^n) / (1 - beta); the first n above threshold is the interval."""
    neuron = TwoCompartmentLIF()
    beta = math.exp(-1 / 16)
    interval = 1
    while drive * (1 - beta**interval) / (1 - beta) <= 1:
        interval += 1
    soma = torch.full((10 * interval,), drive, dtype=torch.float64)
    outputs, _ = Layer(neuron)(Inputs(soma, 0 * soma))
    times = outputs.spike.nonzero().flatten() + 1
    assert times.tolist() == [interval * k for k in range(1, 11)]


def test_below_rheobase_no_spike_and_potential_reaches_its_limit() -> None:
    beta = math.exp(-1 / 16)
    drive = 0.999 * (1 - beta)
    soma = torch.full((1000,), drive, dtype=torch.float64)
    outputs, state = Layer(TwoCompartmentLIF())(Inputs(soma, 0 * soma))
    assert outputs.spike.sum() == 0
    assert state.v.item() == pytest.approx(0.999, rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    scale=st.floats(0.0, 1e6),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_spikes_do_not_depend_on_the_apical_drive(
    seed: int, scale: float, dtype: torch.dtype
) -> None:
    noise = torch.Generator().manual_seed(seed)
    soma, apical = torch.randn(2, 50, 3, 4, generator=noise, dtype=dtype)
    layer = Layer(TwoCompartmentLIF())
    silent, _ = layer(Inputs(soma, 0 * soma))
    driven, _ = layer(Inputs(soma, scale * apical))
    assert torch.equal(silent.spike, driven.spike)
    assert (driven.burst <= driven.spike).all()


def test_an_apical_potential_above_threshold_turns_every_spike_into_a_burst() -> None:
    soma, apical = torch.full((100,), 0.3), torch.full((100,), 2.0)
    outputs, _ = Layer(TwoCompartmentLIF())(Inputs(soma, apical))
    assert outputs.spike.sum() > 10
    assert torch.equal(outputs.burst, outputs.spike)


def test_surrogate_gradient_of_one_step_is_the_derivative_of_snntorch() -> None:
    """d burst / d soma = s'(v - 1) [a > 1], d burst / d apical = [v > 1] s'(a - 1); 25 is the slope."""
    v0 = torch.tensor([0.9, 1.1, 1.3], dtype=torch.float64, requires_grad=True)
    a0 = torch.tensor([1.2, 0.8, 1.05], dtype=torch.float64, requires_grad=True)
    neuron = TwoCompartmentLIF(surrogate=fast_sigmoid(25.0))
    outputs, _ = neuron(Inputs(v0, a0))
    outputs.burst.sum().backward()
    v, a = v0.detach(), a0.detach()
    slope_v, slope_a = (1 / (1 + 25 * (x - 1).abs()) ** 2 for x in (v, a))
    assert v0.grad is not None
    assert a0.grad is not None
    assert torch.allclose(v0.grad, slope_v * (a > 1))
    assert torch.allclose(a0.grad, slope_a * (v > 1))


def test_arctan_surrogate_is_the_documented_derivative() -> None:
    v = torch.tensor([0.5, 1.2], dtype=torch.float64, requires_grad=True)
    outputs, _ = TwoCompartmentLIF(surrogate=arctan(3.0))(Inputs(v, torch.zeros_like(v)))
    outputs.spike.sum().backward()
    assert v.grad is not None
    distance = v.detach() - 1
    assert torch.allclose(v.grad, 1.5 / (1 + (math.pi * 1.5 * distance) ** 2))


def test_no_gradient_flows_through_the_reset() -> None:
    """After a spike the potential is 0 whatever the drive was, and carries no gradient."""
    neuron = TwoCompartmentLIF(surrogate=fast_sigmoid())
    drive = torch.tensor([1.5, 0.5], requires_grad=True)
    _, state = neuron(Inputs(drive, torch.zeros(2)))
    (gradient,) = torch.autograd.grad(state.v.sum(), drive)
    assert state.v.tolist() == [0.0, 0.5]
    assert gradient.tolist() == [0.0, 1.0]


def test_without_surrogate_there_is_no_graph_behind_the_spikes() -> None:
    drive = torch.tensor([1.5], requires_grad=True)
    outputs, _ = TwoCompartmentLIF()(Inputs(drive, torch.zeros(1)))
    assert not outputs.spike.requires_grad


def test_the_step_function_needs_no_module() -> None:
    constants = TwoCompartmentLIFParameters(threshold=2.0).at(1.0)
    rest = TwoCompartmentLIFState(torch.tensor([1.5]), torch.tensor([0.0]))
    outputs, state = two_compartment_lif_step(
        Inputs(torch.tensor([0.7]), torch.tensor([3.0])), rest, constants
    )
    assert outputs.spike.item() == outputs.burst.item() == 1
    assert state.v.item() == 0


@pytest.mark.parametrize("make", [fast_sigmoid, arctan])
def test_surrogates_need_a_positive_width(make: type) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        make(0.0)
