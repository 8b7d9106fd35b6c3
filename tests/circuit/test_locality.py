"""Locality, tested: what an area learns depends on that area alone, and no graph is ever built."""

import pytest
import torch
from torch import Tensor

from clapp_snn import native
from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.circuit.network import AreaUpdate
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import VGG6
from clapp_snn.methods import METHODS, get_method
from clapp_snn.randomness import generator

EXPLICIT = [name for name, method in METHODS.items() if method.explicit]
SAME_AREA = [name for name in EXPLICIT if METHODS[name].context == "same"]


def build(method: str, engine: str = "torch") -> Hierarchy:
    if engine == "native" and not native.available():
        pytest.skip(native.why_unavailable())
    hierarchy = Hierarchy(Encoder(VGG6, width=1 / 16), get_method(method))
    hierarchy.reset_parameters(seed=1)
    hierarchy.encoder.engine = "native" if engine == "native" else "torch"
    return hierarchy


def streams(area: int, loss: int) -> list[torch.Generator]:
    return [generator(5, "saccade", area, loss, group) for group in range(2)]


def learn(hierarchy: Hierarchy) -> list[AreaUpdate]:
    images = torch.randn(4, 1, 64, 64, generator=generator(0, "images"))
    return list(hierarchy.learn(images, streams, group=2))


def same(a: AreaUpdate, b: AreaUpdate) -> bool:
    return all(
        torch.equal(one, two) for (_, one), (_, two) in zip(a.changes, b.changes, strict=True)
    )


@pytest.mark.parametrize("engine", ["torch", "native"])
@pytest.mark.parametrize("method", SAME_AREA)
def test_perturbing_a_later_area_leaves_earlier_updates_bit_identical(
    method: str, engine: str
) -> None:
    hierarchy = build(method, engine)
    before = learn(hierarchy)
    with torch.no_grad():
        for parameter in (hierarchy.encoder.layer(3).weight, hierarchy.area(3).W_pred):
            parameter += 0.1
    after = learn(hierarchy)
    assert [same(a, b) for a, b in zip(before, after, strict=True)] == [True] * 3 + [False] * 3


@pytest.mark.parametrize("method", SAME_AREA)
def test_another_areas_gamma_leaves_all_other_updates_bit_identical(method: str) -> None:
    """Lateral weights decide only their own area's gamma: not even later areas feel them."""
    hierarchy = build(method)
    before = learn(hierarchy)
    with torch.no_grad():
        hierarchy.area(2).W_pred.mul_(-50)
    after = learn(hierarchy)
    assert not torch.equal(before[2].scores[0], after[2].scores[0])
    expected = [True, True, False, True, True, True]
    assert [same(a, b) for a, b in zip(before, after, strict=True)] == expected


@pytest.mark.parametrize("method", EXPLICIT)
def test_no_graph_is_built(method: str) -> None:
    """Even with parameters that ask for gradients, nothing is saved for a backward pass."""
    hierarchy = build(method).requires_grad_(True)

    def refuse(saved: Tensor) -> Tensor:
        raise AssertionError(f"autograd saved a tensor of shape {tuple(saved.shape)}")

    with torch.autograd.graph.saved_tensors_hooks(refuse, refuse):
        updates = learn(hierarchy)
    for update in updates:
        assert not update.loss.requires_grad
        assert all(not change.requires_grad for _, change in update.changes)


@pytest.mark.parametrize("method", EXPLICIT)
def test_every_parameter_of_an_area_learns(method: str) -> None:
    hierarchy = build(method)
    updates = learn(hierarchy)
    touched = {id(parameter) for update in updates for parameter, _ in update.changes}
    assert touched == {id(parameter) for parameter in hierarchy.parameters()}
    for update in updates:
        assert all(bool(change.any()) for _, change in update.changes), update.area


def test_areas_yield_their_update_before_the_next_area_responds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hierarchy = build("clapp-s")
    order: list[str] = []
    respond = Encoder.respond

    def watched(self: Encoder, index: int, x: Tensor, *, learn: bool) -> object:
        order.append(f"respond {index}")
        return respond(self, index, x, learn=learn)

    monkeypatch.setattr(Encoder, "respond", watched)
    images = torch.randn(2, 1, 64, 64, generator=generator(0, "images"))
    for update in hierarchy.learn(images, streams, group=1):
        order.append(f"learn {update.area}")
    assert order == [f"{what} {area}" for area in range(6) for what in ("respond", "learn")]


@pytest.mark.parametrize("method", ["hinge-cpc", "supervised", "random"])
def test_other_methods_are_refused(method: str) -> None:
    with pytest.raises(ValueError, match="back-propagation"):
        learn(build(method))


def test_batch_must_split_into_groups() -> None:
    hierarchy = build("clapp-s")
    with pytest.raises(ValueError, match="multiple of the group size"):
        next(hierarchy.learn(torch.zeros(5, 1, 64, 64), streams, group=2))
