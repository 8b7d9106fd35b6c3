"""Draws and signals of sequences against loops that are written as the definition reads."""

import math

import pytest
import torch
from torch import Tensor

from clapp_snn.functional.objective import Objective
from clapp_snn.functional.sequence_contrast import SequenceDraw, draw_frames, sequence_signals
from clapp_snn.randomness import generator

STEPS = (1, 2, 3)
HINGE = Objective(distances=STEPS, negatives=4, sampling="permutation")
INFONCE = Objective(loss="infonce", distances=STEPS, negatives=4, sampling="permutation")


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator(seed, *shape), dtype=torch.float64)


def draws(
    objective: Objective, groups: int, samples: int, frames: int, window: int
) -> SequenceDraw:
    streams = [generator(3, "draw", group) for group in range(groups)]
    return draw_frames(objective, streams, samples, frames, window)


def naive(
    objective: Objective, z: Tensor, c: Tensor, W: Tensor, draw: SequenceDraw
) -> tuple[Tensor, float, list[list[float]]]:
    """Loss as a sum over samples, frames, steps and saccades; the share of open gates; positive scores."""
    flat, context = z.flatten(0, 1), c.flatten(0, 1)
    total, opened = z.new_zeros(()), 0.0
    positive: list[list[float]] = []
    samples, window = draw.own.shape
    for k in objective.distances:
        cells, first = samples * (window - k), []
        for b in range(samples):
            for t in range(k, window):
                apical = W[k - 1] @ context[draw.own[b, t - k]]
                fixation = apical @ flat[draw.own[b, t]]
                saccades = [apical @ flat[place] for place in draw.landing[b, t].tolist()]
                first.append(float(fixation.detach()))
                if objective.loss == "hinge":
                    parts = [torch.relu(1 + u) for u in saccades]
                    one = torch.relu(1 - fixation)
                    total = total + (one + sum(parts) / len(parts)) / cells
                    opened += (
                        (float(one > 0) + sum(float(p > 0) for p in parts) / len(parts)) / 2 / cells
                    )
                else:
                    everything = torch.stack([fixation, *saccades])
                    lost = torch.logsumexp(everything, 0) - fixation
                    total = total + lost / cells
                    opened += (1 - math.exp(-float(lost.detach()))) / cells
        positive.append(first)
    return total / len(STEPS), opened / len(STEPS), positive


@pytest.mark.parametrize("objective", [HINGE, INFONCE], ids=["hinge", "infonce"])
@pytest.mark.parametrize(("frames", "window"), [(9, 9), (14, 6)])
@pytest.mark.parametrize("own_context", [True, False])
def test_signals_are_the_derivatives_of_the_loss(
    objective: Objective, frames: int, window: int, own_context: bool
) -> None:
    draw = draws(objective, 2, 2, frames, window)
    z = normal(1, 4, frames, 3).requires_grad_()
    c = z if own_context else normal(2, 4, frames, 5).requires_grad_()
    W = normal(4, 3, 3, c.shape[2]).requires_grad_()
    loss, opened, positive = naive(objective, z, c, W, draw)
    wanted = [z, W] if own_context else [z, c, W]
    theirs = torch.autograd.grad(loss, wanted)
    with torch.no_grad():
        mine = sequence_signals(objective, z, c, W, draw)
    own = [mine.target + mine.context] if own_context else [mine.target, mine.context]
    for change, gradient in zip([*own, mine.W_pred], theirs, strict=True):
        assert (change + gradient).norm() < 1e-11 * gradient.norm()
    assert float(mine.loss - loss.detach()) == pytest.approx(0, abs=1e-12)
    assert float(mine.gate) == pytest.approx(opened, abs=1e-12)
    for step, first in enumerate(positive):
        assert mine.scores[step].shape == (1, len(first), 5)
        assert mine.scores[step][0, :, 0].tolist() == pytest.approx(first)


def test_every_negative_is_a_permutation_of_the_frames_of_its_group() -> None:
    draw = draws(HINGE, 2, 3, 10, 10)
    for group in range(2):
        part = draw.landing[3 * group : 3 * group + 3].flatten(0, 1)
        for column in part.t():
            assert sorted(column.tolist()) == list(range(30 * group, 30 * group + 30))
    assert torch.equal(draw.own, torch.arange(60).view(6, 10))
    assert not torch.equal(draw.landing[..., 0], draw.landing[..., 1])


def test_long_sequences_compare_a_window_but_saccades_land_anywhere() -> None:
    draw = draws(HINGE, 1, 4, 50, 8)
    start = draw.own[:, 0] - torch.arange(4) * 50
    assert len(set(start.tolist())) == 1
    assert torch.equal(draw.own, draw.own[:, :1] + torch.arange(8))
    assert draw.landing.shape == (4, 8, 4)
    assert len(set(draw.landing.flatten().tolist())) > 60
    starts = {int(draw_frames(HINGE, [generator(i)], 1, 50, 8).own[0, 0]) for i in range(300)}
    assert (min(starts), max(starts)) == (0, 42)


def test_a_group_draws_the_same_alone_and_beside_another() -> None:
    both, one = draws(HINGE, 2, 3, 20, 8), draws(HINGE, 1, 3, 20, 8)
    assert torch.equal(both.landing[:3], one.landing)
    assert torch.equal(both.own[:3], one.own)


def test_too_short_sequences_and_other_steps_are_refused() -> None:
    z, W = normal(1, 1, 3, 2), normal(4, 3, 2, 2)
    with pytest.raises(ValueError, match="3 frames are too short for predictions of up to 3"):
        sequence_signals(HINGE, z, z, W, draws(HINGE, 1, 1, 3, 3))
    odd = Objective(distances=(2, 3), negatives=4, sampling="permutation")
    z = normal(1, 1, 9, 2)
    with pytest.raises(ValueError, match=r"predict steps 1, 2"):
        sequence_signals(odd, z, z, W[:2], draws(odd, 1, 1, 9, 9))


@pytest.mark.parametrize(
    "changes", [{"time_local": True, "negatives": 1}, {"retro": "free"}, {"gate": False}]
)
def test_permutations_are_synchronous(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="'permutation' is synchronous"):
        Objective(distances=STEPS, sampling="permutation", **changes)  # type: ignore[arg-type]
