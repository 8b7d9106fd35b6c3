"""The locally learned read-out beside the linear probe, on the same cached activities."""

import pytest
import torch

from clapp_snn.evaluation.cache import CachedFeatures
from clapp_snn.evaluation.fast_probe import fast_probe
from clapp_snn.evaluation.local_readout import read_out_locally
from clapp_snn.randomness import generator


def cache(spread: float) -> CachedFeatures:
    """Three classes around three corners; layer 1 is layer 0 at a tenth of the size."""
    stream = generator(0, "classes")
    labels = torch.arange(3).repeat(40)
    centres = torch.rand(3, 8, generator=stream)
    z = [
        (centres[labels] + spread * torch.randn(120, 8, generator=stream)).relu() for _ in range(2)
    ]
    return CachedFeatures({0: z[0], 1: 0.1 * z[0]}, labels, {0: z[1], 1: 0.1 * z[1]}, labels, 3, 0)


def test_it_comes_close_to_the_linear_probe() -> None:
    data = cache(0.5)
    local, linear = read_out_locally(data), fast_probe(data)
    assert [score.layer for score in local] == [0, 1]
    assert 60 < linear[0].accuracy < 98, "neither trivial nor impossible"
    assert local[0].accuracy > linear[0].accuracy - 8
    assert local[0].accuracy == pytest.approx(local[1].accuracy, abs=0.1), "the gain removes scale"


def test_events_of_the_read_out_add_noise_that_averages_out() -> None:
    scores = read_out_locally(cache(0.15), events=5, side_by_side=1)
    assert scores[0].accuracy > 85


def test_equal_seeds_give_equal_scores_and_test_labels_are_not_used() -> None:
    data = cache(0.25)
    first, second = read_out_locally(data, 3), read_out_locally(data, 3)
    assert first == second
    turned = CachedFeatures(
        data.train, data.train_labels, data.test, (data.test_labels + 1) % 3, 3, 0
    )
    assert read_out_locally(turned, 3)[0].accuracy < 40


def test_features_that_are_not_finite_are_refused() -> None:
    data = cache(0.25)
    data.test[1][0, 0] = torch.nan
    with pytest.raises(ValueError, match="test features of layer 1"):
        read_out_locally(data)
