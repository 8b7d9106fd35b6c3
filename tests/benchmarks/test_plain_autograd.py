"""The peer of the throughput benchmark computes what the package computes."""

import pytest
import torch

from benchmarks.plain_autograd import PlainNetwork
from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.functional.saccades import Draw, draw_saccades
from clapp_snn.randomness import generator
from clapp_snn.training.build import build_hierarchy
from clapp_snn.training.config import TrainConfig

GROUP = 3
SCALE = 300


def streams(module: int, loss: int) -> list[torch.Generator]:
    return [generator(5, module, loss, group) for group in range(2)]


def images() -> torch.Tensor:
    size = (2 * GROUP, 1, 64, 64)
    return torch.randn(size, generator=generator(0, "images"), dtype=torch.float64)


def ours(method: str) -> Hierarchy:
    config = TrainConfig(
        method=method, width=1 / 32, batch=2 * GROUP, group=GROUP, engine="torch", device="cpu"
    )
    hierarchy, _ = build_hierarchy(config, torch.device("cpu"), 10)
    hierarchy.encoder.precision = torch.float64
    hierarchy.double().requires_grad_(False)
    for index in range(len(hierarchy.areas)):
        # Large enough for scores beyond the margin, so that some gates are shut.
        for matrix in hierarchy.area(index).parameters():
            matrix.mul_(SCALE)
    return hierarchy


def twin(hierarchy: Hierarchy) -> PlainNetwork:
    """The plain network with the weights of `hierarchy`."""
    method = hierarchy.method
    plain = PlainNetwork(1 / 32, method.splits, hierarchy.area(0).W_retro is not None).double()
    for index, layer in enumerate(plain.layers):
        layer.weight.data.copy_(hierarchy.encoder.layer(index).weight)
        layer.bias.data.copy_(hierarchy.encoder.layer(index).bias)
    for index in range(len(hierarchy.areas)):
        area = hierarchy.area(index)
        for head, weight in zip(plain.heads[index], area.W_pred, strict=True):
            head.weight.data.copy_(weight)
        if area.W_retro is not None:
            for head, weight in zip(plain.back_heads[index], area.W_retro, strict=True):
                head.weight.data.copy_(weight.T)
    return plain


@pytest.mark.parametrize("method", ["clapp-s", "clapp"])
def test_loss_and_gradients_equal_ours_in_two_groups(method: str) -> None:
    hierarchy = ours(method)
    plain = twin(hierarchy)
    objective = hierarchy.area(0).objective

    def draw(module: int, loss: int) -> Draw:
        return draw_saccades(objective, streams(module, loss), GROUP, 7)

    loss = plain.loss(images(), GROUP, draw)
    loss.backward()
    updates = list(hierarchy.learn(images(), streams, GROUP))
    torch.testing.assert_close(loss.detach(), sum(update.loss for update in updates))
    assert 0 < max(update.gate for update in updates) < 1
    for update in updates:
        index, changes = update.area, [-change for _, change in update.changes]
        theirs = [plain.layers[index].weight.grad, plain.layers[index].bias.grad]
        theirs.append(torch.stack([head.weight.grad for head in plain.heads[index]]))
        if len(plain.back_heads):
            theirs.append(torch.stack([head.weight.grad.T for head in plain.back_heads[index]]))
        for mine, other in zip(changes, theirs, strict=True):
            assert other.abs().max() > 0
            torch.testing.assert_close(mine, other)


def test_a_group_without_saccades_counts_its_fixations_only() -> None:
    hierarchy = ours("clapp")
    plain = twin(hierarchy)
    fixation = torch.tensor([[True] * GROUP, [False, True, False]])

    def draw(module: int, loss: int) -> Draw:
        drawn = draw_saccades(hierarchy.area(0).objective, streams(module, loss), GROUP, 7)
        return drawn._replace(fixation=fixation)

    loss = plain.loss(images(), GROUP, draw)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(bool(torch.isfinite(p.grad).all()) for p in plain.parameters())


def test_bfloat16_changes_the_convolutions_only_by_rounding() -> None:
    plain = twin(ours("clapp-s")).float()
    objective = ours("clapp-s").area(0).objective

    def draw(module: int, loss: int) -> Draw:
        return draw_saccades(objective, streams(module, loss), GROUP, 7)

    full, half = (plain.loss(images().float(), GROUP, draw, bfloat16=b) for b in (False, True))
    assert half.dtype == torch.float32
    assert half != full
    torch.testing.assert_close(half, full, rtol=0.02, atol=0)
