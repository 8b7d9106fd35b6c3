"""The autograd baselines: equal to the explicit rule where both exist, blocked where they should be."""

from dataclasses import replace

import pytest
import torch

from clapp_snn.circuit.backprop import module_losses
from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import VGG6
from clapp_snn.methods import METHODS, get_method
from clapp_snn.methods.record import Method
from clapp_snn.randomness import generator

EXPLICIT = [name for name, method in METHODS.items() if method.explicit]


def build(method: Method) -> Hierarchy:
    hierarchy = Hierarchy(Encoder(VGG6, width=1 / 32), method, classes=3)
    hierarchy.reset_parameters(seed=1)
    hierarchy.encoder.precision = torch.float64
    return hierarchy.double()


def streams(area: int, loss: int) -> list[torch.Generator]:
    return [generator(5, "saccade", area, loss, group) for group in range(2)]


def images() -> torch.Tensor:
    return torch.randn(4, 1, 64, 64, generator=generator(0, "images")).double()


@pytest.mark.parametrize("method", EXPLICIT)
def test_layerwise_gradients_equal_the_explicit_rule(method: str) -> None:
    hierarchy = build(get_method(method))
    updates = list(hierarchy.learn(images(), streams, group=2))
    losses = list(module_losses(hierarchy, images(), streams, group=2))
    torch.stack([each.loss for each in losses]).sum().backward()
    for update, each in zip(updates, losses, strict=True):
        torch.testing.assert_close(update.loss, each.loss.detach(), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(update.gate, each.gate, rtol=1e-6, atol=1e-6)
        for parameter, change in update.changes:
            gradient = parameter.grad
            assert gradient is not None
            scale = float(gradient.abs().max())
            torch.testing.assert_close(change, -gradient, rtol=1e-8, atol=1e-10 * scale)


@pytest.mark.parametrize(
    "name", ["clapp-s-2", "clapp-s-4-upper", "clapp-s-4-lower", "supervised-greedy"]
)
def test_gradients_stop_at_module_borders(name: str) -> None:
    hierarchy = build(get_method(name))
    labels = torch.tensor([0, 1, 2, 0])
    losses = list(module_losses(hierarchy, images(), streams, group=2, labels=labels))
    first = 0
    for each, top in zip(losses, hierarchy.method.tops, strict=True):
        hierarchy.zero_grad(set_to_none=True)
        each.loss.backward()
        reached = [hierarchy.encoder.layer(i).weight.grad is not None for i in range(6)]
        assert reached == [first <= i <= top for i in range(6)]
        first = top + 1


def test_blocked_context_does_not_learn_and_supervised_needs_labels() -> None:
    hierarchy = build(get_method("supervised"))
    with pytest.raises(ValueError, match="labelled"):
        list(module_losses(hierarchy, images(), streams, group=2))
    with pytest.raises(ValueError, match="does not learn"):
        list(module_losses(build(get_method("random")), images(), streams, group=2))
    clapp = get_method("clapp")
    assert clapp.objective is not None
    paper = replace(clapp, objective=replace(clapp.objective, sharing="paper"))
    with pytest.raises(ValueError, match="not the gradient of a loss"):
        list(module_losses(build(paper), images(), streams, group=2))
