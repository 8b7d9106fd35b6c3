"""Changes of `FastConv` against those of `Conv` in float64."""

import pytest
import torch
from torch import Tensor

from clapp_snn import native
from clapp_snn.circuit.basal import Conv
from clapp_snn.circuit.fast_conv import FastConv

pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_unavailable())

ROWS, COLS, PRE, POST = 6, 8, 5, 7


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", ["binary", "silent samples", "graded"])
@pytest.mark.parametrize("pool", [False, True])
def test_the_change_is_that_of_conv(kind: str, pool: bool) -> None:
    x = random(3, ROWS, COLS, PRE).abs()
    signal = random(3, 1, 1, POST, seed=1) * (random(3, ROWS, COLS, POST, seed=2) > 0)
    if kind == "silent samples":
        signal[1] = 0
    if kind == "graded":
        signal = signal * random(3, ROWS, COLS, POST, seed=3)
    found = FastConv(ROWS, COLS, pool).change(signal, x)
    expected = Conv(ROWS, COLS, pool).change(signal.double(), x.double())
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-5)
    assert float(found[0].abs().max()) > 0.01


def test_a_channel_that_is_active_everywhere_keeps_its_sign() -> None:
    signal = torch.tensor([-2.0, 3.0, 0.0]).expand(1, ROWS, COLS, 3).contiguous()
    x = random(1, ROWS, COLS, PRE)
    _, bias = FastConv(ROWS, COLS).change(signal, x)
    torch.testing.assert_close(bias, torch.tensor([-2.0, 3.0, 0.0]))


def test_other_precisions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"torch\.float32"):
        FastConv(ROWS, COLS).change(
            torch.ones(1, ROWS, COLS, 2).double(), random(1, ROWS, COLS, PRE).double()
        )
