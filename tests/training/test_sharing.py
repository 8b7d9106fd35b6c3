"""One y and one partner image for the whole network, or a draw for every area and loss.

Eqs. 5-8 of Illing et al. 2021 have one broadcast y; their published code draws one per module and loss.
"""

from itertools import combinations, pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.functional.saccades import Draw
from clapp_snn.randomness import generator
from clapp_snn.training.build import build_hierarchy
from clapp_snn.training.learner import make_learner
from tests.training import tiny

GROUP = 16


def network(method: str, sharing: str) -> Hierarchy:
    """Width 1/32. Two draws of y for two groups of 16 images agree with probability 2^-32."""
    config = tiny.config(Path("unused"), method=method, sharing=sharing)
    return build_hierarchy(config, torch.device("cpu"), classes=10)[0]


def streams(area: int, loss: int) -> list[torch.Generator]:
    return [generator(5, "saccade", area, loss, group) for group in range(2)]


def images() -> Tensor:
    return torch.randn(2 * GROUP, 1, 64, 64, generator=generator(0, "images"))


def same_y(one: Draw, other: Draw) -> bool:
    assert one.fixation is not None
    assert other.fixation is not None
    return torch.equal(one.fixation, other.fixation)


def same_places(one: Draw, other: Draw) -> list[bool]:
    return [torch.equal(a, b) for a, b in zip(one.landing, other.landing, strict=True)]


@pytest.mark.parametrize("method", ["clapp", "clapp-zero-retro", "clapp-fb"])
def test_paper_sharing_has_one_draw_for_all_areas_and_losses(method: str) -> None:
    hierarchy = network(method, "paper")
    assert hierarchy.method.objective is not None
    assert hierarchy.method.objective.sharing == "paper"
    drawn = list(hierarchy.draws(streams, GROUP, "cpu"))
    assert len(drawn) == 6
    every = [draw for area in drawn for draw in area]
    for one, other in pairwise(every):
        assert same_y(one, other)
        assert same_places(one, other) == [True] * 5


@pytest.mark.parametrize(("method", "losses"), [("clapp", 2), ("clapp-zero-retro", 1)])
def test_code_sharing_draws_for_every_area_and_loss(method: str, losses: int) -> None:
    drawn = list(network(method, "code").draws(streams, GROUP, "cpu"))
    assert [len(area) for area in drawn] == [losses] * 6
    for one, other in combinations([draw for area in drawn for draw in area], 2):
        assert not same_y(one, other)
        assert same_places(one, other) == [False] * 5


@pytest.mark.parametrize("method", ["clapp", "clapp-fb"])
def test_areas_learn_from_the_shared_draw(method: str) -> None:
    """Also an area that learns by itself sees what the whole network would have shown it."""
    hierarchy = network(method, "paper")
    (first,) = hierarchy.area(0).draw([streams(0, 0)], GROUP, hierarchy.grid, "cpu")
    used = [update.draw for update in hierarchy.learn(images(), streams, GROUP)]
    used.append(hierarchy.learn_area(4, images(), streams, GROUP).draw)
    assert len(used) == 7
    for draw in used:
        assert draw is not None
        assert same_y(draw, first)
        assert same_places(draw, first) == [True] * 5


def test_a_training_step_depends_on_the_sharing() -> None:
    """From equal weights, every tensor ends up elsewhere."""
    before, after = [], []
    for sharing in ("paper", "code"):
        hierarchy = network("clapp", sharing)
        before.append({name: p.clone() for name, p in hierarchy.named_parameters()})
        make_learner(hierarchy, 1e-3, GROUP, tiny.SINGLE).step(images(), None, streams)
        after.append(dict(hierarchy.named_parameters()))
    for name, started in before[0].items():
        assert torch.equal(started, before[1][name])
        assert not torch.equal(after[0][name], after[1][name]), name
