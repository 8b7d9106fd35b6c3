import numpy as np
import pytest
import torch

from clapp_snn.stimuli.record import ArraySplit, Dataset, Split
from clapp_snn.stimuli.splits import Absent


def split(n: int = 20, seed: int = 0, labelled: bool = True) -> ArraySplit:
    images = np.random.default_rng(seed).integers(0, 256, (n, 3, 4, 6), np.uint8)
    return ArraySplit(images, torch.arange(n) % 2 if labelled else None)


def dataset(name: str = "toy", **splits: Split | Absent) -> Dataset:
    parts = {"train": split(), "test": split(6, 1), "unlabeled": split(30, 2, labelled=False)}
    return Dataset(name, "Toy images.", ["even", "odd"], {**parts, **splits})


def test_reading_copies_the_images_asked_for_in_order():
    part = split()
    images = part.read(torch.tensor([3, 0, 3]))
    assert images.dtype == torch.uint8
    assert np.array_equal(images.numpy(), part.images[[3, 0, 3]])
    images.zero_()
    assert part.images[3].any()
    assert part.read(torch.tensor([], dtype=torch.int64)).shape == (0, 3, 4, 6)


def test_column_major_images_are_read_upright():
    upright = split()
    stored = ArraySplit(np.ascontiguousarray(upright.images.transpose(0, 1, 3, 2)), None, True)
    assert stored.image_size == upright.image_size == (4, 6)
    assert torch.equal(stored.read(torch.arange(20)), upright.read(torch.arange(20)))
    assert stored.read(torch.arange(2)).is_contiguous()


@pytest.mark.parametrize("number", [-1, 20])
def test_an_image_number_outside_the_split_is_refused(number):
    with pytest.raises(IndexError, match="but the split has 20 images"):
        split().read(torch.tensor([0, number]))


def test_arrays_that_are_no_images_are_refused():
    with pytest.raises(ValueError, match="must be uint8"):
        ArraySplit(np.zeros((2, 3, 4, 4)))
    with pytest.raises(ValueError, match="3 labels for 2 images"):
        ArraySplit(np.zeros((2, 3, 4, 4), np.uint8), torch.zeros(3, dtype=torch.int64))


def test_a_missing_split_is_an_error_only_when_it_is_asked_for():
    data = dataset(unlabeled=Absent("there are none"))
    assert len(data.train) == 20
    with pytest.raises(FileNotFoundError, match="there are none"):
        _ = data.unlabeled


def test_learning_from_train_takes_its_images_without_labels():
    data = dataset(unlabeled=Absent("there are none")).learning_from_train()
    assert data.unlabeled.labels is None
    assert data.train.labels is not None
    assert len(data.unlabeled) == 20
    assert data.unlabeled.image_size == (4, 6)
    chosen = torch.tensor([5, 1])
    assert torch.equal(data.unlabeled.read(chosen), data.train.read(chosen))
    assert "without labels" in data.note


def test_all_splits_follow_the_protocol():
    data = dataset(unlabeled=Absent("there are none")).learning_from_train()
    assert isinstance(data.train, Split)
    assert isinstance(data.unlabeled, Split)


def test_chance_is_in_percent():
    assert dataset().chance == 50.0


def test_the_fingerprint_tells_other_data_and_ignores_the_name():
    known = dataset().fingerprint
    assert len(known) == 16
    assert dataset("renamed").fingerprint == known
    relabelled = ArraySplit(split().images, 1 - torch.arange(20) % 2)
    others = [
        dataset(train=split(21)),
        dataset(train=split(20, seed=7)),
        dataset(train=relabelled),
        dataset(unlabeled=Absent("there are none")),
        dataset().learning_from_train(),
    ]
    assert len({known, *(other.fingerprint for other in others)}) == 6
