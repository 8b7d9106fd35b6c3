"""Basal projections: convolution as in rate mode, pooling as lateral inhibition."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.basal import Basal, Conv, Dense
from clapp_snn.functional import convolution
from clapp_snn.randomness import generator


def draw(name: str, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator(0, name), dtype=torch.float64)


@pytest.mark.parametrize("basal", [Dense(), Conv(4, 6), Conv(4, 6, pool=True)])
def test_shapes(basal: Basal) -> None:
    x = draw("x", 2, *basal.input_shape(3))
    a = basal.drive(x, draw("w", *basal.weight_shape(3, 5)), draw("b", 5))
    assert a.shape[1:] == basal.drive_shape(5)
    z = basal.winners(a, torch.zeros_like(a))
    assert z.shape[1:] == basal.unit_shape(5)
    assert basal.positions * 5 == z[0].numel()
    assert basal.average(z).shape == (2, 5)
    assert basal.at_winners(z, a).shape == a.shape


@pytest.mark.parametrize("pool", [False, True])
def test_response_and_update_equal_those_of_rate_mode(pool: bool) -> None:
    """`functional.convolution` remembers winners in one byte; here the signal is placed as it is."""
    basal = Conv(6, 4, pool)
    x, weight, bias = draw("x", 3, 6, 4, 2), draw("w", 5, 2, 3, 3), draw("b", 5)
    wanted = convolution.respond(x, weight, bias, pool)
    a = basal.drive(x, weight, bias)
    z = torch.relu(basal.winners(a, torch.zeros_like(a)))
    torch.testing.assert_close(z, wanted.output, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(basal.average(z), wanted.feature, rtol=1e-12, atol=1e-12)
    signal = draw("signal", 3, 5)
    at = basal.at_winners((z > 0) * signal[:, None, None], a)
    weight_change, bias_change = basal.change(at, x)
    assert wanted.code is not None
    exact = convolution.update(x, wanted.code, signal, pool)
    torch.testing.assert_close(weight_change, exact.weight, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(bias_change, exact.bias, rtol=1e-12, atol=1e-12)


def test_the_change_of_a_convolution_is_its_gradient() -> None:
    basal = Conv(5, 4)
    x, signal = draw("x", 3, 5, 4, 2), draw("s", 3, 5, 4, 6)
    weight, bias = draw("w", 6, 2, 3, 3).requires_grad_(), draw("b", 6).requires_grad_()
    out = F.conv2d(x.permute(0, 3, 1, 2), weight, bias, padding=1).permute(0, 2, 3, 1)
    exact = torch.autograd.grad((out * signal).sum() / 20, (weight, bias))
    for one, two in zip(basal.change(signal, x), exact, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


def test_the_winner_has_the_largest_drive_of_the_window_so_far() -> None:
    """It passes its present drive, however large those of the others are just now."""
    basal = Conv(2, 2, pool=True)
    now = torch.tensor([[1.0, 5.0], [2.0, -3.0]]).view(1, 2, 2, 1)
    past = torch.tensor([[0.0, 0.0], [9.0, 0.0]]).view(1, 2, 2, 1)
    assert basal.winners(now, torch.zeros_like(now)).item() == 5
    assert basal.winners(now, past).item() == 2
    assert basal.winners(now, past - 20 * (past > 0)).item() == 5
    value = torch.tensor([7.0]).view(1, 1, 1, 1)
    assert basal.at_winners(value, past + now).flatten().tolist() == [0, 0, 7, 0]
    # The first of equal ones.
    assert basal.at_winners(value, torch.zeros_like(now)).flatten().tolist() == [7, 0, 0, 0]


def test_groups_and_channels_compete_on_their_own() -> None:
    """Against a naive loop over groups."""
    basal, total, value = Conv(4, 6, pool=True), draw("t", 2, 4, 6, 3), draw("v", 2, 2, 3, 3)
    placed = basal.at_winners(value, total)
    passed = basal.winners(total, torch.zeros_like(total))
    for s, r, q, j in torch.cartesian_prod(*map(torch.arange, (2, 2, 3, 3))).tolist():
        group = total[s, 2 * r : 2 * r + 2, 2 * q : 2 * q + 2, j]
        assert passed[s, r, q, j] == group.max()
        wanted = torch.where(group == group.max(), value[s, r, q, j], 0.0)
        assert torch.equal(placed[s, 2 * r : 2 * r + 2, 2 * q : 2 * q + 2, j], wanted)


@pytest.mark.parametrize(
    ("rows", "cols", "pool", "message"),
    [(0, 4, False, "at least one row"), (3, 4, True, "even sides"), (4, 5, True, "4 x 5")],
)
def test_impossible_maps_are_refused(rows: int, cols: int, pool: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Conv(rows, cols, pool)
