import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clapp_snn.stimuli.digits import open_digits
from clapp_snn.stimuli.glances import FIXATION, SACCADE, Glance, GlanceStream, Position


class Numbers:
    """Objects that show their number and one random draw."""

    labels = None

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def views(self, indices: torch.Tensor, generators: Sequence[torch.Generator]) -> torch.Tensor:
        noise = torch.cat([torch.rand(1, generator=stream) for stream in generators])
        return torch.stack([indices.float(), noise], dim=1)


def follow(stream: GlanceStream, windows: int, position: Position | None = None) -> list[Glance]:
    position = position or stream.start()
    glances = []
    for _ in range(windows):
        glance, position = stream.next(position)
        glances.append(glance)
    return glances


def seen(glances: list[Glance]) -> torch.Tensor:
    return torch.stack([torch.cat([g.view, g.y[:, None], g.index[:, None]], 1) for g in glances])


@given(
    st.integers(2, 6),
    st.integers(0, 10**6),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.integers(0, 7),
)
def test_fixations_stay_and_saccades_leave(count, seed, p_saccade, resumed_at):
    stream = GlanceStream(Numbers(count), [0, 5, 7], seed, p_saccade)
    glances = follow(stream, 8)
    assert (glances[0].y == SACCADE).all()
    for before, after in pairwise(glances):
        stays = before.index == after.index
        assert torch.equal(after.y, torch.where(stays, FIXATION, SACCADE))
        assert ((after.index >= 0) & (after.index < count)).all()
        if p_saccade in (0.0, 1.0):
            assert (stays == (p_saccade == 0.0)).all()
    position = stream.start()
    for _ in range(resumed_at):
        _, position = stream.next(position)
    again = GlanceStream(Numbers(count), [0, 5, 7], seed, p_saccade)
    assert torch.equal(seen(follow(again, 8 - resumed_at, position)), seen(glances)[resumed_at:])


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=6, unique=True))
def test_a_sample_does_not_depend_on_its_batch(samples):
    together = seen(follow(GlanceStream(Numbers(9), samples, 1), 5))
    alone = [seen(follow(GlanceStream(Numbers(9), [sample], 1), 5)) for sample in samples]
    assert torch.equal(together, torch.cat(alone, dim=1))


def test_samples_and_seeds_are_different_streams():
    stream = seen(follow(GlanceStream(Numbers(9), [0, 1], 1), 20))
    other = seen(follow(GlanceStream(Numbers(9), [0, 1], 2), 20))
    assert not torch.equal(stream[:, 0], stream[:, 1])
    assert not torch.equal(stream, other)


def test_saccades_have_their_probability_and_reach_all_others_alike():
    count, windows = 4, 40
    stream = GlanceStream(Numbers(count), range(250), 0, p_saccade=0.3)
    glances = follow(stream, windows)
    y = torch.stack([glance.y for glance in glances[1:]])
    index = torch.stack([glance.index for glance in glances])
    # Binomial standard errors of a share, 4.5 of them.
    share = (y == SACCADE).double().mean()
    assert abs(share - 0.3) < 4.5 * math.sqrt(0.3 * 0.7 / y.numel())
    first = torch.bincount(index[0], minlength=count) / 250
    assert (first - 1 / 4).abs().max() < 4.5 * math.sqrt(0.25 * 0.75 / 250)
    left, reached = index[:-1][y == SACCADE], index[1:][y == SACCADE]
    for start in range(count):
        targets = torch.bincount(reached[left == start], minlength=count).double()
        total = float(targets.sum())
        others = targets[torch.arange(count) != start] / total
        assert targets[start] == 0
        assert (others - 1 / 3).abs().max() < 4.5 * math.sqrt(1 / 3 * 2 / 3 / total)


def test_a_fixation_shows_the_same_digit_anew():
    digits = open_digits().train
    first, second, third = follow(GlanceStream(digits, range(50), 0, p_saccade=0.0), 3)
    assert torch.equal(first.index, second.index)
    assert first.view.shape == (50, 8, 8)
    # Two glances agree with probability 1/9; that 50 samples all do, or 25, is out of the question.
    assert (first.view == second.view).flatten(1).all(1).sum() < 25
    assert (second.view == third.view).flatten(1).all(1).sum() < 25


def test_a_finite_stream_ends_with_one_clear_error():
    stream = GlanceStream(Numbers(3), [0], 0, windows=2)
    _, position = stream.next(stream.next(stream.start())[1])
    with pytest.raises(EOFError, match="ends after 2 windows"):
        stream.next(position)


def test_impossible_streams_are_refused():
    with pytest.raises(ValueError, match="needs another object, but there are 1"):
        GlanceStream(Numbers(1), [0], 0)
    with pytest.raises(ValueError, match=r"from 0 to 1, not -0\.1"):
        GlanceStream(Numbers(2), [0], 0, p_saccade=-0.1)
    with pytest.raises(ValueError, match="cannot have -1 windows"):
        GlanceStream(Numbers(2), [0], 0, windows=-1)
    with pytest.raises(ValueError, match="for 2 samples, but the stream has 1"):
        GlanceStream(Numbers(3), [0], 0).next(Position(1, torch.tensor([0, 1])))
    with pytest.raises(ValueError, match="at least one sample"):
        GlanceStream(Numbers(2), [], 0)
