"""Laws of the rule that hold for all inputs."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clapp_snn.functional import convolution, score
from clapp_snn.functional.cells import context_cells, from_cells, target_cells, to_cells
from clapp_snn.functional.objective import Objective
from clapp_snn.functional.plasticity import area_signals
from clapp_snn.functional.saccades import Draw, draw_saccades
from clapp_snn.randomness import generator

SYNC = Objective(negatives=3)
CLAPP = Objective(negatives=1, sampling="local_same", time_local=True, retro="free")
PAPER = replace(CLAPP, sharing="paper")
GRID = 7

seeds = st.integers(0, 2**31)


def cells(seed: int, groups: int, images: int, channels: int, scale: float = 1.0) -> Tensor:
    shape = (groups, GRID, images, GRID, channels)
    return scale * torch.randn(shape, generator=generator(seed, "cells")).double().relu()


def matrices(seed: int, post: int, pre: int, steps: int = 5) -> Tensor:
    return torch.randn(steps, post, pre, generator=generator(seed, "W")).double()


def draw(objective: Objective, seed: int, groups: int, images: int, loss: int = 0) -> Draw:
    each = [generator(seed, "saccade", loss, g) for g in range(groups)]
    return draw_saccades(objective, each, images, GRID)


@given(seed=seeds, images=st.integers(1, 4), channels=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_no_gamma_no_update(seed: int, images: int, channels: int) -> None:
    z = cells(seed, 1, images, channels)
    landing = draw(SYNC, seed, 1, images).landing[0]
    target, context = target_cells(z, 2), context_cells(z, 2)
    gamma = torch.zeros(1, landing.shape[1], 4, dtype=torch.float64)
    over_targets, over_contexts = score.sum_over_pairs(gamma, landing, target, context)
    for total in (over_targets, over_contexts):
        assert total is not None
        assert not total.any()
    x = torch.randn(5, 4, 4, 3, generator=generator(seed, "x")).double()
    code = torch.randint(0, 5, (5, 2, 2, 6), generator=generator(seed, "code")).byte()
    change = convolution.update(x, code, torch.zeros(5, 6, dtype=torch.float64), True)
    assert not change.weight.any()
    assert not change.bias.any()


@given(seed=seeds, images=st.integers(2, 4))
@settings(max_examples=20, deadline=None)
def test_satisfied_margin_gives_no_update(seed: int, images: int) -> None:
    """One-hot cells, one code per image, and W_pred = 3 on the diagonal, -3 off it: u = +3 within an
    image and -3 between images. Saccades that land on another image are all recognised."""
    code = torch.eye(images, dtype=torch.float64)
    z = code.view(1, 1, images, 1, images).expand(1, GRID, images, GRID, images).contiguous()
    W = (6 * code - 3).expand(5, images, images).contiguous()
    objective = replace(CLAPP, retro="tied")
    drawn = draw(objective, seed, 1, images)
    other = []
    for d, landing in zip(objective.distances, drawn.landing, strict=True):
        cell = torch.arange(landing.shape[1])
        image = (cell // GRID) % images
        next_image = (image + 1) % images
        other.append((cell + (next_image - image) * GRID).view(1, -1, 1))
        assert landing.shape[1] == (GRID - d) * images * GRID
    for fixation in (torch.ones(1, images).bool(), torch.zeros(1, images).bool(), None):
        o = objective if fixation is not None else replace(objective, time_local=False)
        signals = area_signals(o, z, z, W, None, Draw(other, fixation))
        assert float(signals.loss) == 0
        assert float(signals.gate) == 0
        assert not signals.target.any()
        assert signals.context is not None
        assert not signals.context.any()
        assert not signals.W_pred.any()


@given(seed=seeds, images=st.integers(2, 5), channels=st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_permuting_the_batch_permutes_nothing_else(seed: int, images: int, channels: int) -> None:
    z, W = cells(seed, 1, images, channels), matrices(seed, channels, channels)
    drawn = draw(SYNC, seed, 1, images)
    order = torch.randperm(images, generator=generator(seed, "order"))
    place = torch.empty_like(order)
    place[order] = torch.arange(images)
    moved = []
    for d, landing in zip(SYNC.distances, drawn.landing, strict=True):
        rows = GRID - d
        row, image, col = landing // (images * GRID), (landing // GRID) % images, landing % GRID
        renamed = (row * images + place[image]) * GRID + col
        moved.append(renamed.view(1, rows, images, GRID, -1)[:, :, order].flatten(1, 3))
    a = area_signals(SYNC, z, z, W, None, drawn)
    b = area_signals(SYNC, z[:, :, order], z[:, :, order], W, None, Draw(moved, None))
    torch.testing.assert_close(b.loss, a.loss, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(b.W_pred, a.W_pred, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(b.target, a.target[:, :, order], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(b.context, a.context[:, :, order], rtol=1e-10, atol=1e-12)


@given(seed=seeds, images=st.integers(1, 4), post=st.integers(1, 4), pre=st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_difference_of_W_pred_and_W_retro_transposed_is_constant(
    seed: int, images: int, post: int, pre: int
) -> None:
    """Eq. 8 with shared samples and one gamma."""
    z, c = cells(seed, 2, images, post), cells(seed + 1, 2, images, pre)
    W_pred, W_retro = matrices(seed, post, pre), matrices(seed + 1, pre, post)
    signals = area_signals(PAPER, z, c, W_pred, W_retro, draw(PAPER, seed, 2, images))
    assert signals.W_retro is not None
    torch.testing.assert_close(
        signals.W_pred, signals.W_retro.transpose(1, 2), rtol=1e-10, atol=1e-12
    )


def test_code_sharing_has_two_gates() -> None:
    """With the published sharing the two losses see other saccades: Eq. 8 holds only on average."""
    z, W_pred, W_retro = cells(1, 1, 4, 3), matrices(1, 3, 3), matrices(2, 3, 3)
    first, second = draw(CLAPP, 1, 1, 4, loss=0), draw(CLAPP, 1, 1, 4, loss=1)
    signals = area_signals(CLAPP, z, z, W_pred, W_retro, first, second)
    assert signals.W_retro is not None
    assert not torch.allclose(signals.W_pred, signals.W_retro.transpose(1, 2))


@given(seed=seeds, images=st.integers(1, 4), channels=st.integers(1, 5), n=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_flipping_gamma_flips_every_update(seed: int, images: int, channels: int, n: int) -> None:
    z = cells(seed, 2, images, channels)
    landing = draw(replace(SYNC, negatives=n), seed, 2, images).landing[1]
    gamma = torch.randn(*landing.shape[:2], 1 + n, generator=generator(seed, "gamma")).double()
    target, context = target_cells(z, 3), context_cells(z, 3)
    plus = score.sum_over_pairs(gamma, landing, target, context)
    minus = score.sum_over_pairs(-gamma, landing, target, context)
    for a, b in zip(plus, minus, strict=True):
        assert a is not None
        assert b is not None
        assert torch.equal(a, -b)
    x = torch.randn(6, 4, 4, 2, generator=generator(seed, "x")).double()
    code = torch.randint(0, 2, (6, 4, 4, 3), generator=generator(seed, "code")).byte()
    signal = torch.randn(6, 3, generator=generator(seed, "signal")).double()
    for a, b in zip(
        convolution.update(x, code, signal, False),
        convolution.update(x, code, -signal, False),
        strict=True,
    ):
        assert torch.equal(a, -b)


@given(seed=seeds, images=st.integers(1, 4), n=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_pair_scores_and_sums_equal_the_explicit_pairs(seed: int, images: int, n: int) -> None:
    z, c = cells(seed, 2, images, 3), cells(seed + 1, 2, images, 3)
    landing = draw(replace(SYNC, negatives=n), seed, 2, images).landing[4]
    target, context = target_cells(z, 6), context_cells(c, 6)
    u = score.pair_scores(context, target, landing)
    gamma = torch.randn(u.shape, generator=generator(seed, "gamma")).double()
    over_targets, over_contexts = score.sum_over_pairs(gamma, landing, target, context)
    want_t, want_c = torch.zeros_like(context), torch.zeros_like(target)
    for g in range(2):
        for i in range(landing.shape[1]):
            for p, j in enumerate([i, *landing[g, i].tolist()]):
                torch.testing.assert_close(u[g, i, p], context[g, i] @ target[g, j])
                want_t[g, i] += gamma[g, i, p] * target[g, j]
                want_c[g, j] += gamma[g, i, p] * context[g, i]
    torch.testing.assert_close(over_targets, want_t)
    torch.testing.assert_close(over_contexts, want_c)


@given(seed=seeds, groups=st.integers(1, 3), group=st.integers(1, 4), channels=st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_cells_round_trip(seed: int, groups: int, group: int, channels: int) -> None:
    feature = torch.randn(groups * group * 49, channels, generator=generator(seed, "f"))
    arranged = to_cells(feature, groups * group, group, GRID)
    assert torch.equal(from_cells(arranged), feature)
    image, row, col = groups * group - 1, 5, 2
    assert torch.equal(
        arranged[image // group, row, image % group, col], feature[(image * 7 + row) * 7 + col]
    )


def test_cells_refuse_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="multiple of the group size"):
        to_cells(torch.zeros(3 * 49, 2), 3, 2, GRID)
    with pytest.raises(ValueError, match="98 patches are not 3 images"):
        to_cells(torch.zeros(98, 2), 3, 3, GRID)


@pytest.mark.parametrize("sampling", ["random", "local", "local_same"])
def test_saccades_land_where_they_should(sampling: str) -> None:
    n = 16 if sampling == "random" else 1
    objective = Objective(negatives=n, sampling=sampling)
    images = 5
    drawn = draw(objective, 7, 3, images)
    assert drawn.fixation is None
    for d, landing in zip(objective.distances, drawn.landing, strict=True):
        cells_count = (GRID - d) * images * GRID
        assert landing.shape == (3, cells_count, n)
        assert int(landing.min()) >= 0
        assert int(landing.max()) < cells_count
        cell = torch.arange(cells_count).view(1, -1, 1)
        if sampling == "random":
            continue
        assert torch.equal(
            (landing // (images * GRID)), (cell // (images * GRID)).expand_as(landing)
        )
        assert torch.equal(landing % GRID, (cell % GRID).expand_as(landing))
        partner = ((landing // GRID) % images).view(3, GRID - d, images, GRID)
        constant = bool((partner == partner[:, :1, :, :1]).all())
        assert constant == (sampling == "local_same")


def test_paper_sharing_uses_one_partner_for_all_steps_and_code_sharing_does_not() -> None:
    images = 32
    for objective, shared in ((PAPER, True), (CLAPP, False)):
        drawn = draw(objective, 5, 1, images)
        partners = [((x // GRID) % images).view(-1, images, GRID)[0, :, 0] for x in drawn.landing]
        assert all(torch.equal(partners[0], p) for p in partners) == shared


def test_fixations_are_fair_coins() -> None:
    """10 000 draws: |mean - 1/2| < 5 standard deviations of 0.005 (failure chance 6e-7)."""
    flips = [draw(CLAPP, seed, 1, 1000).fixation for seed in range(10)]
    share = torch.cat([f for f in flips if f is not None], 1).double().mean()
    assert abs(float(share) - 0.5) < 0.025


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"negatives": 0}, "at least 1"),
        ({"sampling": "local"}, "exactly 1 negative"),
        ({"time_local": True}, "negatives=1"),
        ({"loss": "infonce", "retro": "free"}, "InfoNCE"),
        ({"loss": "infonce", "gate": False}, "ablations"),
        ({"sharing": "paper"}, "local_same"),
        ({"prediction": False, "retro": "zero"}, "without prediction"),
        ({"distances": ()}, "at least one row distance"),
        ({"loss": "mse"}, "'hinge' or 'infonce'"),
        ({"sampling": "near"}, "sampling must be"),
        ({"retro": "copy"}, "retro must be"),
        ({"sharing": "none"}, "sharing must be"),
    ],
)
def test_impossible_objectives_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(Objective(), **change)


def test_matrices_and_draws_must_fit_the_objective() -> None:
    z = cells(0, 1, 2, 3)
    one, two = draw(CLAPP, 0, 1, 2), draw(CLAPP, 0, 1, 2, loss=1)
    W = matrices(0, 3, 3)
    with pytest.raises(ValueError, match="retro='free'"):
        area_signals(CLAPP, z, z, W, None, one)
    with pytest.raises(ValueError, match="two losses"):
        area_signals(CLAPP, z, z, W, W, one)
    with pytest.raises(ValueError, match="5 prediction steps"):
        area_signals(CLAPP, z, z, W[:2], W[:2], one, two)
