"""SoftHebb equals a loop over places, the mean input for one neuron, and the slope of its free energy."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clapp_snn import native
from clapp_snn.circuit.network import AreaUpdate
from clapp_snn.circuit.soft_hebb import (
    INVERSE_TEMPERATURES,
    POWERS,
    PUBLISHED,
    RADIUS,
    RATES,
    SoftHebb,
    SoftHebbEncoder,
    hebbian_change,
    soft_winner,
)
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import Architecture, ConvLayer
from clapp_snn.methods import get_method
from clapp_snn.methods.record import Method
from clapp_snn.randomness import generator
from clapp_snn.recording.alignment import AlignmentMonitor
from clapp_snn.training.learner import make_learner
from tests.circuit.small_maps import IMAGES, TABLE, streams
from tests.training import tiny


def method_of(*splits: int) -> Method:
    return replace(get_method("softhebb"), splits=splits or (1, 1, 1))


def build(dtype: torch.dtype = torch.float64, radius: float = 2.0) -> SoftHebb:
    network = SoftHebb(SoftHebbEncoder(TABLE), method_of())
    network.reset_parameters(seed=3)
    network.to(dtype)
    network.encoder.precision = dtype
    with torch.no_grad():
        for index in range(3):
            network.encoder.layer(index).weight.mul_(radius / RADIUS)
    return network


def images(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(IMAGES, 1, 16, 16, generator=generator(0, "images")).to(dtype)


def learn(network: SoftHebb) -> list[AreaUpdate]:
    dtype = network.encoder.precision
    return list(network.learn(images(dtype), streams, IMAGES))


def literal(x: Tensor, weight: Tensor, inverse: float, power: float) -> tuple[Tensor, Tensor]:
    """Number by number, from the equations; x (image, channel, row, col). Change and response, unpooled."""
    count, channels, side, _ = x.shape
    x = x - x.mean((0, 2, 3), keepdim=True)
    x = x / (x.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
    padded = torch.zeros(count, channels, side + 2, side + 2, dtype=x.dtype)
    padded[:, :, 1:-1, 1:-1] = x
    change = torch.zeros_like(weight)
    response = torch.zeros(count, len(weight), side, side, dtype=x.dtype)
    for n in range(count):
        for row in range(side):
            for col in range(side):
                seen = padded[n, :, row : row + 3, col : col + 3]
                u = [float((w * seen).sum()) for w in weight]
                total = sum(math.exp(inverse * value) for value in u)
                for k, value in enumerate(u):
                    y = math.exp(inverse * value) / total
                    y = y if value == max(u) else -y
                    change[k] += y * (seen - value * weight[k])
                    response[n, k, row, col] = max(0, value - sum(u) / len(u)) ** power
    for k in range(len(weight)):
        apart = abs(float(weight[k].square().sum()) ** 0.5 - 1)
        change[k] *= apart**0.5
    return change, response


def test_every_update_equals_a_loop_over_places_in_float64() -> None:
    network = build()
    x = images()
    for index, update in enumerate(learn(network)):
        layer = network.encoder.layer(index)
        inverse, power = INVERSE_TEMPERATURES[index], POWERS[index]
        change, x = literal(x, layer.weight.detach(), inverse, power)
        if layer.pool:
            x = x.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
        ((parameter, found),) = update.changes
        assert parameter is layer.weight
        scale = float((found / change).median())
        assert scale > 0
        assert float((found - scale * change).norm() / found.norm()) < 1e-9
        norms = layer.weight.detach().flatten(1).norm(dim=1)
        torch.testing.assert_close(update.loss, (norms - 1).abs().mean())
        # The largest change of the layer, before the factor of each neuron, is the published rate.
        free = found / (norms - 1).abs().sqrt()[:, None, None, None]
        assert float(free.abs().max()) * PUBLISHED == pytest.approx(RATES[index])


def test_a_single_neuron_converges_to_the_direction_of_the_mean() -> None:
    """One neuron always wins with y = 1, so dw = sum x - w (w . sum x): at rest w = sum x / |sum x|."""
    draws = generator(1, "mean")
    x = torch.randn(50, 2, 5, 5, generator=draws).double() + 0.5
    weight = torch.randn(1, 2, 3, 3, generator=draws).double().abs()
    total = torch.nn.functional.unfold(x, 3, padding=1).sum((0, 2))
    for _ in range(100):
        u = torch.nn.functional.conv2d(x, weight, padding=1)
        activity = soft_winner(u, 3.0)
        assert torch.equal(activity, torch.ones_like(u))
        weight = weight + 0.2 / total.norm() * hebbian_change(x, u, activity, weight)
    torch.testing.assert_close(weight.flatten(), total / total.norm())


def test_on_the_sphere_the_hebbian_part_is_the_slope_of_the_free_energy() -> None:
    """For |w| = 1, sum y_k (x - u_k w_k) is the tangential gradient of tau log sum_k exp(u_k / tau)."""
    draws, inverse = generator(2, "sphere"), 1.7
    x = torch.randn(3, 2, 6, 6, generator=draws).double()
    weight = torch.randn(4, 2, 3, 3, generator=draws).double()
    weight = weight / weight.flatten(1).norm(dim=1)[:, None, None, None]
    weight.requires_grad_(True)
    u = torch.nn.functional.conv2d(x, weight, padding=1)
    energy = (inverse * u).logsumexp(1).sum() / inverse
    (slope,) = torch.autograd.grad(energy, weight)
    inner = (slope * weight).sum((1, 2, 3), keepdim=True)
    tangential = (slope - inner * weight).detach()
    u, weight = u.detach(), weight.detach()
    change = hebbian_change(x, u, (inverse * u).softmax(1), weight)
    assert float((change - tangential).norm() / tangential.norm()) < 1e-12


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.integers(1, 6), st.floats(0.1, 20))
def test_the_winner_gains_what_its_rivals_do_not(seed: int, neurons: int, inverse: float) -> None:
    u = torch.randn(2, neurons, 3, 3, generator=generator(seed)).double()
    activity = soft_winner(u, inverse)
    torch.testing.assert_close(activity.abs().sum(1), torch.ones(2, 3, 3).double())
    winners = activity > 0
    assert bool((winners.sum(1) == 1).all())
    assert torch.equal(winners.double().argmax(1), u.argmax(1))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.floats(0.1, 5))
def test_decay_draws_the_norm_of_an_active_neuron_to_one(seed: int, norm: float) -> None:
    """w dw = y u (1 - |w|^2) at a place where the neuron is Hebbian; here y = 1 and u > 0."""
    draws = generator(seed)
    x = torch.randn(1, 1, 3, 3, generator=draws).double()
    weight = torch.randn(1, 1, 3, 3, generator=draws).double()
    weight = norm * weight / weight.norm()
    x = x * (weight * x).sum().sign()
    u = (weight * x).sum().view(1, 1, 1, 1)
    place = torch.nn.functional.pad(torch.ones(1, 1, 1, 1).double(), (1, 1, 1, 1))
    change = hebbian_change(x, u * place, place, weight)
    along = float((change * weight).sum())
    assert along == pytest.approx(float(u) * (1 - norm**2), rel=1e-9, abs=1e-12)


def test_a_converged_neuron_stops() -> None:
    network = build(radius=1.0)
    with torch.no_grad():
        weight = network.encoder.layer(0).weight
        weight.div_(weight.flatten(1).norm(dim=1)[:, None, None, None])
    first = learn(network)[0]
    assert float(first.changes[0][1].abs().max()) * PUBLISHED < 1e-6
    assert float(first.loss) < 1e-12


def test_later_layers_do_not_matter_and_no_graph_is_built() -> None:
    network = build().requires_grad_(True)
    before = learn(network)
    with torch.no_grad():
        network.encoder.layer(1).weight.mul_(1.5)

    def refuse(saved: Tensor) -> Tensor:
        raise AssertionError(f"autograd saved a tensor of shape {tuple(saved.shape)}")

    with torch.autograd.graph.saved_tensors_hooks(refuse, refuse):
        after = learn(network)
    same = [
        torch.equal(a.changes[0][1], b.changes[0][1]) for a, b in zip(before, after, strict=True)
    ]
    assert same == [True, False, False]


def test_all_layers_start_in_the_directions_of_the_common_encoder() -> None:
    table = Architecture("wide", (ConvLayer(128, False), ConvLayer(64, True)), 16, 16, 1)
    own, common = SoftHebbEncoder(table), Encoder(table)
    own.reset_parameters(generator(4, "weights"))
    common.reset_parameters(generator(4, "weights"))
    for index in range(2):
        a, b = (each.layer(index).weight.detach().flatten() for each in (own, common))
        assert float(torch.cosine_similarity(a, b, dim=0)) == pytest.approx(1, abs=1e-6)
        norms = own.layer(index).weight.detach().flatten(1).norm(dim=1)
        # Squares of n uniform weights: relative sd sqrt(4 / (5 n)); the mean over neurons shrinks it.
        n = own.layer(index).weight.numel()
        assert float(norms.square().mean()) == pytest.approx(RADIUS**2, rel=4.5 * (0.8 / n) ** 0.5)
        assert not own.layer(index).bias.any()


def test_norms_converge_and_running_statistics_serve_the_probe() -> None:
    network = build(dtype=torch.float32, radius=RADIUS)
    learner = make_learner(network, 5 * PUBLISHED, IMAGES, tiny.SINGLE)
    distances = []
    for step in range(120):
        view = torch.randn(IMAGES, 1, 16, 16, generator=generator(step)) * 3 + 1
        reports = learner.step(view, None, streams)
        distances.append([float(report.loss) for report in reports])
    assert all(first > 0.3 * RADIUS for first in distances[0])
    assert distances[-1][0] < 0.5
    assert all(last < first / 2 for first, last in zip(distances[0], distances[-1], strict=True))
    encoder = network.encoder
    assert float(encoder.get_buffer("mean_0")) == pytest.approx(1, abs=0.3)
    assert float(encoder.get_buffer("variance_0")) == pytest.approx(9, rel=0.2)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    features = encoder.features(view)
    assert [f.shape for f in features] == [(IMAGES, 1, 1, c) for c in (5, 6, 7)]
    assert all(bool(f.isfinite().all()) and bool((f >= 0).all()) for f in features)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_settling_gives_an_untrained_encoder_the_statistics_of_its_layers() -> None:
    """Mean over batches of what numpy finds in the inputs of every layer; weights and momentum stay."""
    encoder = build().encoder
    assert encoder.unsettled
    weights = [p.clone() for p in encoder.parameters()]
    batches = [images() + shift for shift in (0, 3)]
    encoder.settle(batches)
    assert not encoder.unsettled
    assert all(torch.equal(p, w) for p, w in zip(encoder.parameters(), weights, strict=True))
    means, variances = [], []
    for batch in batches:
        x = batch
        for index in range(3):
            values = x.transpose(0, 1).flatten(1).numpy()
            means.append(values.mean(1))
            variances.append(values.var(1, ddof=1))
            layer = encoder.layer(index)
            _, x = literal(x, layer.weight.detach(), INVERSE_TEMPERATURES[index], POWERS[index])
            x = torch.nn.functional.max_pool2d(x, 2) if layer.pool else x
    for index in range(3):
        for name, found in (("mean", means), ("variance", variances)):
            wanted = torch.from_numpy((found[index] + found[index + 3]) / 2)
            torch.testing.assert_close(
                encoder.get_buffer(f"{name}_{index}"), wanted, rtol=1e-9, atol=0
            )
    before = encoder.get_buffer("mean_0").clone()
    encoder.respond(0, encoder.patches(images()), learn=True)
    wanted = 0.9 * before + 0.1 * images().mean((0, 2, 3))
    torch.testing.assert_close(encoder.get_buffer("mean_0"), wanted)


def test_a_layer_alone_sees_running_statistics_below() -> None:
    network = build()
    updates = learn(network)
    alone = network.learn_area(0, images(), streams, IMAGES)
    assert torch.equal(alone.changes[0][1], updates[0].changes[0][1])
    x = network.encoder.respond(0, network.encoder.patches(images()), learn=False).output
    change, _ = literal(
        x.permute(0, 3, 1, 2), network.encoder.layer(1).weight.detach(), INVERSE_TEMPERATURES[1], 1
    )
    found = network.learn_area(1, images(), streams, IMAGES).changes[0][1]
    assert float(torch.cosine_similarity(found.flatten(), change.flatten(), dim=0)) > 1 - 1e-12


@pytest.mark.skipif(not native.available(), reason=native.why_unavailable())
def test_native_kernels_give_the_updates_of_float64() -> None:
    exact, fast = build(), build(torch.float32)
    fast.encoder.engine = "native"
    for a, b in zip(learn(exact), learn(fast), strict=True):
        ((_, wanted),), ((_, found),) = a.changes, b.changes
        assert float((found - wanted).norm() / wanted.norm()) < 1e-4
        assert float(b.loss) == pytest.approx(float(a.loss), rel=1e-5)
    for a, b in zip(
        *(n.encoder.features(images(torch.float32)) for n in (exact, fast)), strict=True
    ):
        torch.testing.assert_close(b, a.float(), rtol=1e-3, atol=1e-4)


def test_what_has_no_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="follows no loss"):
        list(build().module_losses(images(), streams, IMAGES))
    with pytest.raises(ValueError, match="no gradient to compare"):
        AlignmentMonitor(build())
    with pytest.raises(ValueError, match="one-layer modules"):
        method_of(3)
    deep = Architecture("deep", (ConvLayer(2, False),) * 7, 16, 16, 1)
    with pytest.raises(ValueError, match="settings for 6 layers, not 7"):
        SoftHebbEncoder(deep)
