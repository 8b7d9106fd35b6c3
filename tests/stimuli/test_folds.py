import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clapp_snn.stimuli.folds import fold_numbers, is_test


@given(st.lists(st.integers(0, 3), min_size=1, max_size=80), st.integers(2, 5))
def test_every_class_is_dealt_out_evenly(classes, folds):
    labels = torch.tensor(classes)
    if int(labels.bincount()[labels.unique()].min()) < folds:
        with pytest.raises(ValueError, match="choose fewer folds"):
            fold_numbers(labels, folds)
        return
    numbers = fold_numbers(labels, folds)
    for label in set(classes):
        sizes = numbers[labels == label].bincount(minlength=folds)
        assert len(sizes) == folds
        assert int(sizes.max() - sizes.min()) <= 1


def test_folds_are_fixed_and_what_is_left_over_is_spread():
    labels = torch.tensor([0, 0, 0, 1, 1, 1, 5, 5])
    assert fold_numbers(labels, 2).tolist() == [0, 1, 0, 1, 0, 1, 1, 0]


def test_without_a_fold_the_given_split_is_kept():
    labels, given_ = torch.tensor([0, 0, 1, 1]), torch.tensor([True, False, False, True])
    assert is_test(labels, given_, None, 5, "words.npz").equal(given_)
    assert is_test(labels, given_, 1, 2, "words.npz").tolist() == [False, True, True, False]
    with pytest.raises(ValueError, match=r"words\.npz does not say .* choose a fold"):
        is_test(labels, None, None, 5, "words.npz")
    with pytest.raises(ValueError, match="two folds"):
        fold_numbers(labels, 1)
