"""Scores of listed pairs of rows, and sums over listed rows: the negatives of a contrastive rule.

With N negatives for each of M samples these take `M (1 + N) C` products instead of the `M M C` of a
full Gram matrix.
"""

import ctypes

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.native.build import library
from clapp_snn.native.tensors import LOCK, check, empty, pointer

OUT_OF_RANGE = -2


def _groups(name: str, tensor: Tensor, shape: tuple[int, ...]) -> int:
    """Check a tensor whose groups may lie anywhere; return their distance in elements."""
    if tensor.ndim != 3 or tuple(tensor.shape) != shape:
        raise ValueError(f"{name} has to have shape {shape}, not {tuple(tensor.shape)}.")
    if shape[0] > 0:
        check(f"each group of {name}", tensor[0], shape[1:], torch.float32)
    return tensor.stride(0)


def _call(name: str, tensors: tuple[Tensor, ...], strides: tuple[int, ...], *sizes: int) -> None:
    function = getattr(library(), name)
    with LOCK:
        failed = function(
            *(pointer(tensor) for tensor in tensors),
            *(ctypes.c_long(stride) for stride in strides),
            *(ctypes.c_long(size) for size in sizes[:4]),
            *(ctypes.c_int(size) for size in sizes[4:]),
            ctypes.c_int(torch.get_num_threads()),
        )
    if failed == OUT_OF_RANGE:
        raise ValueError(f"index names rows outside 0..{sizes[1] - 1}.")
    if failed:
        raise MemoryError("There is not enough memory for the transposed lists.")


def _apply(index: Tensor, coef: Tensor, values: Tensor, transposed: bool) -> Tensor:
    check("index", index, 3, torch.int64)
    groups, rows, listed = index.shape
    check("coef", coef, (groups, rows, 1 + listed), torch.float32)
    columns = values.shape[-1] if values.ndim else 0
    stride = _groups("values", values, (groups, rows, columns))
    out = empty((groups, rows, columns))
    tensors = (index, coef, values, out)
    sizes = (groups, rows, listed, columns, int(transposed))
    _call("clapp_sparse_apply", tensors, (stride,), *sizes)
    return out


def sparse_apply(
    index: Int64[Tensor, "group row listed"],
    coef: Float[Tensor, "group row listed+1"],
    values: Float[Tensor, "group row column"],
) -> Float[Tensor, "group row column"]:
    """Return `coef[g,i,0] values[g,i] + sum_n coef[g,i,1+n] values[g,index[g,i,n]]`.

    The groups of `values` may be strided; within a group it has to be contiguous.

    Raises:
        ValueError: if a tensor has the wrong type, shape or memory layout, or an index is no row.
        NativeUnavailable: if the engine cannot be compiled.
    """
    return _apply(index, coef, values, transposed=False)


def sparse_apply_transposed(
    index: Int64[Tensor, "group row listed"],
    coef: Float[Tensor, "group row listed+1"],
    values: Float[Tensor, "group row column"],
) -> Float[Tensor, "group row column"]:
    """Return the transpose of `sparse_apply`, summed in a fixed order.

    Row j of a group is `coef[g,j,0] values[g,j]` plus `coef[g,i,1+n] values[g,i]` for all (i, n)
    with `index[g,i,n] == j`. Raises as `sparse_apply`.
    """
    return _apply(index, coef, values, transposed=True)


def sparse_scores(
    index: Int64[Tensor, "group row listed"],
    context: Float[Tensor, "group row column"],
    target: Float[Tensor, "group row column"],
) -> Float[Tensor, "group row listed+1"]:
    """Return the inner products of `context[g,i]` with `target[g,i]` and `target[g,index[g,i,n]]`.

    The groups of `context` and `target` may be strided. Raises as `sparse_apply`.
    """
    check("index", index, 3, torch.int64)
    groups, rows, listed = index.shape
    columns = context.shape[-1] if context.ndim else 0
    size = (groups, rows, columns)
    strides = (_groups("context", context, size), _groups("target", target, size))
    out = torch.empty(groups, rows, 1 + listed)
    if columns == 0:
        return out.zero_()
    _call("clapp_sparse_scores", (index, context, target, out), strides, *size[:2], listed, columns)
    return out
