"""The autograd baselines: equal to the explicit rule where both exist, blocked where they should be."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.backprop import module_losses
from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import VGG6
from clapp_snn.functional.objective import Retro
from clapp_snn.methods import METHODS, get_method
from clapp_snn.methods.record import Method
from clapp_snn.randomness import generator
from tests.circuit import reference

EXPLICIT = [name for name, method in METHODS.items() if method.explicit]


SEVERAL_LAYERS = [
    name for name, method in METHODS.items() if method.objective is not None and not method.explicit
]


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


def strong(method: Method) -> Hierarchy:
    """Weights that bring the scores near the margin: some gates open, some closed."""
    hierarchy = build(method)
    with torch.no_grad():
        for index in range(6):
            hierarchy.encoder.layer(index).weight.mul_(2)
        for parameter in hierarchy.areas.parameters():
            parameter.mul_(20)
    return hierarchy


def one_group(area: int, loss: int) -> list[torch.Generator]:
    return [generator(5, "saccade", area, loss)]


def gradients(hierarchy: Hierarchy, losses: list[Tensor]) -> dict[str, Tensor]:
    hierarchy.zero_grad(set_to_none=True)
    torch.stack(losses).sum().backward()
    return {n: p.grad for n, p in hierarchy.named_parameters() if p.grad is not None}


def oracle(hierarchy: Hierarchy, x: Tensor, retro: str) -> list[Tensor]:
    """Losses of all modules, pair by pair; `retro` says what the context side is meant to feel."""
    objective, count = hierarchy.method.objective, len(x)
    assert objective is not None
    layers = [(m.weight, m.bias, m.pool) for m in map(hierarchy.encoder.layer, range(6))]
    patches = hierarchy.encoder.patches(x).permute(0, 3, 1, 2)
    tops = hierarchy.method.tops
    features = reference.encode(patches, layers, tops)
    losses = []
    for index, drawn in enumerate(hierarchy.draws(one_group, count, "cpu")):
        area, z = hierarchy.area(index), reference.grid_of(features[tops[index]], count)
        pairs = [
            ([step[0] for step in d.landing], None if d.fixation is None else d.fixation[0])
            for d in drawn
        ]
        weights = area.W_pred, area.W_retro
        losses.append(
            reference.area_loss(z, z, *weights, pairs, objective.distances, retro, objective.loss)
        )
    return losses


def largest_difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[n] - other[n]).norm() / other[n].norm()) for n in one)


@pytest.mark.parametrize("name", SEVERAL_LAYERS)
def test_modules_of_several_layers_equal_the_naive_losses(name: str) -> None:
    hierarchy = strong(get_method(name))
    objective = hierarchy.method.objective
    assert objective is not None
    found = list(module_losses(hierarchy, images()[:3], one_group, group=3))
    wanted = oracle(hierarchy, images()[:3], objective.retro)
    for each, loss in zip(found, wanted, strict=True):
        torch.testing.assert_close(each.loss, loss, rtol=1e-12, atol=0)
    gates = [float(each.gate) for each in found]
    assert any(0.05 < gate < 0.95 for gate in gates), gates
    learned = gradients(hierarchy, [each.loss for each in found])
    assert learned.keys() == dict(hierarchy.named_parameters()).keys()
    assert largest_difference(learned, gradients(hierarchy, wanted)) < 1e-9


def test_blocked_context_gets_no_gradient_end_to_end() -> None:
    """Equal to losses whose context is cut off, and far from losses whose context is not."""
    hierarchy = strong(get_method("hinge-cpc-block-c"))
    losses = [x.loss for x in module_losses(hierarchy, images()[:3], one_group, group=3)]
    learned = gradients(hierarchy, losses)
    blocked, unblocked = (oracle(hierarchy, images()[:3], retro) for retro in ("zero", "tied"))
    torch.testing.assert_close(blocked, unblocked, rtol=1e-12, atol=0)
    assert largest_difference(learned, gradients(hierarchy, blocked)) < 1e-9
    assert largest_difference(learned, gradients(hierarchy, unblocked)) > 0.1


@pytest.mark.parametrize("retro", ["tied", "zero"])
def test_context_from_above_learns_unless_it_is_blocked(retro: Retro) -> None:
    """With z and c from two areas, the layer of c is reached by the gradient or it is not."""
    method = get_method("clapp-s-above")
    assert method.objective is not None
    hierarchy = build(replace(method, objective=replace(method.objective, retro=retro)))
    for index, each in enumerate(module_losses(hierarchy, images(), streams, group=2)):
        hierarchy.zero_grad(set_to_none=True)
        each.loss.backward(retain_graph=True)
        reached = {i for i in range(6) if hierarchy.encoder.layer(i).weight.grad is not None}
        above = min(index + 1, 5)
        assert reached == ({index} if retro == "zero" else {index, above})


def test_supervised_methods_need_labels() -> None:
    with pytest.raises(ValueError, match="labelled"):
        list(module_losses(build(get_method("supervised")), images(), streams, group=2))


def test_random_init_has_no_loss() -> None:
    with pytest.raises(ValueError, match="does not learn"):
        list(module_losses(build(get_method("random")), images(), streams, group=2))


def test_a_shared_gate_is_not_the_gradient_of_a_loss() -> None:
    clapp = get_method("clapp")
    assert clapp.objective is not None
    paper = replace(clapp, objective=replace(clapp.objective, sharing="paper"))
    with pytest.raises(ValueError, match="not the gradient of a loss"):
        list(module_losses(build(paper), images(), streams, group=2))
