import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import shift as scipy_shift
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from clapp_snn.randomness import generator
from clapp_snn.stimuli.digits import DigitSet, open_digits

DIGITS = open_digits(3)


def jittered(part: DigitSet, seed: int) -> tuple[np.ndarray, np.ndarray]:
    streams = [generator(seed, "test", sample) for sample in range(len(part))]
    return part.views(torch.arange(len(part)), streams).flatten(1).numpy(), part.labels.numpy()


def test_train_and_test_share_out_all_digits():
    known = load_digits()
    both = torch.cat([DIGITS.train.images, DIGITS.test.images]).numpy()
    labels = torch.cat([DIGITS.train.labels, DIGITS.test.labels]).numpy()
    assert (len(DIGITS.train), len(DIGITS.test)) == (1200, 597)

    def rows(images: np.ndarray, targets: np.ndarray) -> list[tuple[float, ...]]:
        return sorted(tuple(row) for row in np.column_stack([images.reshape(-1, 64), targets]))

    assert rows(both * 16, labels) == rows(known.images, known.target)
    assert both.min() == 0.0
    assert both.max() == 1.0


def test_the_seed_alone_decides_the_split():
    assert torch.equal(open_digits(3).train.images, DIGITS.train.images)
    assert not torch.equal(open_digits(4).train.images, DIGITS.train.images)


@pytest.mark.parametrize("train", [0, 1797])
def test_an_empty_part_is_refused(train):
    with pytest.raises(ValueError, match="between 1 and 1796"):
        open_digits(train=train)


@given(
    st.lists(
        st.tuples(st.integers(0, 596), st.integers(-1, 1), st.integers(-1, 1)),
        min_size=1,
        max_size=5,
    )
)
def test_views_are_shifts_with_zeros_moved_in(samples):
    index, *shifts = torch.tensor(samples).unbind(1)
    seen = DIGITS.test.view(index, torch.stack(shifts, dim=1))
    expected = [
        scipy_shift(DIGITS.test.images[number].numpy(), moved, order=0)
        for number, *moved in samples
    ]
    assert np.array_equal(seen.numpy(), np.stack(expected))


def test_larger_shifts_and_other_digits_are_refused():
    with pytest.raises(ValueError, match="at most 1 pixel"):
        DIGITS.test.view(torch.tensor([0]), torch.tensor([[0, 2]]))
    with pytest.raises(IndexError):
        DIGITS.test.view(torch.tensor([597]), torch.tensor([[0, 0]]))


def test_all_nine_positions_are_equally_frequent():
    dot = torch.zeros(1, 8, 8)
    dot[0, 4, 4] = 1.0
    seen = DigitSet(dot, torch.zeros(1, dtype=torch.int64)).views(
        torch.zeros(9000, dtype=torch.int64), [generator(0, sample) for sample in range(9000)]
    )
    counts = seen.sum(0)[3:6, 3:6]
    assert counts.sum() == 9000
    # Binomial: 9000 draws with probability 1/9, standard deviation 29.8; 4.5 of them.
    assert (counts - 1000).abs().max() < 135


def test_jitter_makes_pixels_a_poor_code():
    """Issue trial: pixels read out linearly 60 %, from the mean of five examples a class 29 %."""
    train, labels = jittered(DIGITS.train, 0)
    test, truth = jittered(DIGITS.test, 1)
    linear = LogisticRegression(C=0.1, max_iter=500).fit(train, labels).score(test, truth)
    assert 0.5 < linear < 0.64
    draws = np.random.default_rng(0)
    few = []
    for _ in range(20):
        chosen = [draws.choice(np.flatnonzero(labels == digit), 5) for digit in range(10)]
        means = np.stack([train[rows].mean(0) for rows in chosen])
        distance = ((test[:, None] - means) ** 2).sum(2)
        few.append((distance.argmin(1) == truth).mean())
    assert 0.24 < np.mean(few) < 0.35
    sharp = LogisticRegression(C=0.1, max_iter=500)
    sharp.fit(DIGITS.train.images.flatten(1).numpy(), labels)
    assert sharp.score(DIGITS.test.images.flatten(1).numpy(), truth) > 0.9
