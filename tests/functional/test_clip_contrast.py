"""Scores of clips: the layout of pairs, the losses, and blocks of places."""

import pytest
import torch
from torch.nn import functional as F

from clapp_snn.functional import clip_contrast
from clapp_snn.functional.clip_contrast import area_signals, context_times, pair_view, step_loss
from clapp_snn.functional.objective import Objective
from clapp_snn.functional.saccades import draw_saccades
from clapp_snn.methods.video import HINGE, INFONCE
from clapp_snn.randomness import generator


def scores(groups: int = 2, m: int = 5) -> torch.Tensor:
    return torch.randn(groups, m, m, generator=generator(0, "u"), dtype=torch.float64)


def test_pairs_are_the_fixation_and_then_the_saccades_of_its_row() -> None:
    u = scores()
    found = pair_view(u)
    assert found.shape == (2, 5, 5)
    for group in range(2):
        for i in range(5):
            others = [u[group, i, j] for j in range(5) if j != i]
            assert torch.equal(found[group, i], torch.stack([u[group, i, i], *others]))
    assert pair_view(u[:, :1, :1]).shape == (2, 1, 1)


@pytest.mark.parametrize("kind", ["hinge", "infonce"])
def test_gamma_is_minus_the_derivative(kind) -> None:
    u = scores().requires_grad_()
    loss, _, gamma = step_loss(u, kind)
    loss.backward()
    torch.testing.assert_close(gamma, -u.grad, rtol=1e-12, atol=1e-15)


def test_losses_are_the_published_ones() -> None:
    u = scores(1)
    on = torch.eye(5, dtype=torch.bool)
    wanted = 0.5 * (F.relu(1 - u[0][on]).mean() + F.relu(1 + u[0][~on]).mean())
    loss, gate, _ = step_loss(u, "hinge")
    torch.testing.assert_close(loss, wanted)
    share = 0.5 * ((u[0][on] < 1).double().mean() + (u[0][~on] > -1).double().mean())
    torch.testing.assert_close(gate, share)
    loss, missed, _ = step_loss(u, "infonce")
    torch.testing.assert_close(loss, F.cross_entropy(u[0], torch.arange(5)))
    torch.testing.assert_close(missed, 1 - u[0].softmax(1).diagonal().mean())


@pytest.mark.parametrize("objective", [HINGE, INFONCE])
def test_blocks_of_places_give_the_same(
    objective: Objective, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = generator(1, "z")
    z = torch.randn(4, 6, 5, 3, 7, generator=stream, dtype=torch.float64)
    W = 0.1 * torch.randn(3, 7, 7, generator=stream, dtype=torch.float64)
    whole = area_signals(objective, z, W, group=2)
    monkeypatch.setattr(clip_contrast, "BLOCK_BYTES", 1)
    rows = area_signals(objective, z, W, group=2)
    torch.testing.assert_close(rows.signal, whole.signal)
    torch.testing.assert_close(rows.W_pred, whole.W_pred)
    torch.testing.assert_close(rows.loss, whole.loss)


def test_groups_are_averaged() -> None:
    stream = generator(1, "z")
    z = torch.randn(4, 6, 2, 2, 7, generator=stream, dtype=torch.float64)
    W = 0.1 * torch.randn(3, 7, 7, generator=stream, dtype=torch.float64)
    both = area_signals(HINGE, z, W, group=2)
    one, two = (area_signals(HINGE, part, W, group=2) for part in z.split(2))
    torch.testing.assert_close(both.loss, (one.loss + two.loss) / 2)
    torch.testing.assert_close(both.W_pred, (one.W_pred + two.W_pred) / 2)
    torch.testing.assert_close(both.signal, torch.cat((one.signal, two.signal)) / 2)


def test_what_cannot_be_compared_says_so() -> None:
    assert context_times(4, HINGE) == 1
    with pytest.raises(ValueError, match="3 times a clip cannot predict 3 steps ahead"):
        context_times(3, HINGE)
    with pytest.raises(ValueError, match="has no saccade"):
        step_loss(scores(1, 1), "hinge")
    with pytest.raises(ValueError, match="draws no saccades"):
        draw_saccades(HINGE, [generator(0, "s")], 2, 7)
    with pytest.raises(ValueError, match="synchronous"):
        Objective(sampling="all", negatives=1, time_local=True)
