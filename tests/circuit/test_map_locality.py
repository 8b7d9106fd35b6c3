"""CLAPP++ is local: no graph, no look at later areas, one area in memory at a time; bad input is refused."""

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.map_hierarchy import MapHierarchy
from clapp_snn.circuit.network import AreaUpdate
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.functional.map_score import MapObjective, draw_map_saccades
from clapp_snn.methods import get_method
from clapp_snn.methods.record import Method
from clapp_snn.randomness import generator
from tests.circuit.small_maps import GROUP, IMAGES, LOCAL, TABLE, build, streams, views


def learn(network: MapHierarchy) -> list[AreaUpdate]:
    return list(network.learn(views(), streams, GROUP))


def same(a: AreaUpdate, b: AreaUpdate) -> bool:
    return all(
        torch.equal(one, two) for (_, one), (_, two) in zip(a.changes, b.changes, strict=True)
    )


def compared_after_a_change(name: str, area: int, encoder: bool) -> list[bool]:
    network = build(name)
    before = learn(network)
    with torch.no_grad():
        if encoder:
            network.encoder.layer(area).weight.mul_(1.5)
        else:
            for matrix in network.area(area).matrices():
                matrix.mul_(-50)
    return [same(a, b) for a, b in zip(before, learn(network), strict=True)]


@pytest.mark.parametrize("name", LOCAL)
def test_another_areas_matrices_do_not_matter(name: str) -> None:
    assert compared_after_a_change(name, 1, encoder=False) == [True, False, True]


@pytest.mark.parametrize("name", ["clapp-pp", "clapp-pp-pooled"])
def test_later_areas_do_not_matter(name: str) -> None:
    assert compared_after_a_change(name, 1, encoder=True) == [True, False, False]


@pytest.mark.parametrize("name", ["clapp-pp-dfb", "clapp-pp-both"])
def test_direct_feedback_brings_the_top_area(name: str) -> None:
    assert compared_after_a_change(name, 2, encoder=True) == [False, False, False]


def test_direct_feedback_reaches_weights_only_through_the_apical_input() -> None:
    """With W_top = 0 the top area is not heard: the feedforward weights of lower areas do not change."""
    network = build("clapp-pp-dfb")
    with torch.no_grad():
        for index in range(3):
            matrix = network.area(index).W_top
            assert matrix is not None
            matrix.zero_()
    for update in learn(network):
        assert not update.changes[0][1].any()
        assert update.changes[2][1].any()


@pytest.mark.parametrize("name", LOCAL)
def test_no_graph_is_built(name: str) -> None:
    network = build(name).requires_grad_(True)

    def refuse(saved: Tensor) -> Tensor:
        raise AssertionError(f"autograd saved a tensor of shape {tuple(saved.shape)}")

    with torch.autograd.graph.saved_tensors_hooks(refuse, refuse):
        updates = learn(network)
    assert all(not change.requires_grad for update in updates for _, change in update.changes)


@pytest.mark.parametrize("name", LOCAL)
def test_groups_do_not_see_each_other(name: str) -> None:
    """What a group of images teaches does not depend on the batch it travels in."""
    network = build(name)
    together = learn(network)
    sums: list[list[Tensor]] = []
    for group in range(IMAGES // GROUP):
        members = torch.arange(group * GROUP, (group + 1) * GROUP)
        chosen = views()[torch.cat((members, IMAGES + members))]

        def own(area: int, loss: int, group: int = group) -> list[torch.Generator]:
            return [streams(area, loss)[group]]

        alone = network.learn(chosen, own, GROUP)
        sums.append([change for update in alone for _, change in update.changes])
    wanted = [torch.stack(parts).mean(0) for parts in zip(*sums, strict=True)]
    found = [change for update in together for _, change in update.changes]
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-14)


def test_areas_yield_before_the_next_area_responds(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    respond = Encoder.respond

    def watched(self: Encoder, index: int, x: Tensor, *, learn: bool) -> object:
        order.append(f"{'respond' if learn else 'look'} {index}")
        return respond(self, index, x, learn=learn)

    monkeypatch.setattr(Encoder, "respond", watched)
    for update in build("clapp-pp-dfb").learn(views(), streams, GROUP):
        order.append(f"learn {update.area}")
    sweep = [f"{what} {area}" for area in range(3) for what in ("respond", "learn")]
    assert order == ["look 0", "look 1", "look 2", *sweep]


def test_saccades_land_as_published() -> None:
    following = draw_map_saccades(MapObjective((None,)), [generator(0)], 2)
    assert following[0, :, 0].tolist() == [1, 2, 3, 0]
    drawn = draw_map_saccades(MapObjective((None,), "random", 400), [generator(0)] * 2, 3)
    assert drawn.shape == (2, 6, 400)
    assert sorted(set(drawn.flatten().tolist())) == list(range(6))


def test_bad_input_is_refused() -> None:
    maps = MapObjective((4, 4, 2))
    with pytest.raises(ValueError, match="multiple of the group size"):
        next(build("clapp-pp").learn(views(), streams, 3))
    with pytest.raises(ValueError, match="back-propagation"):
        next(build("clapp-pp-end-to-end").learn(views(), streams, GROUP))
    with pytest.raises(ValueError, match="does not compare maps"):
        MapHierarchy(Encoder(TABLE), get_method("clapp-s"))
    with pytest.raises(ValueError, match="splits 6 layers"):
        MapHierarchy(Encoder(TABLE), get_method("clapp-pp"))
    with pytest.raises(ValueError, match="do not fill the 16 x 16 map of layer 1"):
        MapHierarchy(Encoder(TABLE), Method("x", "x", (1, 1, 1), maps=MapObjective((3, 4, 2))))
    with pytest.raises(ValueError, match="window for every module"):
        Method("x", "x", (1, 1), maps=maps)
    with pytest.raises(ValueError, match="for methods on maps"):
        Method("x", "x", (1,), task="none", context="top")
    with pytest.raises(ValueError, match="exactly 1 negative"):
        MapObjective((4,), negatives=2)
