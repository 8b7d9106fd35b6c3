import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import top_k_accuracy_score

from clapp_snn.evaluation.scores import require_finite, score_logits, wilson_interval


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_equals_scipys_wilson(counts: tuple[int, int]) -> None:
    correct, total = counts
    expected = binomtest(correct, total).proportion_ci(method="wilson")
    low, high = wilson_interval(correct, total)
    assert low == pytest.approx(100 * expected.low, abs=1e-4)
    assert high == pytest.approx(100 * expected.high, abs=1e-4)


def test_impossible_counts_are_refused() -> None:
    for correct, total in ((0, 0), (3, 2), (-1, 5)):
        with pytest.raises(ValueError, match="is no share"):
            wilson_interval(correct, total)


def test_top1_and_top5_equal_sklearn() -> None:
    stream = torch.Generator().manual_seed(0)
    logits = torch.randn(203, 10, generator=stream)
    labels = torch.randint(10, (203,), generator=stream)
    score = score_logits(4, logits, labels, "x")
    for k, value in ((1, score.accuracy), (5, score.top5)):
        expected = top_k_accuracy_score(labels.numpy(), logits.numpy(), k=k)
        assert value == pytest.approx(100 * expected)
    assert (score.layer, score.n_test, score.note) == (4, 203, "x")


def test_top5_of_three_classes_is_all() -> None:
    assert score_logits(1, torch.eye(3), torch.tensor([0, 1, 1])).top5 == 100


def test_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="The features hold NaN or infinity"):
        require_finite(torch.tensor([1.0, float("nan")]), "The features")
