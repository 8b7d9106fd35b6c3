"""SCFF in closed form equals autograd through the published loss, and is learned layer by layer."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from clapp_snn import native
from clapp_snn.circuit.network import AreaUpdate, SaccadeStream
from clapp_snn.circuit.self_contrastive import (
    GOALS,
    Goals,
    SelfContrastive,
    SelfContrastiveEncoder,
    draw_partners,
    goodness_loss,
    goodness_signals,
)
from clapp_snn.encoders.vgg import Architecture, ConvLayer
from clapp_snn.methods import get_method
from clapp_snn.methods.record import Method
from clapp_snn.randomness import generator
from clapp_snn.recording.alignment import AlignmentMonitor
from clapp_snn.training.learner import make_learner
from tests.circuit.small_maps import GROUP, IMAGES, TABLE, drawn
from tests.training import tiny


def method_of(*splits: int) -> Method:
    return replace(get_method("scff"), splits=splits)


def build(*splits: int, dtype: torch.dtype = torch.float64, gain: float = 3.0) -> SelfContrastive:
    network = SelfContrastive(SelfContrastiveEncoder(TABLE), method_of(*(splits or (1, 1, 1))))
    return drawn(network, dtype, gain)


def images(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(IMAGES, 1, 16, 16, generator=generator(0, "images")).to(dtype)


def learn(network: SelfContrastive, group: int = GROUP) -> list[AreaUpdate]:
    return list(network.learn(images(network.encoder.precision), several(group), group))


def several(group: int) -> SaccadeStream:
    return lambda area, loss: [
        generator(5, "saccade", area, loss, number) for number in range(IMAGES // group)
    ]


def test_settings_are_those_published_for_stl10() -> None:
    """SCFF_STL_Parallel.py and config.json ("STL_Parallel") of the published code: th1, th2 and act.

    There, as here, every layer makes its own pairs (concat 1 1 1 1), all learn at once, and lamda is 0.
    """
    assert [tuple(goals) for goals in GOALS[:4]] == [(0, 3), (4, 5), (7, 8), (6, 9)]
    assert [power is None for power in SelfContrastiveEncoder.powers] == [False, False, True] + [
        False
    ] * 3
    deep = Architecture("deep", (ConvLayer(2, False),) * 7, 16, 16, 1)
    with pytest.raises(ValueError, match="settings for 6 layers, not 7"):
        SelfContrastiveEncoder(deep)


def published_loss(x: Tensor, layer: torch.nn.Module, partner: Tensor, goals: Goals) -> Tensor:
    """Image by image; both halves of a pair pass the weights separately and are added."""
    weight, bias = layer.weight, layer.bias
    total = x.new_zeros(())
    for k in range(len(x)):
        halves = [
            (each - each.mean()) / (each.std() + 1e-10) for each in (x[k], x[int(partner[k])])
        ]
        own, other = (F.conv2d(half[None], weight, bias, padding=1)[0] for half in halves)
        positive = F.relu(own + own).pow(2).mean(0)
        negative = F.relu(own + other).pow(2).mean(0)
        total = total + torch.log(1 + torch.exp(goals.positive - positive)).mean()
        total = total + torch.log(1 + torch.exp(negative - goals.negative)).mean()
    return total / len(x)


@pytest.mark.parametrize("group", [2, 4])
def test_every_update_equals_autograd_in_float64(group: int) -> None:
    network = build()
    x = images()
    for index, update in enumerate(learn(network, group)):
        layer = network.encoder.layer(index)
        partner = draw_partners(several(group)(index, 0), group, "cpu")
        loss = published_loss(x.detach(), layer, partner, GOALS[index])
        torch.testing.assert_close(update.loss, loss.detach(), rtol=1e-10, atol=0)
        wanted = torch.autograd.grad(loss, [parameter for parameter, _ in update.changes])
        for (_, change), gradient in zip(update.changes, wanted, strict=True):
            assert float(gradient.norm()) > 1e-6
            assert float((change + gradient).norm() / gradient.norm()) < 1e-9
        seen = torch.stack([(each - each.mean()) / (each.std() + 1e-10) for each in x])
        u = 2 * F.conv2d(seen, layer.weight, layer.bias, padding=1)
        x = F.relu(u if index == 2 else u - u.mean(1, keepdim=True))
        x = F.max_pool2d(x, 2) if layer.pool else x


def test_the_losses_for_back_propagation_are_the_same() -> None:
    network = build()
    losses = network.module_losses(images(), several(GROUP), GROUP)
    for update, loss in zip(learn(network), losses, strict=True):
        torch.testing.assert_close(update.loss, loss.loss.detach(), rtol=1e-10, atol=0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.integers(2, 5), st.integers(1, 4), st.floats(-2, 8))
def test_the_signal_is_minus_the_slope_of_the_loss(
    seed: int, count: int, neurons: int, threshold: float
) -> None:
    p = torch.randn(count, neurons, 3, 3, generator=generator(seed)).double().requires_grad_(True)
    partner, goals = (
        draw_partners([generator(seed, "m")], count, "cpu"),
        Goals(threshold, 2.0),
    )
    loss = goodness_loss(p, partner, goals)
    (slope,) = torch.autograd.grad(loss, p)
    with torch.no_grad():
        found, signal = goodness_signals(p, partner, goals)
    torch.testing.assert_close(found, loss.detach())
    torch.testing.assert_close(signal, -slope, rtol=1e-9, atol=1e-14)


def test_silent_layers_learn_nothing_and_stay_finite() -> None:
    p = -torch.ones(2, 3, 4, 4).double()
    loss, signal = goodness_signals(p, torch.tensor([1, 0]), Goals(1, 2))
    assert not signal.any()
    assert float(loss) == pytest.approx(
        float(F.softplus(torch.tensor(1.0)) + F.softplus(torch.tensor(-2.0)))
    )


@given(st.integers(0, 999), st.integers(2, 9), st.integers(1, 4))
def test_partners_are_other_images_of_the_group_each_once(
    seed: int, group: int, groups: int
) -> None:
    partner = draw_partners([generator(seed, k) for k in range(groups)], group, "cpu")
    own = torch.arange(group * groups)
    assert torch.equal(partner.sort().values, own)
    assert not (partner == own).any()
    assert torch.equal(partner // group, own // group)


def test_later_layers_do_not_matter_and_a_layer_learns_alone_what_it_learns_among_others() -> None:
    network = build()
    before = learn(network)
    for update in before:
        alone = network.learn_area(update.area, images(), several(GROUP), GROUP)
        for (_, a), (_, b) in zip(alone.changes, update.changes, strict=True):
            assert torch.equal(a, b)
    with torch.no_grad():
        network.encoder.layer(1).weight.mul_(1.5)
    same = [
        all(torch.equal(x[1], y[1]) for x, y in zip(a.changes, b.changes, strict=True))
        for a, b in zip(before, learn(network), strict=True)
    ]
    assert same == [True, False, False]


def test_no_graph_is_built() -> None:
    network = build().requires_grad_(True)

    def refuse(saved: Tensor) -> Tensor:
        raise AssertionError(f"autograd saved a tensor of shape {tuple(saved.shape)}")

    with torch.autograd.graph.saved_tensors_hooks(refuse, refuse):
        learn(network)


def test_the_monitor_compares_with_scff_end_to_end() -> None:
    monitor = AlignmentMonitor(build().requires_grad_(False))
    monitor.record(images(), several(GROUP), GROUP)
    found = monitor.cosines()
    assert float(found[2]) == pytest.approx(1, abs=1e-9)
    assert bool((found[:2].abs() < 0.9999).all())


def test_images_become_louder_than_mixtures() -> None:
    network = build(dtype=torch.float32, gain=1.0)
    learner = make_learner(network, 1e-2, IMAGES, tiny.SINGLE)
    shown = images(torch.float32)
    losses = [
        [float(report.loss) for report in learner.step(shown, None, several(IMAGES))]
        for _ in range(60)
    ]
    assert all(last < first - 0.05 for first, last in zip(losses[0], losses[-1], strict=True))
    _, u = network.encoder.drive(0, network.encoder.patches(shown), learn=False)
    p = u.detach() / 2
    mixed = F.relu(p + p.roll(1, 0)).square().mean()
    assert float(F.relu(2 * p).square().mean()) > 1.5 * float(mixed)


@pytest.mark.skipif(not native.available(), reason=native.why_unavailable())
def test_native_kernels_give_the_updates_of_float64() -> None:
    exact, fast = build(), build(dtype=torch.float32)
    fast.encoder.engine = "native"
    for a, b in zip(learn(exact), learn(fast), strict=True):
        assert float(b.loss) == pytest.approx(float(a.loss), rel=1e-5)
        for (_, wanted), (_, found) in zip(a.changes, b.changes, strict=True):
            assert float((found - wanted).norm() / wanted.norm()) < 1e-4


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="another image: groups of 2 or more"):
        learn(build(), 1)
    with pytest.raises(ValueError, match="back-propagation"):
        learn(build(3))
    with pytest.raises(ValueError, match="splits 6 layers"):
        SelfContrastive(SelfContrastiveEncoder(TABLE), get_method("scff"))
