import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestCentroid

from clapp_snn.evaluation.cache import CachedFeatures
from clapp_snn.evaluation.features import standardise
from clapp_snn.evaluation.few_shot import draw_episodes, episode_accuracies, few_shot_probe


def cache(separation: float = 1.0, views: int = 0) -> CachedFeatures:
    stream = torch.Generator().manual_seed(5)
    means = separation * torch.randn(4, 6, generator=stream)
    labels = torch.arange(48) % 4
    train = means[labels] + torch.randn(48, 6, generator=stream)
    test_labels = torch.arange(37) % 4
    test = means[test_labels] + torch.randn(37, 6, generator=stream)
    # Extra views that would spoil every result if they were used.
    spoilt = torch.cat([train, *(1000 * train.flip(0) for _ in range(views))])
    return CachedFeatures({1: spoilt}, labels.repeat(1 + views), {1: test}, test_labels, 4, views)


def test_episodes_hold_different_images_of_the_right_class() -> None:
    labels = torch.randint(3, (60,), generator=torch.Generator().manual_seed(0))
    drawn = draw_episodes(labels, 3, 7, 20, torch.Generator().manual_seed(1))
    assert drawn.shape == (20, 3, 7)
    assert torch.equal(labels[drawn], torch.arange(3)[None, :, None].expand(20, 3, 7))
    assert all(len(set(row.tolist())) == 7 for row in drawn.flatten(0, 1))
    assert len({tuple(row.flatten().tolist()) for row in drawn}) == 20


def test_accuracy_of_every_episode_equals_sklearn() -> None:
    data = cache()
    drawn = draw_episodes(data.train_labels, 4, 5, 9, torch.Generator().manual_seed(2))
    found = episode_accuracies(data.train[1], drawn, data.test[1], data.test_labels, chunk=4)
    for episode, value in zip(drawn, found, strict=True):
        chosen = episode.flatten()
        model = NearestCentroid().fit(data.train[1][chosen], data.train_labels[chosen])
        assert float(value) == pytest.approx(100 * model.score(data.test[1], data.test_labels))


def test_probe_is_the_mean_over_episodes_with_its_interval() -> None:
    data = cache(views=2)
    (score,) = few_shot_probe(data, seed=3, shots=5, episodes=50)
    train, test = standardise(data.train[1][:48], data.test[1])
    (again,) = few_shot_probe(cache(), seed=3, shots=5, episodes=50)
    assert score == again, "augmented views must not enter"
    (scaled,) = few_shot_probe(
        CachedFeatures({1: train * 7}, data.train_labels[:48], {1: test * 7}, data.test_labels, 4, 0),
        seed=3, shots=5, episodes=50,
    )  # fmt: skip
    assert scaled.accuracy == pytest.approx(score.accuracy, abs=1e-6)
    assert score.low < score.accuracy < score.high
    assert score.note == "5 shots, 50 episodes"
    assert (score.n_test, score.top5) == (37, None)


def test_interval_has_the_stated_coverage_scale() -> None:
    scores = [few_shot_probe(cache(), seed, 5, 40)[0] for seed in range(30)]
    half = np.mean([(score.high - score.low) / 2 for score in scores])
    assert np.std([score.accuracy for score in scores], ddof=1) == pytest.approx(
        half / 1.96, rel=0.4
    )


def test_well_separated_classes_are_all_found() -> None:
    assert few_shot_probe(cache(separation=40.0), 0, 5, 10)[0].accuracy == 100


def test_too_many_shots_and_no_episodes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"class 0 has 12\. Use fewer shots"):
        few_shot_probe(cache(), 0, shots=13)
    with pytest.raises(ValueError, match="0 episodes has no sense"):
        few_shot_probe(cache(), 0, episodes=0)
