import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from clapp_snn.evaluation.cache import CachedFeatures, cache_features
from clapp_snn.evaluation.fast_probe import (
    PENALTIES,
    SEARCH,
    choose_penalty,
    fast_probe,
    fit_logistic,
    in_span,
)
from clapp_snn.evaluation.interfaces import standard_views
from clapp_snn.numerical_failures import ConvergenceError
from tests.evaluation.fakes import MatrixEncoder, dataset


def blobs(count: int, size: int, classes: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Overlapping classes with strongly correlated features."""
    stream = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    mix = torch.randn(size, size, generator=torch.Generator().manual_seed(9)) / size**0.5
    means = torch.randn(classes, size, generator=torch.Generator().manual_seed(8))
    return (means[labels] + 1.5 * torch.randn(count, size, generator=stream)) @ mix, labels


@pytest.mark.parametrize(("count", "size"), [(120, 6), (30, 50)])
@pytest.mark.parametrize("l2", [1e-3, 0.1])
def test_optimum_equals_sklearn_also_with_more_features_than_images(
    count: int, size: int, l2: float
) -> None:
    (x, y), (test_x, _) = blobs(count, size, 4, 0), blobs(40, size, 4, 1)
    train, test = in_span(x, test_x)
    assert train.shape[1] == min(count, size)
    weight, bias = fit_logistic(train, y, 4, l2, tolerance=1e-9)
    logits = (test.double() @ weight.t() + bias).numpy()
    model = LogisticRegression(C=1 / (l2 * count), tol=1e-10, max_iter=20_000)
    expected = model.fit(x.double().numpy(), y.numpy()).decision_function(test_x.double().numpy())
    centred = logits - logits.mean(1, keepdims=True)
    np.testing.assert_allclose(centred, expected - expected.mean(1, keepdims=True), atol=1e-3)


def test_probe_equals_a_sklearn_pipeline_over_all_test_samples() -> None:
    x, y = blobs(150, 12, 4, 1)
    test_x, test_y = blobs(83, 12, 4, 2)
    cache = CachedFeatures({2: x * 40 + 3}, y, {2: test_x * 40 + 3}, test_y, 4, 0)
    (score,) = fast_probe(cache)
    l2 = float(score.note.split("l2 ")[1])
    assert l2 in PENALTIES
    model = LogisticRegression(C=1 / (l2 * 150), tol=1e-10, max_iter=20_000)
    pipeline = make_pipeline(StandardScaler(), model).fit((x * 40 + 3).numpy(), y.numpy())
    expected = 100 * pipeline.score((test_x * 40 + 3).numpy(), test_y.numpy())
    assert score.accuracy == pytest.approx(expected, abs=1e-9)
    assert (score.layer, score.n_test) == (2, 83)
    assert score.low < score.accuracy < score.high


def test_penalty_is_chosen_on_held_out_training_images_alone() -> None:
    """Pure noise in many dimensions wants the strongest penalty, clean classes do not mind a weak one; and
    the test images cannot matter, since they are not given."""
    stream = torch.Generator().manual_seed(3)
    y = torch.arange(200) % 4
    held_out = torch.arange(200) % 5 == 0
    clean = torch.nn.functional.one_hot(y, 4) + 0.01 * torch.randn(200, 4, generator=stream)
    noisy = torch.cat((clean, torch.randn(200, 300, generator=stream)), 1)
    accuracy = {}
    for l2 in PENALTIES:
        weight, bias = fit_logistic(noisy[~held_out], y[~held_out], 4, l2, tolerance=SEARCH)
        guess = (noisy[held_out].double() @ weight.t() + bias).argmax(1)
        accuracy[l2] = float((guess == y[held_out]).double().mean())
    best = max(accuracy.values())
    expected = next(l2 for l2 in PENALTIES if accuracy[l2] == best)
    assert choose_penalty(noisy, y, 4, held_out) == expected
    assert choose_penalty(clean, y, 4, held_out) == PENALTIES[0]


def test_protocol_is_named_in_the_note() -> None:
    views = standard_views()
    plain = fast_probe(cache_features(MatrixEncoder(), dataset(), views))
    more = fast_probe(cache_features(MatrixEncoder(), dataset(), views, extra_views=2))
    assert all(score.note.startswith("centre crop, l2") for score in plain)
    assert all(score.note.startswith("centre crop + 2 cached views, l2") for score in more)
    assert [score.layer for score in plain] == [1, 2]


def test_damaged_features_and_senseless_penalty_are_refused() -> None:
    x, y = blobs(20, 3, 2, 0)
    with pytest.raises(ValueError, match="features hold NaN"):
        fit_logistic(x * float("nan"), y, 2, 1e-3)
    with pytest.raises(ValueError, match="l2 must be positive"):
        fit_logistic(x, y, 2, 0.0)


def test_unfinished_optimisation_is_an_error() -> None:
    x, y = blobs(60, 8, 3, 0)
    with pytest.raises(ConvergenceError, match="did not converge"):
        fit_logistic(x, y, 3, 1e-3, tolerance=1e-9, max_iterations=1)
