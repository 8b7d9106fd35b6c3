"""The rate neuron: exact activity and exact score through the two ports."""

import torch

from clapp_snn.neurons.interface import Inputs
from clapp_snn.neurons.rate import Rate


def test_events_are_the_activity_and_bursts_sum_to_the_score() -> None:
    noise = torch.Generator().manual_seed(0)
    a, zhat = torch.randn(2, 5, 64, generator=noise, dtype=torch.float64)
    outputs, state = Rate()(Inputs(a, zhat))
    z = a.clamp(min=0)
    assert torch.equal(outputs.spike, z)
    assert torch.equal(outputs.event, z)
    assert torch.equal(state.z, z)
    assert torch.allclose(outputs.burst.sum(-1), torch.einsum("bi,bi->b", z, zhat))


def test_the_score_is_differentiable() -> None:
    """d (z zhat) / d a = zhat where a > 0; d / d zhat = z."""
    a = torch.tensor([-1.0, 2.0, 0.5], requires_grad=True)
    zhat = torch.tensor([3.0, -4.0, 5.0], requires_grad=True)
    outputs, _ = Rate()(Inputs(a, zhat))
    outputs.burst.sum().backward()
    assert a.grad is not None
    assert zhat.grad is not None
    assert a.grad.tolist() == [0.0, -4.0, 5.0]
    assert zhat.grad.tolist() == [0.0, 2.0, 0.5]


def test_no_memory() -> None:
    neuron = Rate()
    inputs = Inputs(torch.tensor([1.0]), torch.tensor([2.0]))
    once, state = neuron(inputs)
    twice, _ = neuron(inputs, state)
    assert once == twice
