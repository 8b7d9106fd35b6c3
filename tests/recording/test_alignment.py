"""The alignment monitor: 1 where the rule is the gradient, unchanged weights, sums over batches."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.backprop import layer_output
from clapp_snn.circuit.feedback_alignment import FeedbackAlignment
from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.circuit.image_network import ImageNetwork
from clapp_snn.circuit.map_hierarchy import MapHierarchy
from clapp_snn.circuit.predictive_coding import PredictiveCoding
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import Architecture, ConvLayer
from clapp_snn.functional.objective import Objective
from clapp_snn.methods import get_method
from clapp_snn.randomness import generator
from clapp_snn.recording.alignment import AlignmentMonitor, end_to_end
from tests.circuit import small_maps
from tests.circuit.reference import area_loss, grid_of

TABLE = Architecture(
    "small",
    (ConvLayer(5, pool=False), ConvLayer(6, pool=True), ConvLayer(4, pool=True)),
    patch=8,
    stride=4,
    grid=4,
)
KINDS: dict[str, type[Hierarchy | FeedbackAlignment | PredictiveCoding]] = {
    "clapp-s": Hierarchy,
    "clapp-s-above": Hierarchy,
    "hinge-dfa": FeedbackAlignment,
    "hinge-predictive-coding": PredictiveCoding,
}


def build(name: str) -> Hierarchy | FeedbackAlignment | PredictiveCoding:
    method = replace(
        get_method(name), splits=(1, 1, 1), objective=Objective(distances=(1, 2), negatives=3)
    )
    network = KINDS[name](Encoder(TABLE), method)
    network.reset_parameters(seed=3)
    network.double().requires_grad_(False)
    network.encoder.precision = torch.float64
    for parameter in network.parameters():
        parameter.mul_(3)
    return network


def images(seed: int = 0) -> Tensor:
    return torch.randn(4, 1, 20, 20, generator=generator(seed, "images")).double()


def streams(module: int, loss: int) -> list[torch.Generator]:
    return [generator(11, "saccade", module, loss)]


def cosines(network: ImageNetwork, *batches: Tensor) -> list[float]:
    monitor = AlignmentMonitor(network)
    for batch in batches:
        monitor.record(batch, streams, 4)
    found: list[float] = monitor.cosines().tolist()
    return found


def by_hand(network: Hierarchy, batches: list[Tensor]) -> list[float]:
    """Cosines from autograd through the pair-by-pair losses, with the saccades of the top area."""
    encoder = network.encoder
    encoder.requires_grad_(True)
    update = [torch.zeros(0)] * 3
    gradient = [torch.zeros(0)] * 3
    for batch in batches:
        changes = list(network.learn(batch, streams, 4))
        x = encoder.patches(batch).permute(0, 3, 1, 2)
        for index in range(3):
            x = layer_output(encoder, index, x)
        cells = grid_of(x.mean((2, 3)), 4, 4)
        draw = network.area(2).draw([streams(2, 0)], 4, 4, "cpu")[0]
        pairs: list[tuple[list[Tensor], Tensor | None]] = [
            ([step[0] for step in draw.landing], None)
        ]
        matrix = network.area(2).W_pred
        loss = area_loss(cells, cells, matrix, None, pairs, (1, 2), "tied")
        for index in range(3):
            found = torch.autograd.grad(
                loss, list(encoder.layer(index).parameters()), retain_graph=True
            )
            flat = torch.cat([g.flatten() for g in found])
            mine = torch.cat([d.flatten() for _, d in changes[index].changes[:2]])
            gradient[index] = flat if gradient[index].numel() == 0 else gradient[index] + flat
            update[index] = mine if update[index].numel() == 0 else update[index] + mine
    encoder.requires_grad_(False)
    return [
        float(torch.cosine_similarity(u, -g, dim=0)) for u, g in zip(update, gradient, strict=True)
    ]


def test_cosines_by_hand() -> None:
    network = build("clapp-s")
    assert isinstance(network, Hierarchy)
    batches = [images(0), images(1)]
    found = cosines(network, *batches)
    assert found == pytest.approx(by_hand(network, batches), abs=1e-9)
    assert found[2] == pytest.approx(1, abs=1e-9)
    assert all(abs(value) < 0.999 for value in found[:2])


@pytest.mark.parametrize("name", ["clapp-pp", "clapp-pp-dfb", "clapp-pp-both"])
def test_the_top_layer_of_clapp_plus_plus_follows_its_gradient(name: str) -> None:
    network = small_maps.build(name).requires_grad_(False)
    monitor = AlignmentMonitor(network)
    monitor.record(small_maps.views(), small_maps.streams, small_maps.GROUP)
    found = monitor.cosines()
    assert float(found[2]) == pytest.approx(1, abs=1e-9)
    assert bool((found[:2].abs() < 0.9999).all())


def test_a_layer_that_learned_end_to_end_would_be_aligned_everywhere() -> None:
    """Predictive coding under a weak drive is back-propagation; the monitor sees it in every layer."""
    network = build("hinge-predictive-coding")
    assert isinstance(network, PredictiveCoding)
    network.settle_steps, network.settle_rate, network.drive = 150, 0.2, 1e-5
    assert min(cosines(network, images())) > 0.999


def test_feedback_alignment_turns_with_its_feedback_weights() -> None:
    network = build("hinge-dfa")
    assert isinstance(network, FeedbackAlignment)
    before = cosines(network, images())
    network.feedback(0).neg_()
    after = cosines(network, images())
    assert after == pytest.approx([-before[0], before[1], before[2]], abs=1e-9)
    assert before[2] == pytest.approx(1, abs=1e-9)


def test_nothing_is_learned_and_nothing_asks_for_gradients_afterwards() -> None:
    network = build("clapp-s-above")
    state = {name: value.clone() for name, value in network.state_dict().items()}
    assert len(cosines(network, images())) == 3
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in network.parameters())
    assert torch.isnan(AlignmentMonitor(network).cosines()).all()


def test_the_twin_shares_all_weights() -> None:
    network = small_maps.build("clapp-pp-dfb")
    twin = end_to_end(network)
    assert isinstance(twin, MapHierarchy)
    assert twin.encoder is network.encoder
    assert twin.area(0) is network.area(2)


def test_methods_without_a_local_update_are_refused() -> None:
    with pytest.raises(ValueError, match="no local update"):
        AlignmentMonitor(small_maps.build("clapp-pp-end-to-end"))
