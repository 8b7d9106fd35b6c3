"""Eqs. 6-8 on clips equal autograd through PyTorch's own modules, for every block and every option."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.clip_hierarchy import ClipHierarchy
from clapp_snn.encoders.video import (
    VGG5,
    VIDEO_ARCHITECTURES,
    Normalisation,
    VideoArchitecture,
    VideoEncoder,
)
from clapp_snn.functional import clip_convolution
from clapp_snn.functional.clip_convolution import BlockOrder
from clapp_snn.methods.video import VIDEO_METHODS
from clapp_snn.randomness import generator
from tests.circuit import clip_reference

CLIPS, SIDE = 2, 67
FRAMES = {"vgg5": 36, "vgg5-overlap": 20, "vgg5-frames": 5}

OPTIONS: dict[str, tuple[Normalisation, BlockOrder]] = {
    "relu-norm": ("batch", "relu-norm"),
    "norm-relu": ("batch", "norm-relu"),
    "no norm": ("none", "relu-norm"),
}


def no_streams(area: int, loss: int) -> list[torch.Generator]:
    raise AssertionError("nothing is drawn on clips")


def build(
    method: str = "clapp-s",
    option: str = "relu-norm",
    table: VideoArchitecture = VGG5,
    dtype: torch.dtype = torch.float64,
) -> ClipHierarchy:
    normalisation, order = OPTIONS[option]
    encoder = VideoEncoder(table, 1 / 32, normalisation, order)
    network = ClipHierarchy(encoder, VIDEO_METHODS[method], FRAMES[table.name], SIDE, classes=3)
    network.reset_parameters(seed=4)
    network.to(dtype)
    stream = generator(9, "spread")
    with torch.no_grad():
        for index in range(len(network.areas)):
            # Weak lateral weights bring the scores near the margin: some gates open, some closed.
            network.area(index).W_pred *= 0.1
        for index in range(5):
            block = network.encoder.layer(index)
            for parameter in (block.bias, block.gain, block.shift):
                if parameter is not None:
                    parameter.add_(0.1 * torch.randn(parameter.shape, generator=stream))
    return network


def clips(table: VideoArchitecture = VGG5, dtype: torch.dtype = torch.float64) -> Tensor:
    shape = (CLIPS, FRAMES[table.name], SIDE, SIDE, 3)
    return torch.randn(shape, generator=generator(0, "clips"), dtype=torch.float32).to(dtype)


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / (a.norm() + b.norm()).clamp_min(1e-300))


def check(network: ClipHierarchy, oracle: ClipHierarchy, group: int, tolerance: float) -> None:
    """Updates of `network` against gradients of modules that hold the weights of `oracle`."""
    table, dtype = network.encoder.architecture, network.area(0).W_pred.dtype
    objective = network.method.objective
    assert objective is not None
    blocks = [clip_reference.block(oracle, index) for index in range(5)]
    updates = list(network.learn(clips(table, dtype), no_streams, group))
    assert [update.area for update in updates] == [0, 1, 2, 3, 4]
    x = clips(table).permute(0, 4, 1, 2, 3)
    for index, (update, built) in enumerate(zip(updates, blocks, strict=True)):
        z = built(x.detach())
        W = oracle.area(index).W_pred.detach().clone().requires_grad_()
        loss = clip_reference.loss_of(z, W, objective.loss, group)
        loss.backward()
        gradients = clip_reference.gradients_of(built)
        assert W.grad is not None
        gradients["W_pred"] = W.grad
        own = {id(p): n for n, p in network.encoder.layer(index).named_parameters()}
        own[id(network.area(index).W_pred)] = "W_pred"
        changes = {own[id(parameter)]: change for parameter, change in update.changes}
        assert changes.keys() == gradients.keys()
        torch.testing.assert_close(update.loss.double(), loss.detach(), rtol=tolerance, atol=0)
        for parameter, change in update.changes:
            # PyTorch's fused Adam takes memory as it lies and would mix the weights up.
            assert change.stride() == parameter.stride()
        for name, gradient in gradients.items():
            change = changes[name].double()
            if name == "bias" and network.encoder.order == "norm-relu":
                # A bias in front of a normalisation has no effect: both are rounding errors.
                assert float(change.abs().max()) < tolerance * float(gradients["weight"].norm())
                continue
            assert float(gradient.norm()) > 0, f"block {index + 1} {name}: nothing to compare"
            assert relative(change, -gradient) < tolerance, f"block {index + 1} {name}"
        x = z


@pytest.mark.parametrize("method", ["clapp-s", "gim-layerwise"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", ["vgg5-overlap", "vgg5-frames"])
def test_every_update_equals_autograd(name: str, option: str, method: str) -> None:
    table = VIDEO_ARCHITECTURES[name]
    check(build(method, option, table), build(method, option, table), CLIPS, 1e-9)


def test_every_update_equals_autograd_for_the_published_table() -> None:
    check(build(), build(), CLIPS, 1e-9)


def test_groups_contrast_within_themselves() -> None:
    table = VIDEO_ARCHITECTURES["vgg5-frames"]
    check(build(table=table), build(table=table), 1, 1e-9)


@pytest.mark.parametrize("option", OPTIONS)
def test_float32_follows_float64(option: str) -> None:
    table = VIDEO_ARCHITECTURES["vgg5-overlap"]
    network = build("gim-layerwise", option, table, torch.float32)
    check(network, build("gim-layerwise", option, table), CLIPS, 1e-4)


@pytest.mark.parametrize("option", ["relu-norm", "norm-relu"])
def test_negative_gains_turn_the_order_of_values_round(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pools then find the smallest activity. Clip by clip, as large maps are worked on."""
    monkeypatch.setitem(clip_convolution.BLOCK_BYTES, "cpu", 1)
    table = VIDEO_ARCHITECTURES["vgg5-frames"]
    network, oracle = build(option=option, table=table), build(option=option, table=table)
    for each in (network, oracle):
        for index in range(5):
            gain = each.encoder.layer(index).gain
            assert gain is not None
            gain.data[::2] *= -1
    check(network, oracle, CLIPS, 1e-9)


def test_open_and_closed_gates_both_occur() -> None:
    table = VIDEO_ARCHITECTURES["vgg5-frames"]
    network = build(table=table)
    gates = [float(update.gate) for update in network.learn(clips(table), no_streams, CLIPS)]
    assert all(0 < gate <= 1 for gate in gates)
    assert min(gates) < 0.95


@pytest.mark.parametrize("method", ["clapp-s", "gim-layerwise"])
@pytest.mark.parametrize("option", OPTIONS)
def test_layerwise_backprop_equals_the_explicit_rule(option: str, method: str) -> None:
    table = VIDEO_ARCHITECTURES["vgg5-frames"]
    network, other = build(method, option, table), build(method, option, table)
    updates = list(network.learn(clips(table), no_streams, CLIPS))
    losses = list(other.module_losses(clips(table), no_streams, CLIPS))
    torch.stack([each.loss for each in losses]).sum().backward()
    names = {id(p): n for n, p in network.named_parameters()}
    wanted = dict(other.named_parameters())
    for update, each in zip(updates, losses, strict=True):
        torch.testing.assert_close(update.loss, each.loss.detach(), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(update.gate, each.gate, rtol=1e-8, atol=1e-8)
        for mine, theirs in zip(update.scores, each.scores, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-10)
        for parameter, change in update.changes:
            gradient = wanted[names[id(parameter)]].grad
            assert gradient is not None
            torch.testing.assert_close(change, -gradient, rtol=1e-7, atol=1e-10)
    for (name, one), (_, two) in zip(network.named_buffers(), other.named_buffers(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-12, msg=name)


def test_end_to_end_gradients_reach_the_first_block() -> None:
    network = build("cpc", table=VIDEO_ARCHITECTURES["vgg5-overlap"])
    table = network.encoder.architecture
    (top,) = network.module_losses(clips(table), no_streams, CLIPS)
    top.loss.backward()
    blocks = [clip_reference.block(network, index) for index in range(5)]
    z = torch.nn.Sequential(*blocks)(clips(table).permute(0, 4, 1, 2, 3))
    loss = clip_reference.loss_of(z, network.area(0).W_pred.detach(), "infonce", CLIPS)
    loss.backward()
    torch.testing.assert_close(top.loss.detach(), loss.detach())
    for index, built in enumerate(blocks):
        gradient = network.encoder.layer(index).weight.grad
        assert gradient is not None
        assert relative(gradient, clip_reference.gradients_of(built)["weight"]) < 1e-9


def test_greedy_gradients_stop_at_module_borders() -> None:
    network = build("supervised-greedy", table=VIDEO_ARCHITECTURES["vgg5-frames"])
    table = network.encoder.architecture
    losses = list(network.module_losses(clips(table), no_streams, CLIPS, torch.tensor([0, 2])))
    losses[-1].loss.backward()
    blocks = [network.encoder.layer(index) for index in range(5)]
    assert [block.weight.grad is not None for block in blocks] == [False] * 4 + [True]


def test_what_cannot_learn_says_so() -> None:
    with pytest.raises(ValueError, match="back-propagation"):
        next(build("cpc").learn(clips(), no_streams, CLIPS))
    with pytest.raises(ValueError, match="does not learn"):
        next(build("random").module_losses(clips(), no_streams, CLIPS))
    with pytest.raises(ValueError, match="labelled clips"):
        next(build("supervised").module_losses(clips(), no_streams, CLIPS))
    with pytest.raises(ValueError, match="groups of 3"):
        next(build().learn(clips(), no_streams, 3))


def test_clips_too_short_for_the_prediction_say_so() -> None:
    with pytest.raises(ValueError, match="3 times a clip cannot predict 3 steps ahead"):
        ClipHierarchy(VideoEncoder(VGG5, 1 / 32), VIDEO_METHODS["clapp-s"], 33, SIDE)
    short = replace(VIDEO_METHODS["clapp-s"], splits=(1, 1))
    with pytest.raises(ValueError, match="splits 2 layers"):
        ClipHierarchy(VideoEncoder(VGG5, 1 / 32), short, 54, SIDE)
