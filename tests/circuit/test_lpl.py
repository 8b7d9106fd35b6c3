"""LPL in closed form equals autograd through the published losses, and is learned layer by layer."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.lpl import LatentPrediction, lpl_signals
from clapp_snn.circuit.network import AreaUpdate
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.methods import get_method
from clapp_snn.methods.record import Method
from clapp_snn.randomness import generator
from clapp_snn.recording.alignment import AlignmentMonitor
from clapp_snn.training.learner import make_learner
from tests.circuit.small_maps import GROUP, IMAGES, TABLE, drawn, streams, views
from tests.training import tiny


def method_of(*splits: int) -> Method:
    return replace(get_method("lpl"), splits=splits)


def build(*splits: int, dtype: torch.dtype = torch.float64, gain: float = 3.0) -> LatentPrediction:
    network = LatentPrediction(Encoder(TABLE), method_of(*(splits or (1, 1, 1))))
    return drawn(network, dtype, gain)


def learn(network: LatentPrediction, group: int = GROUP) -> list[AreaUpdate]:
    return list(network.learn(views(), streams, group))


def published_loss(z: Tensor, group: int) -> Tensor:
    """Number by number; z (view, channel): first views of all images, then second views."""
    groups, channels = IMAGES // group, z.shape[1]
    total = z.new_zeros(())
    for g in range(groups):
        one = z[g * group : (g + 1) * group]
        two = z[IMAGES + g * group : IMAGES + (g + 1) * group]
        total = total + F.mse_loss(one, two)
        for view in (one, two):
            centred = view - view.mean(0).detach()
            total = total - 0.5 * torch.log((centred**2).sum(0) / (group - 1) + 1e-4).mean()
            for i in range(channels):
                for k in range(channels):
                    if i != k:
                        covariance = (centred[:, i] * centred[:, k]).sum() / (group - 1)
                        total = total + 0.5 * 10 * covariance**2 / (channels**2 - channels)
    return total / groups


@pytest.mark.parametrize("group", [2, 4])
def test_every_update_equals_autograd_in_float64(group: int) -> None:
    network = build()
    x = views()
    for index, update in enumerate(learn(network, group)):
        layer = network.encoder.layer(index)
        x = F.relu(F.conv2d(x.detach(), layer.weight, layer.bias, padding=1))
        x = F.max_pool2d(x, 2) if layer.pool else x
        loss = published_loss(x.mean((2, 3)), group)
        torch.testing.assert_close(update.loss, loss.detach(), rtol=1e-10, atol=0)
        wanted = torch.autograd.grad(loss, [parameter for parameter, _ in update.changes])
        for (_, change), gradient in zip(update.changes, wanted, strict=True):
            assert float(gradient.norm()) > 1e-6
            assert float((change + gradient).norm() / gradient.norm()) < 1e-9


def test_the_losses_for_back_propagation_are_the_same() -> None:
    network = build()
    for update, loss in zip(
        learn(network), network.module_losses(views(), streams, GROUP), strict=True
    ):
        torch.testing.assert_close(update.loss, loss.loss.detach(), rtol=1e-10, atol=0)


def test_later_layers_do_not_matter() -> None:
    network = build()
    before = learn(network)
    with torch.no_grad():
        network.encoder.layer(1).weight.mul_(1.5)
    same = [
        all(torch.equal(x[1], y[1]) for x, y in zip(a.changes, b.changes, strict=True))
        for a, b in zip(before, learn(network), strict=True)
    ]
    assert same == [True, False, False]


def test_a_layer_learns_alone_what_it_learns_among_others() -> None:
    network = build()
    for update in learn(network):
        alone = network.learn_area(update.area, views(), streams, GROUP)
        for (_, a), (_, b) in zip(alone.changes, update.changes, strict=True):
            assert torch.equal(a, b)


def test_no_graph_is_built() -> None:
    network = build().requires_grad_(True)

    def refuse(saved: Tensor) -> Tensor:
        raise AssertionError(f"autograd saved a tensor of shape {tuple(saved.shape)}")

    with torch.autograd.graph.saved_tensors_hooks(refuse, refuse):
        learn(network)


def test_equal_views_leave_the_predictive_term_silent() -> None:
    z = torch.randn(1, 3, 4, generator=generator(0)).double()
    loss, signal = lpl_signals(torch.cat((z, z), 1))
    _, apart = lpl_signals(torch.cat((z, z + 1), 1))
    assert torch.equal(signal[:, :3], signal[:, 3:])
    towards = torch.tensor([1.0] * 3 + [-1.0] * 3).double() / 6  # 2 / (3 images x 4 neurons)
    torch.testing.assert_close(apart - signal, towards[None, :, None].expand(1, 6, 4))
    assert torch.isfinite(loss)


def test_the_monitor_compares_with_lpl_end_to_end() -> None:
    monitor = AlignmentMonitor(build().requires_grad_(False))
    monitor.record(views(), streams, GROUP)
    found = monitor.cosines()
    assert float(found[2]) == pytest.approx(1, abs=1e-9)
    assert bool((found[:2].abs() < 0.9999).all())


def test_layers_keep_their_variance_while_they_predict() -> None:
    network = build(dtype=torch.float32, gain=1.0)
    learner = make_learner(network, 1e-2, IMAGES, tiny.SINGLE)
    image = views(torch.float32)[:IMAGES]
    losses = []
    for step in range(60):
        noise = 0.1 * torch.randn(2 * IMAGES, 1, 16, 16, generator=generator(step, "noise"))
        reports = learner.step(torch.cat((image, image)) + noise, None, streams)
        losses.append([float(report.loss) for report in reports])
    assert all(last < first - 1 for first, last in zip(losses[0], losses[-1], strict=True))


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="groups of 2 images or more"):
        learn(build(), 1)
    with pytest.raises(ValueError, match="back-propagation"):
        learn(build(3))
    with pytest.raises(ValueError, match="splits 6 layers"):
        LatentPrediction(Encoder(TABLE), get_method("lpl"))
