"""Competing neurons in C, and convolutions without rectification, against the equations in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

from clapp_snn import native
from clapp_snn.randomness import generator
from tests.threads import threads

pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_unavailable())

MAPS = st.tuples(
    st.integers(1, 4), st.integers(2, 9), st.integers(2, 9), st.integers(1, 40), st.integers(0, 999)
)


def maps(images, rows, cols, channels, seed=0, scale=3.0):
    return scale * torch.randn(images, rows, cols, channels, generator=generator(seed))


def wide(x):
    return x.double().permute(0, 3, 1, 2)


def difference(a, b):
    a, b = a.double(), b.double()
    return float((a - b).norm() / (a.norm() + b.norm()).clamp_min(1e-30))


@settings(max_examples=60, deadline=None)
@given(MAPS, st.floats(0.3, 3), st.booleans(), st.booleans())
def test_output_equals_its_equation(sizes, power, triangle, pool):
    u = maps(*sizes)
    expected = wide(u)
    expected = F.relu(expected - expected.mean(1, keepdim=True) if triangle else expected)
    expected = expected.pow(power)
    if pool:
        expected = F.max_pool2d(expected, 2)
    found = native.compete(u, power, triangle=triangle, pool=pool)
    assert found.is_contiguous()
    assert wide(found).shape == expected.shape
    assert difference(wide(found), expected) < 2e-6


def test_a_power_of_one_is_exact():
    u = maps(3, 8, 6, 21)
    assert torch.equal(native.compete(u, 1.0, triangle=False, pool=False), u.relu())
    pooled = F.max_pool2d(u.permute(0, 3, 1, 2), 2).relu().permute(0, 2, 3, 1)
    assert torch.equal(native.compete(u, 1.0, triangle=False, pool=True), pooled)


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_what_is_tiny_or_silent_stays_so(power):
    u = torch.tensor([0.0, -1.0, 1e-42, 1e-37, 1e30]).view(1, 1, 1, 5)
    found = native.compete(u, power, triangle=False, pool=False).flatten()
    assert found[:2].tolist() == [0, 0]
    torch.testing.assert_close(found[3:], u.flatten()[3:].pow(power), rtol=1e-5, atol=0)
    assert 0 <= float(found[2]) <= 1e-20


@settings(max_examples=60, deadline=None)
@given(MAPS, st.floats(0.05, 20))
def test_signals_and_their_sums_equal_softmax(sizes, inverse):
    u = maps(*sizes)
    y = (inverse * wide(u)).softmax(1)
    expected = torch.where(wide(u) == wide(u).amax(1, keepdim=True), y, -y)
    signal = u.clone()
    sums = native.soft_winner_(signal, inverse)
    assert float((wide(signal) - expected).abs().max()) < 3e-6
    torch.testing.assert_close(
        sums.double(), (expected * wide(u)).sum((0, 2, 3)), rtol=1e-5, atol=1e-4
    )


def test_far_scores_do_not_overflow_and_draws_are_shared():
    u = torch.tensor([[500.0, -500.0, 0.0], [2.0, 2.0, -100.0]]).view(1, 1, 2, 3)
    native.soft_winner_(u, 1.0)
    torch.testing.assert_close(u[0, 0], torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0]]))


@pytest.mark.parametrize("channels", [3, 8, 21])
def test_a_nan_spoils_its_place_and_no_other(channels):
    u = maps(1, 4, 4, channels)
    u[0, 1, 1, channels - 1] = float("nan")
    fired = native.compete(u, 0.7, triangle=True, pool=True)
    assert fired[0, 0, 0].isnan().all()
    assert not fired[0, 1:].isnan().any()
    alone = native.compete(u, 1.0, triangle=False, pool=True)
    assert alone.isnan().sum() == 1
    sums = native.soft_winner_(u, 1.0)
    assert u[0, 1, 1].isnan().all()
    assert u.isnan().sum() == channels
    assert sums.isnan().all()


@settings(max_examples=30, deadline=None)
@given(MAPS, st.integers(1, 20))
def test_convolutions_without_rectification_equal_float64(sizes, inputs):
    images, rows, cols, outputs, seed = sizes
    x = maps(images, rows, cols, inputs, seed, 1.0)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator(seed, "weight"))
    bias = torch.randn(outputs, generator=generator(seed, "bias"))
    expected = F.conv2d(wide(x), weight.double(), bias.double(), padding=1)
    assert difference(wide(native.conv_linear(x, weight, bias)), expected) < 2e-6
    delta = maps(images, rows, cols, outputs, seed + 1)
    dweight, dbias = native.conv_correlate(x, delta)
    assert difference(dweight, conv2d_weight(wide(x), weight.shape, wide(delta), padding=1)) < 4e-6
    assert difference(dbias, delta.double().sum((0, 1, 2))) < 4e-6


def test_threads_share_the_places():
    u = maps(3, 10, 14, 37)

    def both(count):
        signal = u.clone()
        with threads(count):
            fired = native.compete(u, 1.4, triangle=True, pool=True)
            return fired, signal, native.soft_winner_(signal, 0.5)

    single = both(1)
    for count in (2, 3, 500):
        first, again = both(count), both(count)
        for one, a, b in zip(single, first, again, strict=True):
            assert torch.equal(a, b)
            assert difference(one, a) < 1e-6
        assert torch.equal(single[0], first[0])
        assert torch.equal(single[1], first[1])


def test_no_images():
    none = torch.empty(0, 4, 4, 6)
    assert native.compete(none, 1.0, triangle=True, pool=True).shape == (0, 2, 2, 6)
    assert native.soft_winner_(none, 1.0).tolist() == [0] * 6


def test_wrong_tensors_are_named():
    u, weight, bias = maps(2, 4, 4, 8), torch.ones(5, 8, 3, 3), torch.ones(5)
    cases = [
        (lambda: native.compete(u.double(), 1.0, triangle=True, pool=True), "u has to be torch.fl"),
        (lambda: native.soft_winner_(u.mT, 1.0), "u has to be contiguous"),
        (lambda: native.soft_winner_(u[0], 1.0), "u has to have 4 dimensions"),
        (lambda: native.conv_linear(u, weight[:, :4], bias), "weight has to have shape"),
        (lambda: native.conv_linear(u, weight, bias[:4]), "bias has to have shape"),
        (lambda: native.conv_correlate(u, u[:1]), "delta has to have shape"),
        (lambda: native.conv_correlate(u, u[0]), "delta has to have 4 dimensions"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_what_overflows_is_not_hidden(pool, power):
    """Infinity, and powers beyond exp(87), come out as infinity; powers below exp(-87) as 0."""
    u = torch.tensor([torch.inf, 3e20, 2.0, 1e-30]).expand(1, 2, 2, 4).contiguous()
    z = native.compete(u, power, triangle=False, pool=pool)[0, 0, 0]
    expected = torch.tensor([torch.inf, 3e20, 2.0, 1e-30]) ** power
    expected[expected > 6.07e37] = torch.inf
    torch.testing.assert_close(z, torch.where(expected < 1.7e-38, 0.0, expected), rtol=1e-5, atol=0)
