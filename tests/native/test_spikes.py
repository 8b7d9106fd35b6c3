"""Drives added up spike by spike against torch's matrix product and convolution in float64."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn import native
from clapp_snn.native.spikes import by_input, spike_drive
from tests.threads import threads

pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_unavailable())


def sparse(shape: tuple[int, ...], share: float, seed: int = 0) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=stream)
    return values * (torch.rand(shape, generator=stream) < share)


def expected(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    x, weight, bias = x.double(), weight.double(), bias.double()
    if x.dim() == 2:
        return F.linear(x, weight, bias)
    return F.conv2d(x.permute(0, 3, 1, 2), weight, bias, padding=1).permute(0, 2, 3, 1)


def drive(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    out = torch.full((*x.shape[:-1], len(bias)), torch.nan)
    spike_drive(x, by_input(weight), bias, out)
    return out


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("inputs", [1, 7, 40])
@pytest.mark.parametrize("outputs", [1, 9, 64])
def test_dense(share: float, inputs: int, outputs: int) -> None:
    x, weight = sparse((5, inputs), share), sparse((outputs, inputs), 1.0, 1)
    bias = sparse((outputs,), 1.0, 2)
    torch.testing.assert_close(
        drive(x, weight, bias).double(), expected(x, weight, bias), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 3), (6, 6)])
def test_convolution(share: float, size: tuple[int, int]) -> None:
    x, weight = sparse((3, *size, 7), share), sparse((10, 7, 3, 3), 1.0, 1)
    bias = sparse((10,), 1.0, 2)
    torch.testing.assert_close(
        drive(x, weight, bias).double(), expected(x, weight, bias), rtol=1e-5, atol=1e-5
    )


def test_threads_change_nothing_and_what_is_not_finite_arrives() -> None:
    x, weight, bias = sparse((9, 20), 0.2), sparse((6, 20), 1.0, 1), torch.zeros(6)
    x[2, 3] = torch.nan
    alone = drive(x, weight, bias)
    with threads(3):
        together = drive(x, weight, bias)
    assert torch.equal(alone.nan_to_num(99), together.nan_to_num(99))
    assert bool(alone[2].isnan().all())
    assert int(alone.isnan().sum()) == 6


def test_what_does_not_fit_is_refused() -> None:
    weight, bias = by_input(torch.ones(4, 5)), torch.zeros(4)
    with pytest.raises(ValueError, match=r"\(map, input\)"):
        spike_drive(torch.ones(2, 3, 5), weight, bias, torch.ones(2, 3, 4))
    with pytest.raises(ValueError, match="weight has to have shape"):
        spike_drive(torch.ones(2, 6), weight, bias, torch.ones(2, 4))
    with pytest.raises(ValueError, match="out has to have shape"):
        spike_drive(torch.ones(2, 5), weight, bias, torch.ones(3, 4))
    with pytest.raises(ValueError, match=r"x has to be torch[.]float32"):
        spike_drive(torch.ones(2, 5).double(), weight, bias, torch.ones(2, 4))
