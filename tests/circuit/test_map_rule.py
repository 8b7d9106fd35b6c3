"""CLAPP++ in closed form equals autograd through losses that are written out pair by pair."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn import native
from clapp_snn.circuit.map_hierarchy import MapHierarchy
from clapp_snn.functional.map_score import draw_map_saccades
from tests.circuit.small_maps import GROUP, IMAGES, LOCAL, build, streams, views

OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in LOCAL} | {
    "random": ("clapp-pp", {"sampling": "random"}),
    "random, three negatives": ("clapp-pp-both", {"sampling": "random", "negatives": 3}),
}


def flat_maps(network: MapHierarchy, x: Tensor) -> list[Tensor]:
    """Flattened window means (view, value) of every layer; gradients stop between layers."""
    found = []
    for index, side in enumerate(network.objective.windows):
        layer = network.encoder.layer(index)
        x = F.relu(F.conv2d(x.detach(), layer.weight, layer.bias, padding=1))
        x = F.max_pool2d(x, 2) if layer.pool else x
        found.append(F.avg_pool2d(x, side or x.shape[2]).permute(0, 2, 3, 1).flatten(1))
    return found


def pair_by_pair(z: Tensor, c: Tensor, W: Tensor, landing: Tensor) -> Tensor:
    """Published means of one matrix; views of group g: first views, then second views of its images."""
    total = z.new_zeros(())
    for g in range(IMAGES // GROUP):
        members = range(g * GROUP, (g + 1) * GROUP)
        first, second = list(members), [IMAGES + i for i in members]
        contexts, targets = first + second, second + first
        for i, context in enumerate(contexts):
            apical = W @ c[context].detach()
            total = total + F.relu(1 - z[targets[i]] @ apical)
            others = [F.relu(1 + z[targets[j]] @ apical) for j in landing[g, i].tolist()]
            total = total + torch.stack(others).mean()
    return total / (2 * IMAGES)


def losses(network: MapHierarchy) -> list[Tensor]:
    landing = draw_map_saccades(network.objective, streams(0, 0), GROUP)
    maps = flat_maps(network, views())
    found = []
    for index, z in enumerate(maps):
        area = network.area(index)
        pairs = [(z, area.W_pred), (maps[-1], area.W_top)]
        each = [pair_by_pair(z, c, W, landing) for c, W in pairs if W is not None]
        found.append(torch.stack(each).sum())
    return found


def relative(change: Tensor, gradient: Tensor) -> float:
    return float((change + gradient).norm() / gradient.norm())


def compare(network: MapHierarchy, wanted: MapHierarchy, x: Tensor, tolerance: float) -> None:
    oracle = losses(wanted)
    torch.stack(oracle).sum().backward()
    gradients = {name: p.grad for name, p in wanted.named_parameters()}
    names = {id(p): name for name, p in network.named_parameters()}
    seen = set()
    for update, loss in zip(network.learn(x, streams, GROUP), oracle, strict=True):
        torch.testing.assert_close(
            update.loss.double(), loss.detach(), rtol=max(tolerance, 1e-12), atol=0
        )
        for parameter, change in update.changes:
            gradient = gradients[names[id(parameter)]]
            assert gradient is not None
            assert float(gradient.norm()) > 1e-6
            assert relative(change.double(), gradient) < tolerance, names[id(parameter)]
            seen.add(names[id(parameter)])
    assert seen == set(names.values())


@pytest.mark.parametrize("option", OPTIONS)
def test_every_update_equals_autograd_in_float64(option: str) -> None:
    name, changes = OPTIONS[option]
    compare(build(name, **changes), build(name, **changes), views(), 1e-9)


@pytest.mark.parametrize("engine", ["torch", "native"])
def test_float32_stays_within_1e_4(engine: str) -> None:
    if engine == "native" and not native.available():
        pytest.skip(native.why_unavailable())
    network = build("clapp-pp-both", torch.float32)
    network.encoder.engine = "native" if engine == "native" else "torch"
    compare(network, build("clapp-pp-both"), views(torch.float32), 1e-4)


def test_gates_are_mixed_in_these_tests() -> None:
    for name in LOCAL:
        gates = [float(update.gate) for update in build(name).learn(views(), streams, GROUP)]
        assert any(0.05 < gate < 0.95 for gate in gates), gates


@pytest.mark.parametrize("name", LOCAL)
def test_the_losses_for_back_propagation_are_the_same(name: str) -> None:
    network = build(name)
    theirs = network.module_losses(views(), streams, GROUP)
    for update, loss in zip(network.learn(views(), streams, GROUP), theirs, strict=True):
        torch.testing.assert_close(update.loss, loss.loss.detach(), rtol=1e-12, atol=0)
        torch.testing.assert_close(update.gate, loss.gate, rtol=1e-12, atol=0)
        for ours, other in zip(update.scores, loss.scores, strict=True):
            torch.testing.assert_close(ours, other, rtol=1e-12, atol=1e-12)


def test_the_twin_sends_its_loss_through_all_layers() -> None:
    network = build("clapp-pp-end-to-end")
    x = views()
    for index in range(3):
        layer = network.encoder.layer(index)
        x = F.relu(F.conv2d(x, layer.weight, layer.bias, padding=1))
        x = F.max_pool2d(x, 2) if layer.pool else x
    z = x.mean((2, 3))
    matrix = network.area(0).W_pred
    assert matrix is not None
    landing = draw_map_saccades(network.objective, streams(0, 0), GROUP)
    wanted = torch.autograd.grad(pair_by_pair(z, z, matrix, landing), list(network.parameters()))
    (module,) = network.module_losses(views(), streams, GROUP)
    found = torch.autograd.grad(module.loss, list(network.parameters()))
    for ours, theirs in zip(found, wanted, strict=True):
        assert float(theirs.norm()) > 0
        assert relative(-ours, theirs) < 1e-9


def test_a_window_of_the_whole_map_is_no_spatial_dependence() -> None:
    """With windows of 16, 8 and 4 positions every map is one window."""
    pooled, whole = build("clapp-pp-pooled"), build("clapp-pp", windows=(16, 8, 4))
    for one, two in zip(
        pooled.learn(views(), streams, GROUP), whole.learn(views(), streams, GROUP), strict=True
    ):
        for (_, a), (_, b) in zip(one.changes, two.changes, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-15)
