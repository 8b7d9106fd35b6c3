"""Response and update of one layer: against autograd, in blocks, in bfloat16, compiled."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from clapp_snn import native
from clapp_snn.functional import convolution
from clapp_snn.functional.engine import Engine
from clapp_snn.randomness import generator


def layer(seed: int, pre: int, post: int) -> tuple[Tensor, Tensor]:
    stream = generator(seed, "layer")
    weight = torch.randn(post, pre, 3, 3, generator=stream).double() / (9 * pre) ** 0.5
    return weight, 0.1 * torch.randn(post, generator=stream).double()


def patches(seed: int, count: int, side: int, pre: int) -> Tensor:
    return torch.randn(count, side, side, pre, generator=generator(seed, "x")).double()


@given(
    seed=st.integers(0, 2**31),
    count=st.integers(1, 5),
    side=st.sampled_from([2, 4, 8]),
    pre=st.integers(1, 4),
    post=st.integers(1, 5),
    pool=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_response_and_update_equal_autograd(
    seed: int, count: int, side: int, pre: int, post: int, pool: bool
) -> None:
    x, (weight, bias) = patches(seed, count, side, pre), layer(seed, pre, post)
    signal = torch.randn(count, post, generator=generator(seed, "signal")).double()
    found = convolution.respond(x, weight, bias, pool)
    assert found.code is not None
    change = convolution.update(x, found.code, signal, pool)
    weight.requires_grad_(True)
    bias.requires_grad_(True)
    z = F.relu(F.conv2d(x.permute(0, 3, 1, 2), weight, bias, padding=1))
    z = F.max_pool2d(z, 2) if pool else z
    feature = z.mean((2, 3))
    (feature * signal).sum().backward()
    torch.testing.assert_close(found.output.permute(0, 3, 1, 2), z.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.feature, feature.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(change.weight, weight.grad, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(change.bias, bias.grad, rtol=1e-10, atol=1e-12)
    assert torch.equal(found.code > 0, found.output > 0)


@pytest.mark.parametrize("pool", [False, True])
def test_blocks_do_not_change_the_result(pool: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    x, (weight, bias) = patches(1, 50, 4, 3), layer(1, 3, 6)
    signal = torch.randn(50, 6, generator=generator(1, "signal")).double()
    whole = convolution.respond(x, weight, bias, pool)
    assert whole.code is not None
    once = convolution.update(x, whole.code, signal, pool)
    monkeypatch.setitem(convolution.BLOCK_BYTES, "cpu", 1)
    parts = convolution.respond(x, weight, bias, pool)
    assert parts.code is not None
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    for a, b in zip(once, convolution.update(x, parts.code, signal, pool), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_first_of_equal_maxima_wins_and_silence_has_no_winner() -> None:
    """As in PyTorch's max-pool; and rho'(0) = 0."""
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 1, 1] = 1
    x = torch.tensor([[1.0, 2, 0, 0], [2, 1, 0, 0], [-1, -1, 3, 3], [-1, 0, 3, 3]]).view(1, 4, 4, 1)
    found = convolution.respond(x, weight, torch.zeros(1), True)
    assert found.code is not None
    assert found.code.flatten().tolist() == [2, 0, 0, 1]
    assert found.output.flatten().tolist() == [2, 0, 0, 3]
    assert float(found.feature) == 1.25


def test_bfloat16_keeps_scores_and_weights_wide() -> None:
    """bfloat16 has 8 bits: single products are off by 2^-9, sums of 9 x 16 of them by a few of these."""
    x, (weight, bias) = patches(2, 40, 8, 16), layer(2, 16, 24)
    exact = convolution.respond(x, weight, bias, True)
    found = convolution.respond(x.bfloat16(), weight.float(), bias.float(), True)
    assert found.output.dtype == torch.bfloat16
    assert found.feature.dtype == torch.float32
    assert found.code is not None
    assert exact.code is not None
    error = (found.feature - exact.feature).norm() / exact.feature.norm()
    assert 0 < float(error) < 2**-7
    signal = torch.randn(40, 24, generator=generator(2, "signal"))
    change = convolution.update(x.bfloat16(), exact.code, signal, True)
    wanted = convolution.update(x, exact.code, signal.double(), True)
    assert change.weight.dtype == torch.float32
    assert float((change.weight - wanted.weight).norm() / wanted.weight.norm()) < 2**-6


def test_odd_maps_are_not_pooled() -> None:
    weight, bias = layer(0, 1, 2)
    with pytest.raises(ValueError, match="3 x 3 cannot be pooled"):
        convolution.respond(torch.zeros(1, 3, 3, 1).double(), weight, bias, True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("pool", [False, True])
def test_compiled_equals_eager(pool: bool) -> None:
    x, (weight, bias) = patches(3, 20, 4, 3), layer(3, 3, 6)
    engine: Engine = "compiled"
    a = convolution.respond(x, weight, bias, pool)
    b = convolution.respond(x, weight, bias, pool, engine=engine)
    for one, two in zip(a, b, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-12)
    assert a.code is not None
    signal = torch.randn(20, 6, generator=generator(3, "signal")).double()
    for one, two in zip(
        convolution.update(x, a.code, signal, pool),
        convolution.update(x, a.code, signal, pool, engine=engine),
        strict=True,
    ):
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("engine", ["torch", "native"])
def test_tensors_that_do_not_belong_together_are_refused(engine: Engine) -> None:
    if engine == "native" and not native.available():
        pytest.skip(native.why_unavailable())
    x, code = torch.rand(4, 6, 6, 3), torch.ones(4, 3, 3, 5, dtype=torch.uint8)
    for signal in (torch.rand(1, 5), torch.rand(4, 1), torch.rand(4, 6)):
        with pytest.raises(ValueError, match="must have as many rows"):
            convolution.update(x, code, signal, pool=True, engine=engine)
    with pytest.raises(ValueError, match=r"code is of 4 maps of 3 x 3, the input of 4 of 6 x 6"):
        convolution.update(x, code, torch.rand(4, 5), pool=False, engine=engine)
    with pytest.raises(ValueError, match="The code is of 4 maps"):
        convolution.update(x[:2], code, torch.rand(4, 5), pool=True, engine=engine)
