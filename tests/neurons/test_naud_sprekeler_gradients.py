"""L1: gradients of its equations, and surrogate gradients that change nothing else."""

import math

import pytest
import torch

from clapp_snn.neurons.interface import Draws, Inputs, Layer, Outputs
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler, naud_sprekeler_step
from clapp_snn.neurons.surrogate import Surrogate, fast_sigmoid
from tests.neurons.bac_drives import QUIET, bac_drives


def test_potentials_have_the_gradients_of_their_equations():
    """Below threshold everything is smooth: autograd against finite differences over ten steps."""
    neuron = NaudSprekeler(QUIET, dt=1.0)

    def potentials(soma: torch.Tensor, apical: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        _, state = Layer(neuron)(Inputs(soma, apical))
        return state.v_s, state.v_d

    generator = torch.Generator().manual_seed(1)
    soma = 100 * torch.rand(10, 2, generator=generator, dtype=torch.float64)
    apical = 800 * torch.rand(10, 2, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        potentials, (soma.requires_grad_(), apical.requires_grad_()), eps=1e-3, atol=1e-8
    )


def one_step(surrogate: Surrogate | None) -> tuple[torch.Tensor, Outputs]:
    """Outputs of a step near threshold of three neurons: alone, within a burst, within a longer one."""
    neuron = NaudSprekeler(QUIET, surrogate=surrogate)
    state = neuron.initial_state((3,), dtype=torch.float64)
    state = state._replace(
        v_s=torch.full_like(state.v_s, -50.0),
        age=torch.tensor([99.0, 9.0, 9.0], dtype=torch.float64),
        alone=torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64),
    )
    soma = torch.full((3,), 500.0, dtype=torch.float64, requires_grad=True)
    outputs, _ = naud_sprekeler_step(
        Inputs(soma, torch.zeros_like(soma)), state, neuron.constants, Draws(), surrogate
    )
    return soma, outputs


def test_surrogate_gradients_reach_spikes_events_and_bursts():
    slope = 25.0
    soma, outputs = one_step(fast_sigmoid(slope))
    assert outputs.spike.dtype == torch.float64
    assert outputs.spike.tolist() == [1.0, 1.0, 1.0]
    assert outputs.event.tolist() == [1.0, 0.0, 0.0]
    assert outputs.burst.tolist() == [0.0, 1.0, 0.0]
    blend = 1 - math.exp(-1 / 16)
    plateau = 1 / (1 + math.exp(32 / 6))
    goal = -70 + 16 / 370 * (1300 * plateau + 500)
    distance = blend * (goal + 50)
    expected = blend * 16 / 370 / (1 + slope * abs(distance)) ** 2
    for values, flags in ((outputs.spike, [1, 1, 1]), (outputs.event, [1, 0, 0]),
                          (outputs.burst, [0, 1, 0])):  # fmt: skip
        (gradient,) = torch.autograd.grad(values.sum(), soma, retain_graph=True)
        assert gradient.tolist() == pytest.approx([flag * expected for flag in flags])


def test_without_surrogate_outputs_carry_no_gradient():
    soma, outputs = one_step(None)
    assert soma.requires_grad
    assert not any(values.requires_grad for values in outputs)


def test_surrogate_changes_no_spike_and_carries_bursts_to_the_apical_drive():
    drives = bac_drives(1.0, torch.float64)
    plain, _ = Layer(NaudSprekeler(QUIET))(drives)
    apical = drives.apical.clone().requires_grad_()
    smooth, _ = Layer(NaudSprekeler(QUIET, surrogate=fast_sigmoid(1.0)))(
        Inputs(drives.soma, apical)
    )
    for a, b in zip(plain, smooth, strict=True):
        assert torch.equal(a, b.detach())
    smooth.burst[:, 2].sum().backward()
    assert apical.grad is not None
    assert torch.isfinite(apical.grad).all()
    assert (apical.grad[55:65, 2] > 0).all()
    assert (apical.grad[:, [0, 1, 3]] == 0).all()
