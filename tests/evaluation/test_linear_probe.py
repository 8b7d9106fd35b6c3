from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from clapp_snn.evaluation.interfaces import standard_views
from clapp_snn.evaluation.linear_probe import LinearHeads, LinearProbeSettings, linear_probe
from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.randomness import generator
from tests.evaluation.fakes import MatrixEncoder, dataset

VIEWS = standard_views()
SHORT = LinearProbeSettings(epochs=4, batch=10)


def test_one_pass_equals_one_torch_classifier_a_layer() -> None:
    encoder, data, seed = MatrixEncoder(), dataset(), 5
    losses: list[float] = []
    scores = linear_probe(
        encoder, data, VIEWS, seed, SHORT, on_epoch=lambda _, loss: losses.append(loss)
    )
    heads = LinearHeads({1: 3, 2: 5}, 3, 1e-3, seed, "cpu")
    expected_losses = torch.zeros(4)
    for layer, size in ((1, 3), (2, 5)):
        head = torch.nn.Linear(size, 3)
        head.weight.data = heads.weights[f"weight_{layer}"].detach().clone()
        head.bias.data = heads.weights[f"bias_{layer}"].detach().clone()
        adam = torch.optim.Adam(head.parameters(), lr=1e-3)
        for epoch in range(4):
            order = torch.randperm(48, generator=generator(seed, "probe order", epoch))
            for number, indices in enumerate(order.split(10)):
                crops = VIEWS.training(
                    data.train.read(indices), generator(seed, "probe crop", epoch, number)
                )
                features = encoder.features(crops)[layer - 1].mean(dim=(1, 2))
                loss = torch.nn.functional.cross_entropy(head(features), data.train.labels[indices])
                adam.zero_grad()
                loss.backward()
                adam.step()
                expected_losses[epoch] += loss.detach() * len(indices) / 48 / 2
        centre = VIEWS.centre(data.test.read(torch.arange(31)))
        guess = head(encoder.features(centre)[layer - 1].mean(dim=(1, 2))).argmax(dim=1)
        accuracy = 100 * float((guess == data.test.labels).double().mean())
        assert scores[layer - 1].accuracy == pytest.approx(accuracy)
        assert scores[layer - 1].n_test == 31
    torch.testing.assert_close(torch.tensor(losses), expected_losses, atol=1e-5, rtol=1e-5)


def losses_of(settings: LinearProbeSettings) -> list[float]:
    losses: list[float] = []
    linear_probe(
        MatrixEncoder(), dataset(), VIEWS, 1, settings, on_epoch=lambda _, loss: losses.append(loss)
    )
    return losses


def test_result_does_not_depend_on_how_many_images_are_encoded_at_once() -> None:
    one = losses_of(LinearProbeSettings(epochs=2, batch=10, encode=1))
    many = losses_of(LinearProbeSettings(epochs=2, batch=10, encode=1000))
    assert one == pytest.approx(many, rel=1e-6)


def test_every_epoch_sees_other_crops_and_the_order_is_fixed_by_the_seed() -> None:
    data, seen = dataset(), []

    class Spy(MatrixEncoder):
        def features(self, images: torch.Tensor) -> list[torch.Tensor]:
            seen.append(images.clone())
            return super().features(images)

    settings = LinearProbeSettings(epochs=2, batch=48, encode=48)
    for _ in range(2):
        linear_probe(Spy(), data, VIEWS, 1, settings)
    first, again = seen[1:3], seen[4:6]
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(
        first[0].sum(dim=(1, 2, 3)).sort()[0], first[1].sum(dim=(1, 2, 3)).sort()[0]
    )


def test_pixels_are_layer_zero_and_leave_the_others_alone() -> None:
    plain = linear_probe(MatrixEncoder(), dataset(), VIEWS, 1, SHORT)
    settings = LinearProbeSettings(epochs=4, batch=10, pixels=True)
    both = linear_probe(MatrixEncoder(), dataset(), VIEWS, 1, settings)
    assert [score.layer for score in both] == [0, 1, 2]
    assert both[1:] == plain


def test_heads_begin_like_a_torch_linear_layer() -> None:
    heads = LinearHeads({1: 400}, 10, 1e-3, 0, "cpu")
    weight = heads.weights["weight_1"]
    assert weight.abs().max() <= 1 / 20
    assert float(weight.detach().std()) == pytest.approx(1 / 20 / 3**0.5, rel=0.05)
    assert heads.weights["bias_1"].abs().max() <= 1 / 20


class Interrupted(Exception):
    pass


def stop_after(epoch: int):
    def on_epoch(done: int, _: float) -> None:
        if done > epoch:
            raise Interrupted

    return on_epoch


def test_resumed_probe_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    straight, resumed = tmp_path / "straight.safetensors", tmp_path / "resumed.safetensors"
    expected = linear_probe(MatrixEncoder(), dataset(), VIEWS, 1, SHORT, state=straight)
    with pytest.raises(Interrupted):
        linear_probe(
            MatrixEncoder(), dataset(), VIEWS, 1, SHORT, state=resumed, on_epoch=stop_after(2)
        )
    epochs: list[int] = []
    found = linear_probe(
        MatrixEncoder(), dataset(), VIEWS, 1, SHORT, state=resumed,
        on_epoch=lambda epoch, _: epochs.append(epoch),
    )  # fmt: skip
    assert epochs == [3, 4]
    assert found == expected
    # safetensors writes its metadata in arbitrary order, so the contents are compared, not the bytes.
    ours, theirs = load_file(resumed), load_file(straight)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_state_of_another_probe_or_encoder_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.safetensors"
    linear_probe(MatrixEncoder(), dataset(), VIEWS, 1, SHORT, state=state)
    with pytest.raises(ValueError, match="belongs to another probe"):
        linear_probe(MatrixEncoder(), dataset(), VIEWS, 2, SHORT, state=state)
    with pytest.raises(ValueError, match="written for another encoder"):
        linear_probe(MatrixEncoder(seed=1), dataset(), VIEWS, 1, SHORT, state=state)
    state.write_bytes(b"\x80\x04not a state")
    with pytest.raises(ValueError, match="no readable probe state"):
        linear_probe(MatrixEncoder(), dataset(), VIEWS, 1, SHORT, state=state)


def test_separable_classes_are_learned() -> None:
    settings = LinearProbeSettings(epochs=60, batch=8, learning_rate=0.05)
    scores = linear_probe(MatrixEncoder((8, 8)), dataset(classes=2), VIEWS, 0, settings)
    assert min(score.accuracy for score in scores) > 95


def test_senseless_settings_and_damaged_features_are_refused() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        LinearProbeSettings(epochs=0)
    broken = MatrixEncoder()
    broken.matrices[1][0, 0] = float("nan")
    with pytest.raises(ValueError, match="layer 2 hold NaN"):
        linear_probe(broken, dataset(), VIEWS, 0, SHORT)


def test_damaged_training_features_are_refused(tmp_path: Path) -> None:
    """The test features are whole, one training image is not: the read-out would say chance."""

    class BrokenOnce(MatrixEncoder):
        def features(self, images):
            found = super().features(images)
            if len(self.calls) > 1:
                found[0][0] = float("nan")
            return found

    state = tmp_path / "state.safetensors"
    with pytest.raises(DivergenceError, match="loss of the probe is nan in epoch 1"):
        linear_probe(BrokenOnce(), dataset(), VIEWS, 0, SHORT, state=state)
    assert not state.exists()
