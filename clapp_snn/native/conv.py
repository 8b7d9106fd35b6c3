"""The convolution layers of VGG-6 on many small channels-last patches, and their local updates.

Forward and update go through Winograd's F(4x4, 3x3) (Lavin & Gray 2016, arXiv:1509.09308), for maps
of 2x2 through the nine-product Toeplitz identity, and for up to 4 input channels through one
product over the taps; bias, ReLU, pooling, codes and features are part of the output transform. See
`tiles.c`, `pair.c`, `taps.c` and, for the blocking, `conv.c`.
"""

import ctypes
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from clapp_snn.native.build import library
from clapp_snn.native.tensors import LOCK, check, empty, pointer

ForwardResult = tuple[
    Float[Tensor, "patch outrow outcol output"] | None,
    UInt8[Tensor, "patch outrow outcol output"] | None,
    Float[Tensor, "patch output"],
]


class _Plan(ctypes.Structure):
    _fields_ = [
        ("block", ctypes.c_int),
        ("group", ctypes.c_int),
        ("together", ctypes.c_int),
    ]


@dataclass(frozen=True)
class Shape:
    """The size of one layer: each patch gives `rows` rows of length `depth` to each product."""

    patches: int
    height: int
    width: int
    inputs: int
    outputs: int
    pool: bool

    @property
    def products(self) -> int:
        """The number of matrix products of the layer's scheme (`prepare` in conv.c)."""
        if self.inputs <= 4:
            return 1
        return 9 if self.height == self.width == 2 else 36

    @property
    def rows(self) -> int:
        if self.products == 1:
            return self.height * self.width
        return 1 if self.products == 9 else -(-self.height // 4) * -(-self.width // 4)

    @property
    def depth(self) -> int:
        return self.inputs * (9 if self.products == 1 else 1)

    @property
    def weights(self) -> int:
        """The number of transformed weights, and of entries of dU."""
        return self.products * self.depth * self.outputs

    @property
    def output_map(self) -> tuple[int, int]:
        return (self.height // 2, self.width // 2) if self.pool else (self.height, self.width)


CACHE_FLOATS = 96 * 1024  # what a thread's block may fill: three quarters of a 512 KiB cache
FEW_ROWS, MANY_ROWS = 48, 96  # the least rows that repay fetching weights from cache, from memory
CACHED_WEIGHTS = 3 << 20  # floats of transformed weights that still stay in cache
OWN_GRADIENTS = 3 << 19  # floats of dU of which every thread may have its own
ROWS_TOGETHER = 384


def _own_blocks(shape: Shape, rows: int, threads: int) -> _Plan:
    """Blocks of about `rows` rows for threads that work apart, as many for each of them."""
    wanted = max(1.0, rows / shape.rows)
    rounds = max(1, round(shape.patches / (wanted * threads)))
    block = max(1, -(-shape.patches // (rounds * threads)))
    return _Plan(block, block, 0)


def _forward_plan(shape: Shape, threads: int) -> _Plan:
    if shape.products == 1:
        return _Plan(1, 1, 0)
    least = FEW_ROWS if shape.weights <= CACHED_WEIGHTS else MANY_ROWS
    fitting = CACHE_FLOATS // (shape.products * (shape.depth + 16))
    return _own_blocks(shape, max(least, fitting), threads)


def _update_plan(shape: Shape, threads: int) -> _Plan:
    if shape.products == 1:
        return _Plan(1, 1, 0)
    if threads > 1 and shape.weights > OWN_GRADIENTS:
        return _Plan(max(1, ROWS_TOGETHER // shape.rows), 1, 1)
    fitting = CACHE_FLOATS // (shape.products * (shape.depth + shape.outputs))
    return _own_blocks(shape, max(FEW_ROWS, fitting), threads)


def _layer(x: Tensor, outputs: int, pool: bool) -> Shape:
    check("x", x, 4, torch.float32)
    patches, height, width, inputs = x.shape
    shape = Shape(patches, height, width, inputs, outputs, bool(pool))
    if min(shape.height, shape.width) < (2 if pool else 1) or shape.inputs < 1 or outputs < 1:
        raise ValueError(
            f"Maps of shape {tuple(x.shape)} (patch, row, col, channel) with {outputs} outputs are "
            f"too small for a convolution{' with 2x2 pooling' if pool else ''}."
        )
    return shape


def _call(name: str, shape: Shape, plan: _Plan, *tensors: Tensor | None, last: int) -> None:
    """The kernel on its tensors, sizes, threads, plan and last argument."""
    function = getattr(library(), name)
    sizes = (shape.height, shape.width, shape.inputs, shape.outputs, int(shape.pool))
    with LOCK:
        failed = function(
            *(pointer(tensor) for tensor in tensors),
            ctypes.c_long(shape.patches),
            *(ctypes.c_int(size) for size in sizes),
            ctypes.c_int(torch.get_num_threads()),
            ctypes.byref(plan),
            ctypes.c_int(last),
        )
    if failed:
        raise MemoryError("There is not enough memory for the working space of the native engine.")


def conv_forward(
    x: Float[Tensor, "patch row col input"],
    weight: Float[Tensor, "output input 3 3"],
    bias: Float[Tensor, " output"],
    pool: bool,
    code: bool = True,
    output: bool = True,
    into: ForwardResult | None = None,
) -> ForwardResult:
    """Return (output, code, feature) of `maxpool(relu(conv(x) + bias))`, all float32 on the CPU.

    The convolution is 3x3 with stride 1 and zero padding 1. `code` tells where the output comes
    from: with pooling (2x2, stride 2) 0 if the output is 0, else 1 + the row-major place of the
    first maximum in its window; without pooling 1 where the output is positive. `feature` is the
    mean of the output over its map. `code=False` and `output=False` return None instead and save
    the writing. `into`, an earlier result for the same sizes, is overwritten and returned instead
    of new tensors, which saves much time in loops. Gradients are not recorded. A NaN of the
    input shows in the feature of its patch; the pooled output beside it may lose it.

    Raises:
        ValueError: if a tensor has the wrong type, shape or memory layout.
        NativeUnavailable: if the engine cannot be compiled.
    """
    shape = _layer(x, weight.shape[0] if weight.ndim else 0, pool)
    check("weight", weight, (shape.outputs, shape.inputs, 3, 3), torch.float32)
    check("bias", bias, (shape.outputs,), torch.float32)
    size = (shape.patches, *shape.output_map, shape.outputs)
    if into is None:
        into = (
            empty(size) if output else None,
            empty(size, torch.uint8) if code else None,
            torch.empty(shape.patches, shape.outputs),
        )
    y, codes, feature = into
    if y is not None:
        check("the output in into", y, size, torch.float32)
    if codes is not None:
        check("the code in into", codes, size, torch.uint8)
    check("the feature in into", feature, (shape.patches, shape.outputs), torch.float32)
    plan = _forward_plan(shape, torch.get_num_threads())
    _call("clapp_conv_forward", shape, plan, x, weight, bias, y, codes, feature, last=0)
    return into


def conv_update(
    x: Float[Tensor, "patch row col input"],
    code: UInt8[Tensor, "patch outrow outcol output"],
    dfeature: Float[Tensor, "patch output"] | Float[Tensor, "patch winrow wincol output"],
) -> tuple[Float[Tensor, "output input 3 3"], Float[Tensor, " output"]]:
    """Return (dweight, dbias): how a change of weights and bias changes `sum(dfeature * feature)`.

    `x` and `code` are the input and the code of `conv_forward`; pooling is recognised by their
    sizes. The layer's delta is `dfeature / (outrow * outcol)` at the places the code points at, and
    dweight is its correlation with the zero-padded input. Patches whose dfeature is zero cost
    nothing. With four dimensions, `dfeature` belongs to the means of square windows without overlap
    that fill the output map, instead of to its mean.

    Raises:
        ValueError: if a tensor has the wrong type, shape or memory layout.
        NativeUnavailable: if the engine cannot be compiled.
    """
    check("dfeature", dfeature, 4 if dfeature.ndim == 4 else 2, torch.float32)
    check("code", code, 4, torch.uint8)
    pool = x.ndim == 4 and tuple(code.shape[1:3]) != tuple(x.shape[1:3])
    shape = _layer(x, dfeature.shape[-1], pool)
    check("code", code, (shape.patches, *shape.output_map, shape.outputs), torch.uint8)
    window = _window(dfeature, shape)
    dweight = torch.empty(shape.outputs, shape.inputs, 3, 3)
    dbias = torch.empty(shape.outputs)
    plan = _update_plan(shape, torch.get_num_threads())
    _call("clapp_conv_update", shape, plan, x, code, dfeature, dweight, dbias, last=window)
    return dweight, dbias


def conv_linear(
    x: Float[Tensor, "patch row col input"],
    weight: Float[Tensor, "output input 3 3"],
    bias: Float[Tensor, " output"],
) -> Float[Tensor, "patch row col output"]:
    """Return `conv(x) + bias`, without rectification or pooling; otherwise as `conv_forward`.

    Raises:
        ValueError: if a tensor has the wrong type, shape or memory layout.
        NativeUnavailable: if the engine cannot be compiled.
    """
    shape = _layer(x, weight.shape[0] if weight.ndim else 0, pool=False)
    check("weight", weight, (shape.outputs, shape.inputs, 3, 3), torch.float32)
    check("bias", bias, (shape.outputs,), torch.float32)
    y = empty((shape.patches, *shape.output_map, shape.outputs))
    plan = _forward_plan(shape, torch.get_num_threads())
    _call("clapp_conv_forward", shape, plan, x, weight, bias, y, None, None, last=1)
    return y


def conv_correlate(
    x: Float[Tensor, "patch row col input"], delta: Float[Tensor, "patch row col output"]
) -> tuple[Float[Tensor, "output input 3 3"], Float[Tensor, " output"]]:
    """Return (dweight, dbias): how a change of weights and bias changes `sum(delta * conv_linear(x))`.

    Raises:
        ValueError: if a tensor has the wrong type, shape or memory layout.
        NativeUnavailable: if the engine cannot be compiled.
    """
    check("delta", delta, 4, torch.float32)
    shape = _layer(x, delta.shape[-1], pool=False)
    check("delta", delta, (shape.patches, *shape.output_map, shape.outputs), torch.float32)
    dweight = torch.empty(shape.outputs, shape.inputs, 3, 3)
    dbias = torch.empty(shape.outputs)
    plan = _update_plan(shape, torch.get_num_threads())
    _call("clapp_conv_update", shape, plan, x, None, delta, dweight, dbias, last=1)
    return dweight, dbias


def conv_send_back(
    error: Float[Tensor, "patch outrow outcol output"],
    code: UInt8[Tensor, "patch outrow outcol output"],
    weight: Float[Tensor, "output input 3 3"],
    pool: bool,
) -> Float[Tensor, "patch row col input"]:
    """Return how a change of the input of `conv_forward` changes `sum(error * output)`.

    With pooling the sides of the input are even.

    Raises:
        ValueError: if a tensor has the wrong type, shape or memory layout.
        NativeUnavailable: if the engine cannot be compiled.
    """
    check("error", error, 4, torch.float32)
    check("code", code, tuple(error.shape), torch.uint8)
    check("weight", weight, 4, torch.float32)
    patches, rows, cols, outputs = error.shape
    if pool:
        delta = empty((patches, 2 * rows, 2 * cols, outputs))
        with LOCK:
            library().clapp_place(
                *(pointer(each) for each in (error, code, delta)),
                ctypes.c_long(patches * rows),
                *(ctypes.c_int(each) for each in (cols, outputs, torch.get_num_threads())),
            )
    else:
        delta = error * code
    back = weight.transpose(0, 1).flip(2, 3).contiguous()
    return conv_linear(delta, back, torch.zeros(len(back)))


def _window(dfeature: Tensor, shape: Shape) -> int:
    """Side of the windows that `dfeature` belongs to, 0 for whole maps."""
    if dfeature.ndim == 2:
        check("dfeature", dfeature, (shape.patches, shape.outputs), torch.float32)
        return 0
    rows, cols = shape.output_map
    window = rows // max(1, dfeature.shape[1])
    check("dfeature", dfeature, (shape.patches, *dfeature.shape[1:3], shape.outputs), torch.float32)
    if (dfeature.shape[1] * window, dfeature.shape[2] * window) != (rows, cols):
        raise ValueError(
            f"{dfeature.shape[1]} x {dfeature.shape[2]} square windows do not fill a map of {rows} x {cols}."
        )
    return window
