"""Streams ordered by labels: what follows what, how often, and independence of the batch."""

import pytest
import torch

from clapp_snn.stimuli.class_stream import ClassStream
from clapp_snn.stimuli.digits import DigitSet, open_digits

TRAIN = open_digits(0, 300).train


def test_same_class_and_other_class_take_turns() -> None:
    stream = ClassStream(TRAIN, range(16), 1)
    position = stream.start()
    last = None
    for window in range(12):
        glance, position = stream.next(position)
        classes = TRAIN.labels[glance.index]
        if last is not None:
            assert torch.equal(classes == last, glance.y > 0)
        assert glance.y.tolist() == [1.0 if window % 2 else -1.0] * 16
        last = classes
    assert position.window == 12


def test_all_members_of_a_class_come_equally_often() -> None:
    """Chi-square over the members of the class that follows: mean dof, standard deviation sqrt(2 dof)."""
    few = DigitSet(TRAIN.images[:40], TRAIN.labels[:40])
    stream = ClassStream(few, range(50), 2)
    position = stream.start()
    seen: dict[int, list[int]] = {}
    for window in range(80):
        before = position.index
        glance, position = stream.next(position)
        if window % 2 and before is not None:
            for label, index in zip(
                few.labels[before].tolist(), glance.index.tolist(), strict=True
            ):
                seen.setdefault(label, []).append(index)
    total, freedom = 0.0, 0
    for label, found in seen.items():
        members = (few.labels == label).nonzero().flatten()
        count = torch.bincount(torch.tensor(found), minlength=40)[members].double()
        expected = len(found) / len(members)
        total += float(((count - expected) ** 2 / expected).sum())
        freedom += len(members) - 1
    assert abs(total - freedom) < 4.5 * (2 * freedom) ** 0.5


def test_a_sample_does_not_depend_on_its_batch() -> None:
    together, alone = ClassStream(TRAIN, [3, 8], 1), ClassStream(TRAIN, [8], 1)
    many, one = together.start(), alone.start()
    for _ in range(5):
        both, many = together.next(many)
        single, one = alone.next(one)
        assert torch.equal(both.view[1:], single.view)
        assert torch.equal(both.index[1:], single.index)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        ClassStream(TRAIN, [], 1)
    zeros = TRAIN.labels == 0
    with pytest.raises(ValueError, match="two classes"):
        ClassStream(DigitSet(TRAIN.images[zeros], TRAIN.labels[zeros]), [0], 1)
