"""Feedback alignment and predictive coding against autograd, and CLAPP-fb as a record that is local."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn import native
from clapp_snn.circuit.backprop import contrast_loss
from clapp_snn.circuit.feedback_alignment import FeedbackAlignment
from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.circuit.network import AreaUpdate
from clapp_snn.circuit.predictive_coding import PredictiveCoding
from clapp_snn.circuit.top_loss import TopLossNetwork
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import Architecture, ConvLayer
from clapp_snn.functional.cells import to_cells
from clapp_snn.functional.objective import Objective
from clapp_snn.methods import get_method
from clapp_snn.methods.record import Method
from clapp_snn.randomness import generator

TABLE = Architecture(
    "small",
    (ConvLayer(5, pool=False), ConvLayer(6, pool=True), ConvLayer(4, pool=True)),
    patch=8,
    stride=4,
    grid=4,
)
IMAGES = 4
OBJECTIVE = Objective(distances=(1, 2), negatives=3)


def streams(module: int, loss: int) -> list[torch.Generator]:
    return [generator(11, "saccade", module, loss, group) for group in range(2)]


def method_of(name: str) -> Method:
    return replace(get_method(name), splits=(1, 1, 1), objective=OBJECTIVE)


def strengthen(network: Hierarchy | TopLossNetwork) -> None:
    """Scores near the margin, so that some gates are open and some closed."""
    network.reset_parameters(seed=3)
    network.double()
    network.encoder.precision = torch.float64
    with torch.no_grad():
        for parameter in network.encoder.parameters():
            parameter.mul_(2)
        for parameter in network.areas.parameters():
            parameter.mul_(20)


def alignment() -> FeedbackAlignment:
    network = FeedbackAlignment(Encoder(TABLE), method_of("hinge-dfa"))
    strengthen(network)
    return network


def coding(steps: int, rate: float, drive: float) -> PredictiveCoding:
    network = PredictiveCoding(Encoder(TABLE), method_of("hinge-predictive-coding"))
    strengthen(network)
    network.settle_steps, network.settle_rate, network.drive = steps, rate, drive
    return network


def images() -> Tensor:
    return torch.randn(IMAGES, 1, 20, 20, generator=generator(0, "images")).double()


def learn(network: Hierarchy | TopLossNetwork) -> list[AreaUpdate]:
    return list(network.learn(images().to(network.encoder.precision), streams, 2))


def layer(network: TopLossNetwork, index: int, x: Tensor) -> Tensor:
    weights = network.encoder.layer(index)
    z = F.relu(F.conv2d(x, weights.weight, weights.bias, padding=1))
    return F.max_pool2d(z, 2) if weights.pool else z


def patches(network: TopLossNetwork) -> Tensor:
    return network.encoder.patches(images()).permute(0, 3, 1, 2)


def top_loss(network: TopLossNetwork, activity: Tensor) -> Tensor:
    cells = to_cells(activity.mean((2, 3)), IMAGES, 2, network.grid)
    draw = network.draw(streams, 2, torch.device("cpu"))[0]
    return contrast_loss(OBJECTIVE, cells, cells, network.top.W_pred, draw)[0]


def gradients(network: TopLossNetwork, loss: Tensor) -> dict[str, Tensor]:
    names, parameters = zip(*network.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return {name: g for name, g in zip(names, found, strict=True) if g is not None}


def check(network: TopLossNetwork, wanted: dict[str, Tensor], names: list[str]) -> None:
    labels = {id(p): name for name, p in network.named_parameters()}
    found = {labels[id(p)]: d for update in learn(network) for p, d in update.changes}
    for name in names:
        assert float(wanted[name].norm()) > 1e-6
        assert float((found[name] + wanted[name]).norm() / wanted[name].norm()) < 1e-9, name


def test_feedback_alignment_is_the_gradient_of_a_projected_error() -> None:
    """Lower layers descend sum_patch (B e) . z with e frozen; the top layer and W_pred the loss itself."""
    network = alignment()
    x, features = patches(network), []
    for index in range(3):
        x = layer(network, index, x.detach())
        features.append(x.mean((2, 3)))
    top = features[-1].detach().requires_grad_()
    (error,) = torch.autograd.grad(top_loss(network, top[:, :, None, None]), top)
    surrogate = top_loss(network, x)
    for index in range(2):
        surrogate = surrogate + (features[index] * (error @ network.feedback(index).T)).sum()
    check(network, gradients(network, surrogate), [name for name, _ in network.named_parameters()])


def test_the_feedback_weights_stay_and_only_the_error_passes_them() -> None:
    network = alignment()
    names = {name for name, _ in network.named_parameters()}
    assert not any("feedback" in name for name in names)
    before = learn(network)
    network.feedback(0).mul_(-2)
    after = learn(network)
    torch.testing.assert_close(after[0].changes[0][1], -2 * before[0].changes[0][1])
    for index in (1, 2):
        for (_, a), (_, b) in zip(before[index].changes, after[index].changes, strict=True):
            assert torch.equal(a, b)


def energy(network: PredictiveCoding, states: list[Tensor]) -> Tensor:
    total = network.drive * states[0].shape[0] * top_loss(network, states[-1])
    for index in range(3):
        total = (
            total + 0.5 * (states[index + 1] - layer(network, index, states[index])).square().sum()
        )
    return total


def settled_by_autograd(network: PredictiveCoding) -> list[Tensor]:
    states = [patches(network)]
    for index in range(3):
        states.append(layer(network, index, states[-1]).detach())
    for _ in range(network.settle_steps):
        free = [state.detach().requires_grad_() for state in states[1:]]
        downhill = torch.autograd.grad(energy(network, [states[0], *free]), free)
        moved = [s - network.settle_rate * g for s, g in zip(free, downhill, strict=True)]
        states = [states[0], *(s.detach() for s in moved)]
    return states


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 7])
def test_predictive_coding_descends_its_energy(steps: int) -> None:
    network = coding(steps, 0.1, 1.0)
    states = settled_by_autograd(network)
    scale = network.drive * states[0].shape[0]
    wanted = {k: g / scale for k, g in gradients(network, energy(network, states)).items()}
    reached = [0, 1, 2][3 - min(steps, 3) :]
    names = [f"encoder.layers.{index}.{part}" for index in reached for part in ("weight", "bias")]
    check(network, wanted, [*names, "areas.0.W_pred"])
    for update in learn(network)[: 3 - len(reached)]:
        assert all(not change.any() for _, change in update.changes[:2]), (
            "no error can have arrived"
        )


def test_a_weak_drive_makes_predictive_coding_back_propagation() -> None:
    """Whittington and Bogacz 2017: as errors vanish against activities, updates tend to the gradient."""
    network = coding(150, 0.2, 1e-5)
    x = patches(network)
    for index in range(3):
        x = layer(network, index, x)
    wanted = gradients(network, top_loss(network, x))
    labels = {id(p): name for name, p in network.named_parameters()}
    for update in learn(network):
        for parameter, change in update.changes:
            gradient = wanted[labels[id(parameter)]]
            assert float(F.cosine_similarity(-change.flatten(), gradient.flatten(), 0)) > 0.999
            assert 0.97 < float(change.norm() / gradient.norm()) < 1.03


def test_half_precision_points_the_same_way() -> None:
    """Activities and errors stay wide; convolutions round to 8 bits."""
    exact, half = coding(7, 0.1, 1.0), coding(7, 0.1, 1.0).float()
    half.encoder.precision = torch.bfloat16
    for a, b in zip(learn(exact), learn(half), strict=True):
        for (_, wanted), (parameter, found) in zip(a.changes, b.changes, strict=True):
            assert found.dtype == parameter.dtype
            cosine = F.cosine_similarity(found.double().flatten(), wanted.flatten(), 0)
            assert float(cosine) > 0.99


@pytest.mark.skipif(not native.available(), reason=native.why_unavailable())
def test_native_kernels_settle_as_float64_does() -> None:
    exact, fast = coding(7, 0.1, 1.0), coding(7, 0.1, 1.0).float()
    fast.encoder.engine, fast.encoder.precision = "native", torch.float32
    for a, b in zip(learn(exact), learn(fast), strict=True):
        for (_, wanted), (_, found) in zip(a.changes, b.changes, strict=True):
            assert float((found - wanted).norm() / wanted.norm()) < 1e-4


@pytest.mark.parametrize("build", [alignment, lambda: coding(3, 0.1, 1.0)])
def test_no_graph_is_built(build: Callable[[], TopLossNetwork]) -> None:
    network = build()

    def refuse(saved: Tensor) -> Tensor:
        raise AssertionError(f"autograd saved a tensor of shape {tuple(saved.shape)}")

    with torch.autograd.graph.saved_tensors_hooks(refuse, refuse):
        updates = learn(network)
    gates = [float(update.gate) for update in updates]
    assert 0.05 < gates[0] < 0.95
    assert [bool(update.scores) for update in updates] == [False, False, True]
    with pytest.raises(ValueError, match="own rule"):
        network.module_losses(images(), streams, 2)


def feedback_clapp() -> Hierarchy:
    objective = get_method("clapp-fb").objective
    assert objective is not None
    method = replace(
        get_method("clapp-fb"), splits=(1, 1, 1), objective=replace(objective, distances=(1, 2))
    )
    network = Hierarchy(Encoder(TABLE), method)
    strengthen(network)
    return network


def test_clapp_fb_equals_autograd_with_the_context_held_fixed() -> None:
    """Feedback weights carry predictions down; nothing is learned about the area they come from."""
    network = feedback_clapp()
    losses = list(network.module_losses(images(), streams, 2))
    torch.stack([each.loss for each in losses]).sum().backward()
    for update, loss in zip(learn(network), losses, strict=True):
        torch.testing.assert_close(update.loss, loss.loss.detach(), rtol=1e-12, atol=0)
        for parameter, change in update.changes:
            assert parameter.grad is not None
            assert float(parameter.grad.norm()) > 0
            assert float((change + parameter.grad).norm() / parameter.grad.norm()) < 1e-9


def test_clapp_fb_needs_the_area_above_and_no_other() -> None:
    def changed_by(scaled: int) -> list[bool]:
        network = feedback_clapp()
        before = learn(network)
        with torch.no_grad():
            network.area(scaled).W_pred.mul_(-3)
        return [
            all(torch.equal(x[1], y[1]) for x, y in zip(a.changes, b.changes, strict=True))
            for a, b in zip(before, learn(network), strict=True)
        ]

    assert [changed_by(index) for index in range(3)] == [
        [False, True, True], [True, False, True], [True, True, False]
    ]  # fmt: skip


def test_impossible_records_are_refused() -> None:
    with pytest.raises(ValueError, match="is defined for one-layer modules"):
        Method("x", "x", (2, 1), objective=OBJECTIVE, rule="predictive-coding")
    with pytest.raises(ValueError, match="is defined for one-layer modules"):
        replace(get_method("clapp-fb"), rule="feedback-alignment")
    with pytest.raises(ValueError, match="splits 6 layers"):
        FeedbackAlignment(Encoder(TABLE), get_method("hinge-dfa"))
