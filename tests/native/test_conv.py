"""The native convolutions against float64 autograd, and the laws their results obey."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_snn import native
from tests.threads import threads

pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_unavailable())

VGG6 = [
    (16, 1, 128, False),
    (16, 128, 256, True),
    (8, 256, 256, False),
    (8, 256, 512, True),
    (4, 512, 1024, True),
    (2, 1024, 1024, True),
]
ODD = [
    (1, 16, 16, 3, 5, False),
    (1, 16, 16, 3, 17, True),
    (7, 5, 7, 5, 3, True),
    (3, 2, 2, 17, 5, True),
    (3, 2, 2, 17, 33, False),
    (2, 1, 1, 5, 5, False),
    (3, 6, 10, 17, 17, False),
    (2, 9, 70, 6, 18, True),
    (1, 2, 2, 1, 1, True),
    (2, 3, 3, 4, 20, True),
    (1, 40, 40, 8, 8, True),
]


def layer(patches, height, width, inputs, outputs, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(patches, height, width, inputs, generator=generator)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator) / (3 * inputs**0.5)
    bias = 0.1 * torch.randn(outputs, generator=generator)
    dfeature = torch.randn(patches, outputs, generator=generator)
    return x, weight, bias, dfeature


def autograd(x, weight, bias, dfeature, pool):
    """Output, code, feature, dweight and dbias in float64."""
    weight = weight.double().requires_grad_()
    bias = bias.double().requires_grad_()
    before = F.relu(F.conv2d(x.double().permute(0, 3, 1, 2), weight, bias, padding=1))
    output = F.max_pool2d(before, 2) if pool else before
    feature = output.mean((2, 3))
    (feature * dfeature.double()).sum().backward()
    place = torch.zeros_like(output, dtype=torch.long)
    if pool:
        height, width = output.shape[2:]
        corners = [(0, 0), (0, 1), (1, 0), (1, 1)]
        window = [before[:, :, r : 2 * height : 2, c : 2 * width : 2] for r, c in corners]
        place = torch.stack(window).argmax(0)
    code = torch.where(output > 0, 1 + place, 0).permute(0, 2, 3, 1)
    results = (output.permute(0, 2, 3, 1), code, feature, weight.grad, bias.grad)
    return tuple(result.detach() for result in results)


def difference(a, b):
    a, b = a.double(), b.double()
    return float((a - b).norm() / (a.norm() + b.norm()).clamp_min(1e-300))


def compare(patches, height, width, inputs, outputs, pool):
    x, weight, bias, dfeature = layer(patches, height, width, inputs, outputs)
    expected = autograd(x, weight, bias, dfeature, pool)
    output, code, feature = native.conv_forward(x, weight, bias, pool)
    assert difference(output, expected[0]) < 2e-6
    assert difference(feature, expected[2]) < 2e-6
    differing = (code != expected[1]).double().mean()
    assert differing < 1e-4  # near-ties only
    exact = expected[1].to(torch.uint8).contiguous()
    dweight, dbias = native.conv_update(x, exact, dfeature)
    assert difference(dweight, expected[3]) < 2e-6
    assert difference(dbias, expected[4]) < 2e-6


def compare_windows(patches, window, across, down, inputs, outputs, pool):
    """Against float64 autograd through the average of every window."""
    side = window * (2 if pool else 1)
    x, weight, bias, _ = layer(patches, down * side, across * side, inputs, outputs)
    generator = torch.Generator().manual_seed(1)
    dfeature = torch.randn(patches, down, across, outputs, generator=generator)
    dfeature[0] *= torch.rand(down, across, 1, generator=generator) > 0.5
    code = native.conv_forward(x, weight, bias, pool)[1]
    weight, bias = (each.double().requires_grad_() for each in (weight, bias))
    a = F.conv2d(x.double().permute(0, 3, 1, 2), weight, bias, padding=1)
    winner = code.permute(0, 3, 1, 2).long()  # ties in float32 are none in float64
    if pool:
        corners = [a[:, :, row::2, col::2] for row in (0, 1) for col in (0, 1)]
        a = torch.stack(corners).gather(0, (winner - 1).clamp_min(0)[None])[0]
    z = F.avg_pool2d(torch.where(winner > 0, a, 0.0), window)
    (z * dfeature.double().permute(0, 3, 1, 2)).sum().backward()
    dweight, dbias = native.conv_update(x, code, dfeature)
    assert difference(dweight, weight.grad) < 4e-6
    assert difference(dbias, bias.grad) < 4e-6


@pytest.mark.parametrize(("window", "side"), [(12, 8), (6, 4), (3, 4), (1, 4), (24, 1)])
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("channels", [(1, 16), (3, 5), (16, 32), (9, 21)])
def test_windows_of_maps_agree_with_autograd(window, side, channels, pool):
    compare_windows(3, window, side, side, *channels, pool)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5), st.integers(1, 7), st.integers(1, 3), st.integers(1, 3), st.integers(1, 20),
    st.integers(1, 40), st.booleans(),
)  # fmt: skip
def test_any_windows_agree_with_autograd(patches, window, across, down, inputs, outputs, pool):
    compare_windows(patches, window, across, down, inputs, outputs, pool)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 20), st.integers(1, 40), st.booleans())
def test_one_window_is_the_whole_map(patches, side, inputs, outputs, pool):
    shape = (patches, *[side * (2 if pool else 1)] * 2, inputs, outputs)
    x, weight, bias, dfeature = layer(*shape)
    code = native.conv_forward(x, weight, bias, pool)[1]
    whole = native.conv_update(x, code, dfeature)
    windows = native.conv_update(x, code, dfeature[:, None, None])
    for a, b in zip(whole, windows, strict=True):
        assert difference(a, b) < 1e-6


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(1, 20), st.integers(1, 40),
    st.booleans(),
)  # fmt: skip
def test_what_is_sent_back_is_the_gradient_of_the_input(rows, cols, patches, inputs, outputs, pool):
    side = 2 if pool else 1
    x, weight, bias, _ = layer(patches, side * rows, side * cols, inputs, outputs)
    code = native.conv_forward(x, weight, bias, pool)[1]
    error = torch.randn(code.shape, generator=torch.Generator().manual_seed(1))
    wide = x.double().permute(0, 3, 1, 2).requires_grad_()
    a = F.conv2d(wide, weight.double(), bias.double(), padding=1)
    winner = code.permute(0, 3, 1, 2).long()  # ties in float32 are none in float64
    if pool:
        corners = [a[:, :, row::2, col::2] for row in (0, 1) for col in (0, 1)]
        a = torch.stack(corners).gather(0, (winner - 1).clamp_min(0)[None])[0]
    (torch.where(winner > 0, a, 0.0) * error.permute(0, 3, 1, 2)).sum().backward()
    found = native.conv_send_back(error, code, weight, pool)
    assert difference(found.permute(0, 3, 1, 2), wide.grad) < 4e-6


@pytest.mark.parametrize("divisor", [8, 4])
@pytest.mark.parametrize(("side", "inputs", "outputs", "pool"), VGG6)
def test_layers_of_vgg6_agree_with_autograd(side, inputs, outputs, pool, divisor):
    compare(49, side, side, max(1, inputs // divisor), outputs // divisor, pool)


@pytest.mark.parametrize(("side", "inputs", "outputs", "pool"), VGG6)
def test_full_width_layers_agree_with_autograd(side, inputs, outputs, pool):
    compare(5, side, side, inputs, outputs, pool)


@pytest.mark.parametrize("sizes", ODD)
def test_odd_sizes_agree_with_autograd(sizes):
    compare(*sizes)


sizes = st.tuples(
    st.integers(1, 9),
    st.integers(2, 9),
    st.integers(2, 9),
    st.integers(1, 20),
    st.integers(1, 40),
    st.booleans(),
)


@settings(max_examples=40, deadline=None)
@given(sizes)
def test_any_size_agrees_with_autograd(case):
    compare(*case)


@settings(max_examples=25, deadline=None)
@given(sizes, st.integers(0, 1000))
def test_update_is_linear_in_dfeature(case, seed):
    *shape, pool = case
    x, weight, bias, first = layer(*shape, seed=seed)
    second = layer(*shape, seed=seed + 1)[3]
    code = native.conv_forward(x, weight, bias, pool)[1]
    mixed = native.conv_update(x, code, 2.0 * first - 3.0 * second)
    parts = zip(
        native.conv_update(x, code, first), native.conv_update(x, code, second), strict=True
    )
    for whole, (a, b) in zip(mixed, parts, strict=True):
        scale = 2 * a.abs().max() + 3 * b.abs().max() + 1e-6
        # Every update may lose 1e-6 of its largest product; products are up to some times the sum.
        assert float((whole - (2 * a - 3 * b)).abs().max() / scale) < 4e-5


@settings(max_examples=25, deadline=None)
@given(sizes, st.integers(0, 1000))
def test_permuting_patches_permutes_results(case, seed):
    *shape, pool = case
    x, weight, bias, dfeature = layer(*shape, seed=seed)
    order = torch.randperm(shape[0], generator=torch.Generator().manual_seed(seed))
    plain = native.conv_forward(x, weight, bias, pool)
    permuted = native.conv_forward(x[order].contiguous(), weight, bias, pool)
    for a, b in zip(plain, permuted, strict=True):
        assert torch.equal(a[order], b)
    first = native.conv_update(x, plain[1], dfeature)
    second = native.conv_update(x[order].contiguous(), permuted[1], dfeature[order].contiguous())
    for a, b in zip(first, second, strict=True):
        assert float((a - b).abs().max()) < 1e-5 * (1 + float(a.abs().max()))


@pytest.mark.parametrize("side", [16, 4, 2])
@pytest.mark.parametrize("inputs", [1, 24, 160])
def test_any_number_of_threads_gives_the_result_reproducibly(side, inputs):
    x, weight, bias, dfeature = layer(37, side, side, inputs, 176)

    def run(count):
        with threads(count):
            response = native.conv_forward(x, weight, bias, True)
            return response, native.conv_update(x, response[1], dfeature)

    single, update = run(1)
    for count in (2, 3, 5):
        (response, first), (_, again) = run(count), run(count)
        assert all(torch.equal(a, b) for a, b in zip(single, response, strict=True))
        for a, b, c in zip(update, first, again, strict=True):
            assert torch.equal(b, c)
            assert difference(a, b) < 1e-6


def test_silent_patches_do_not_count():
    x, weight, bias, dfeature = layer(20, 8, 8, 16, 16)
    dfeature[::3] = 0
    code = native.conv_forward(x, weight, bias, True)[1]
    kept = dfeature.abs().sum(1) > 0
    some = native.conv_update(x[kept], code[kept], dfeature[kept])
    for a, b in zip(native.conv_update(x, code, dfeature), some, strict=True):
        assert difference(a, b) < 1e-6
    for part in native.conv_update(x, code, torch.zeros_like(dfeature)):
        assert float(part.abs().max()) == 0


def test_no_patches():
    x, weight, bias, dfeature = layer(0, 8, 8, 16, 16)
    output, code, feature = native.conv_forward(x, weight, bias, True)
    assert (output.shape, code.shape, feature.shape) == ((0, 4, 4, 16), (0, 4, 4, 16), (0, 16))
    assert float(native.conv_update(x, code, dfeature)[0].abs().max()) == 0


def test_parts_of_the_result_can_be_left_out_or_overwritten():
    x, weight, bias, _ = layer(9, 4, 4, 24, 40)
    full = native.conv_forward(x, weight, bias, True)
    output, code, feature = native.conv_forward(x, weight, bias, True, code=False, output=False)
    assert output is None
    assert code is None
    assert torch.equal(feature, full[2])
    again = native.conv_forward(2 * x, weight, bias, True, into=tuple(t.clone() for t in full))
    fresh = native.conv_forward(2 * x, weight, bias, True)
    assert all(torch.equal(a, b) for a, b in zip(again, fresh, strict=True))
    result = native.conv_forward(2 * x, weight, bias, True, into=full)
    assert all(a is b for a, b in zip(result, full, strict=True))


@pytest.mark.parametrize(("side", "inputs"), [(16, 1), (16, 8), (2, 8)])
@pytest.mark.parametrize("where", ["x", "weight", "bias"])
def test_a_nan_comes_through(where, side, inputs):
    x, weight, bias, _ = layer(3, side, side, inputs, 16)
    {"x": x, "weight": weight, "bias": bias}[where].view(-1)[0] = float("nan")
    assert native.conv_forward(x, weight, bias, True)[2].isnan().any()


@pytest.mark.parametrize("side", [16, 2])
def test_working_memory_does_not_grow_with_the_patches(side):
    sizes = []
    for patches in (600, 1800):
        native.release_working_memory()
        assert native.working_memory() == 0
        x, weight, bias, dfeature = layer(patches, side, side, 8, 8)
        native.conv_update(x, native.conv_forward(x, weight, bias, True)[1], dfeature)
        sizes.append(native.working_memory())
    assert sizes[0] == sizes[1]


def test_wrong_tensors_are_named():
    x, weight, bias, dfeature = layer(3, 4, 4, 8, 8)
    code = native.conv_forward(x, weight, bias, True)[1]
    cases = [
        (lambda: native.conv_forward(x.double(), weight, bias, True), "x has to be torch.float32"),
        (lambda: native.conv_forward(x[0], weight, bias, True), "x has to have 4 dimensions"),
        (lambda: native.conv_forward(x.mT, weight, bias, True), "x has to be contiguous"),
        (lambda: native.conv_forward(x, weight[:, :4], bias, True), "weight has to have shape"),
        (lambda: native.conv_forward(x, weight, bias[:4], True), "bias has to have shape"),
        (lambda: native.conv_forward(x[:, :1, :1].contiguous(), weight, bias, True), "too small"),
        (lambda: native.conv_update(x, code.int(), dfeature), "code has to be torch.uint8"),
        (lambda: native.conv_update(x, code[:2], dfeature), "code has to have shape"),
        (lambda: native.conv_update(x, code, dfeature[:2]), "dfeature has to have shape"),
        (lambda: native.conv_update(x, code, dfeature[0]), "dfeature has to have 2 dimensions"),
        (
            lambda: native.conv_update(
                x, code, dfeature[:, None, None].expand(-1, 3, 1, -1).contiguous()
            ),
            "3 x 1 square windows do not fill a map of",
        ),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
    into = tuple(t.clone() for t in native.conv_forward(x, weight, bias, True))
    with pytest.raises(ValueError, match="the output in into has to have shape"):
        native.conv_forward(x[:2], weight, bias, True, into=into)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 40), st.sampled_from([2, 4, 8, 16]), st.integers(5, 20), st.integers(1, 40),
    st.booleans(), st.integers(0, 999),
)  # fmt: skip
def test_what_gets_no_signal_stays_exactly_still(patches, side, inputs, outputs, pool, seed):
    """Adam would turn a rounding error into a full step: silent synapses must have a change of 0."""
    draws = torch.Generator().manual_seed(seed)
    x, weight, bias, dfeature = layer(patches, side, side, inputs, outputs, seed)
    x = x.relu() * (torch.rand(x.shape, generator=draws) < 0.05)
    bias = bias - 2 * (torch.rand(outputs, generator=draws) < 0.7)
    code = native.conv_forward(x, weight, bias, pool)[1]
    found, _ = native.conv_update(x, code, dfeature)
    delta = torch.zeros(patches, side, side, outputs, dtype=torch.float64)
    if pool:
        for place in range(4):
            delta[:, place // 2 :: 2, place % 2 :: 2] = dfeature[:, None, None] * (
                code == place + 1
            )
    else:
        delta = (dfeature[:, None, None] * code).double()
    exact = torch.nn.grad.conv2d_weight(
        x.double().permute(0, 3, 1, 2), weight.shape, delta.permute(0, 3, 1, 2), padding=1
    )
    still = exact.abs() <= 1e-12 * exact.abs().max()
    moved = found[still].count_nonzero()
    assert int(moved) <= 0.002 * still.sum()
    if float(exact.norm()):
        assert float((found * code.shape[1] * code.shape[2] - exact).norm() / exact.norm()) < 1e-5
