"""Probes of clips: the published classifier against PyTorch's modules, its schedule, resume, test lists."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clapp_snn.encoders.video import VGG5_FRAMES, VideoEncoder
from clapp_snn.evaluation.clip_features import (
    ClipSettings,
    cache_clips,
    features_of,
    test_clips,
    train_clips,
)
from clapp_snn.evaluation.clip_probe import ClipHeads, ClipProbeSettings, clip_probe
from clapp_snn.evaluation.fast_probe import fast_probe
from clapp_snn.evaluation.scores import score_logits
from clapp_snn.randomness import generator
from clapp_snn.stimuli.clip_pack import ArrayClips
from clapp_snn.stimuli.clips import ClipDataset

test_clips.__test__ = False  # type: ignore[attr-defined]

CPU = torch.device("cpu")
SETTINGS = ClipSettings(frames=3, side=67, batch=4)


def moving(seed: int, count: int, length: int = 4) -> ArrayClips:
    """Bright squares on the left (class 0) or right (class 1) of noisy frames."""
    stream = generator(seed, "moving")
    recordings = []
    for number in range(count):
        clip = torch.randint(0, 60, (length, 24, 24, 3), dtype=torch.uint8, generator=stream)
        left = 0 if number % 2 == 0 else 14
        clip[:, 4:20, left : left + 10] += 150
        recordings.append(clip)
    return ArrayClips(recordings, torch.arange(count) % 2)


def dataset(test_lengths: tuple[int, ...] = (4,) * 6) -> ClipDataset:
    test = moving(1, len(test_lengths))
    shortened = [clip[:n] for clip, n in zip(test.recordings, test_lengths, strict=True)]
    train = moving(0, 12)
    splits = {"train": train, "unlabeled": train, "test": ArrayClips(shortened, test.labels)}
    return ClipDataset("moving", "made up", ["left", "right"], splits, every=1)


def encoder() -> VideoEncoder:
    made = VideoEncoder(VGG5_FRAMES, 1 / 32)
    made.reset_parameters(generator(0, "weights"))
    return made.requires_grad_(False)


def test_one_step_equals_pytorch_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ClipProbeSettings(learning_rate=0.01)
    heads = ClipHeads({2: 6}, 4, settings, seed=0, device=CPU)
    weight = heads.weights["weight_2"].detach().clone()
    torch.testing.assert_close(weight @ weight.t(), torch.eye(4), rtol=0, atol=1e-6)
    norm, linear = nn.BatchNorm1d(6), nn.Linear(6, 4)
    linear.load_state_dict({"weight": weight, "bias": torch.zeros(4)})
    parameters = [*norm.parameters(), *linear.parameters()]
    adam = torch.optim.Adam(parameters, lr=0.01, weight_decay=1e-5)
    features = torch.randn(8, 6, generator=generator(0, "f"))
    labels = torch.arange(8) % 4
    for step in range(3):
        kept = torch.rand(8, 6, generator=generator(step, "d")) >= 0.5
        loss = F.cross_entropy(linear(2 * norm(features) * kept), labels)
        adam.zero_grad()
        loss.backward()
        adam.step()
        own = heads.step({2: features}, labels, generator(step, "d"), 0.01)
        torch.testing.assert_close(own, loss.detach())
    torch.testing.assert_close(heads.weights["weight_2"], linear.weight)
    torch.testing.assert_close(heads.weights["gain_2"], norm.weight)
    norm.eval()
    with torch.no_grad():
        torch.testing.assert_close(heads.logits(2, features), linear(norm(features)))


def test_the_learning_rate_falls_at_60_and_80() -> None:
    rates = [ClipProbeSettings().rate(epoch) for epoch in (0, 59, 60, 79, 80, 199)]
    assert rates == pytest.approx([1e-4, 1e-4, 1e-5, 1e-5, 1e-6, 1e-6])


def test_top_three_counts_the_three_best() -> None:
    logits = torch.randn(40, 7, generator=generator(0, "l"))
    labels = torch.arange(40) % 7
    rank = (logits > logits.gather(1, labels[:, None])).sum(1)
    score = score_logits(1, logits, labels)
    assert score.top3 == pytest.approx(100 * float((rank < 3).double().mean()))
    assert score.top5 == pytest.approx(100 * float((rank < 5).double().mean()))


def test_an_interrupted_probe_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    def run(epochs: int, state: Path | None) -> tuple[list[float], list[float]]:
        losses: list[float] = []
        found = clip_probe(
            encoder(),
            dataset(),
            SETTINGS,
            0,
            CPU,
            ClipProbeSettings(epochs=epochs, batch=5, learning_rate=0.01),
            state,
            on_epoch=lambda epoch, loss: losses.append(loss),
        )
        return losses, [score.accuracy for score in found]

    class Stop(Exception):
        pass

    state = tmp_path / "probe.safetensors"

    def stop(epoch: int, loss: float) -> None:
        if epoch == 3:
            raise Stop

    settings = ClipProbeSettings(epochs=4, batch=5, learning_rate=0.01)
    with pytest.raises(Stop):
        clip_probe(encoder(), dataset(), SETTINGS, 0, CPU, settings, state, on_epoch=stop)
    resumed, accuracies = run(4, state)
    whole, wanted = run(4, None)
    # Stopped in epoch 3 before it was saved: epochs 3 and 4 are made again.
    assert resumed == pytest.approx(whole[2:])
    assert accuracies == wanted
    with pytest.raises(ValueError, match="belongs to another probe"):
        run(5, state)


def test_both_probes_find_what_is_there() -> None:
    cache = cache_clips(encoder(), dataset(), SETTINGS, 0, CPU)
    assert cache.train[1].shape == (12, 3 * 15 * 15)
    assert [score.accuracy for score in fast_probe(cache)] == [100.0] * 5
    pixels = cache_clips(None, dataset(), SETTINGS, 0, CPU)
    assert pixels.test[0].shape == (6, 67 * 67 * 3)
    settings = ClipProbeSettings(epochs=12, batch=6, learning_rate=0.01)
    found = clip_probe(encoder(), dataset(), SETTINGS, 0, CPU, settings)
    # No accuracy to expect: the published augmentations flip, which exchanges these two classes.
    assert [score.layer for score in found] == [1, 2, 3, 4, 5]
    assert all(score.n_test == 6 and score.top3 == 100 for score in found)


def labels_seen(clips) -> list[int]:
    return [int(label) for _, labels in clips for label in labels]


def test_the_whole_test_list_is_the_default() -> None:
    data = dataset((4, 1, 4, 2))
    assert labels_seen(test_clips(data, SETTINGS, 0, CPU)) == [0, 1, 0, 1]
    published = ClipSettings(3, 67, published_test=True, batch=4)
    assert labels_seen(test_clips(data, published, 0, CPU)) == [0, 0]
    one, two = (next(test_clips(data, published, 0, CPU))[0] for _ in range(2))
    assert torch.equal(one, two)
    assert len(labels_seen(train_clips(data, SETTINGS, CPU))) == 12


def test_probes_refuse_what_they_cannot_use() -> None:
    data = dataset()
    unlabelled = ArrayClips(data.train.recordings, None)  # type: ignore[attr-defined]
    bad = ClipDataset("x", "x", ["a", "b"], {**data.splits, "train": unlabelled}, 1)
    with pytest.raises(ValueError, match="train clips have no labels"):
        clip_probe(encoder(), bad, SETTINGS, 0, CPU)
    with pytest.raises(ValueError, match="None of the 12 train recordings is long enough"):
        cache_clips(encoder(), data, ClipSettings(5, 67), 0, CPU)
    with pytest.raises(ValueError, match="batch at least 2"):
        ClipProbeSettings(batch=1)

    class Broken(VideoEncoder):
        def features(self, clips: Tensor) -> list[Tensor]:
            return [torch.full((len(clips), 2), float("nan"))]

    with pytest.raises(ValueError, match="NaN or infinity"):
        clip_probe(Broken(VGG5_FRAMES, 1 / 32), data, SETTINGS, 0, CPU)


def test_features_keep_the_order_of_the_split() -> None:
    layers, labels = features_of(encoder(), test_clips(dataset(), SETTINGS, 0, CPU))
    assert labels.tolist() == [0, 1, 0, 1, 0, 1]
    one = ClipSettings(3, 67, batch=1)
    again, _ = features_of(encoder(), test_clips(dataset(), one, 0, CPU))
    for layer, values in layers.items():
        torch.testing.assert_close(values, again[layer])
