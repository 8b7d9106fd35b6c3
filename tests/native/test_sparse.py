"""Sparse rows against dense float64 matrices."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_snn import native
from tests.threads import threads

pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_unavailable())


def case(groups, rows, listed, columns, seed=0):
    generator = torch.Generator().manual_seed(seed)
    index = torch.randint(rows, (groups, rows, listed), generator=generator)
    coef = torch.randn(groups, rows, 1 + listed, generator=generator)
    values = torch.randn(2 * groups, rows, columns, generator=generator)[::2]
    context = torch.randn(groups, rows, columns, generator=generator)
    return index, coef, values, context


def dense(index, coef):
    groups, rows, _ = index.shape
    matrix = torch.zeros(groups, rows, rows, dtype=torch.float64)
    matrix.scatter_add_(2, index, coef[..., 1:].double())
    return matrix + torch.diag_embed(coef[..., 0].double())


sizes = st.tuples(st.integers(1, 4), st.integers(1, 60), st.integers(0, 17), st.integers(1, 200))


@settings(max_examples=50, deadline=None)
@given(sizes, st.integers(0, 1000))
def test_agrees_with_dense_matrices(size, seed):
    index, coef, values, context = case(*size, seed=seed)
    matrix, exact = dense(index, coef), values.double()
    applied = native.sparse_apply(index, coef, values)
    torch.testing.assert_close(applied, (matrix @ exact).float(), rtol=1e-4, atol=1e-4)
    transposed = native.sparse_apply_transposed(index, coef, values)
    torch.testing.assert_close(transposed, (matrix.mT @ exact).float(), rtol=1e-4, atol=1e-4)
    gram = context.double() @ exact.mT
    expected = torch.cat([gram.diagonal(dim1=1, dim2=2)[..., None], gram.gather(2, index)], 2)
    scores = native.sparse_scores(index, context, values)
    torch.testing.assert_close(scores, expected.float(), rtol=1e-4, atol=1e-4)


def test_apply_and_its_transpose_are_adjoint():
    index, coef, values, other = case(3, 101, 16, 64)
    left = (native.sparse_apply(index, coef, values).double() * other).sum()
    right = (values.double() * native.sparse_apply_transposed(index, coef, other)).sum()
    assert abs(left - right) < 1e-5 * values.norm() * other.norm()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_results_do_not_depend_on_threads(count):
    index, coef, values, context = case(2, 77, 5, 40)

    def results():
        return (
            native.sparse_apply(index, coef, values),
            native.sparse_apply_transposed(index, coef, values),
            native.sparse_scores(index, context, values),
        )

    alone = results()
    with threads(count):
        together = results()
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_groups_may_share_rows():
    index, coef, values, _ = case(3, 10, 4, 8)
    shared = values[:1].expand(3, -1, -1)
    copied = native.sparse_apply(index, coef, shared.contiguous())
    assert torch.equal(native.sparse_apply(index, coef, shared), copied)


def test_wrong_tensors_are_named():
    index, coef, values, context = case(2, 10, 4, 8)
    cases = [
        (lambda: native.sparse_apply(index.int(), coef, values), "index has to be torch.int64"),
        (lambda: native.sparse_apply(index, coef[..., 1:], values), "coef has to have shape"),
        (lambda: native.sparse_apply(index, coef, values[:, :5]), "values has to have shape"),
        (lambda: native.sparse_apply(index, coef, values.double()), "has to be torch.float32"),
        (lambda: native.sparse_scores(index, context[..., ::2], values[..., ::2]), "contiguous"),
        (lambda: native.sparse_scores(index, context, values[..., :5]), "target has to have shape"),
    ]
    for bad in (-1, 10):
        wrong = index.clone()
        wrong[1, 3, 2] = bad
        cases.append((lambda i=wrong: native.sparse_apply(i, coef, values), r"outside 0\.\.9"))
        cases.append((lambda i=wrong: native.sparse_scores(i, context, values), r"outside 0\.\.9"))
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
