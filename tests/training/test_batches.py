"""Which image is seen when: a pure function of seed, step and rank."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_snn.training.batches import Batches, Plan
from tests.training import tiny

PLAN = Plan(samples=50, batch=8, group=4, rank=0, processes=1, seed=3)


def test_an_epoch_shows_every_image_at_most_once_and_epochs_differ() -> None:
    assert PLAN.steps_per_epoch == 6
    first = torch.cat([PLAN.indices(step) for step in range(6)])
    second = torch.cat([PLAN.indices(step) for step in range(6, 12)])
    assert len(first.unique()) == len(second.unique()) == 48
    assert not torch.equal(first, second)
    assert torch.equal(PLAN.indices(7), replace(PLAN).indices(7))


@given(step=st.integers(0, 100), each=st.integers(1, 3), processes=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_processes_share_out_what_one_process_sees(step: int, each: int, processes: int) -> None:
    one = Plan(200, 4 * each * processes, 4, 0, 1, seed=9)
    parts = [Plan(200, 4 * each, 4, rank, processes, seed=9) for rank in range(processes)]
    assert torch.equal(one.indices(step), torch.cat([p.indices(step) for p in parts]))
    views = [p.views(step, 8, 8) for p in parts]
    for name in ("row", "col", "flip"):
        together = torch.cat([getattr(v, name) for v in views])
        assert torch.equal(getattr(one.views(step, 8, 8), name), together)
    draws = [torch.rand(2, generator=g) for p in parts for g in p.streams(step, "saccade", 0, 0)]
    own = [torch.rand(2, generator=g) for g in one.streams(step, "saccade", 0, 0)]
    assert torch.equal(torch.stack(own), torch.stack(draws))
    assert len({tuple(d.tolist()) for d in own}) == len(own)


def test_a_stream_may_start_anywhere() -> None:
    split = tiny.dataset(50).train
    batches = Batches(split, PLAN, 64, True, torch.device("cpu"))
    whole = {step: (x, y) for step, x, y in batches.between(0, 8)}
    for step, x, y in batches.between(5, 8):
        assert torch.equal(x, whole[step][0])
        assert y is not None
        assert torch.equal(y, whole[step][1])
        assert torch.equal(y, split.labels[PLAN.indices(step)])
        assert x.shape == (8, 1, 64, 64)


def test_batch_larger_than_data() -> None:
    with pytest.raises(ValueError, match="larger than the data"):
        replace(PLAN, processes=10)
