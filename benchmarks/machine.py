"""What the machine can do: arithmetic of a training step, and the rates of its libraries."""

import time
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.encoders.vgg import VGG6

Code = Literal["local", "autograd", "backprop"]
Precision = Literal["float32", "bfloat16"]
DTYPES: dict[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def described(device: torch.device | str) -> str:
    """PyTorch, threads and what computes: the GPU's name, or the CPU's widest instruction set in use."""
    gpu = torch.device(device).type == "cuda"
    unit = torch.cuda.get_device_name(device) if gpu else torch.backends.cpu.get_cpu_capability()
    return f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {unit}"


class Rates(NamedTuple):
    """GFLOP/s: the best large matrix product, and the best of everything that was measured."""

    matmul: float
    fastest: float


class Shape(NamedTuple):
    """A convolution: channels before and after, and the side of the map before the pool."""

    pre: int
    post: int
    side: int


def shapes(width: float) -> list[Shape]:
    """The convolutions of VGG-6, bottom up."""
    table = VGG6.scaled(width)
    found, pre, side = [], 1, table.patch
    for layer in table.layers:
        found.append(Shape(pre, layer.channels, side))
        pre, side = layer.channels, side // 2 if layer.pool else side
    return found


def gflop(shape: Shape, patches: int) -> float:
    """Arithmetic of one direct convolution of `patches` maps, a multiply-add counted as two."""
    return 2 * patches * shape.side**2 * 9 * shape.pre * shape.post / 1e9


def gflop_per_image(width: float, code: Code) -> float:
    """Arithmetic of the convolutions, counted as direct ones, for one image and training step."""
    total = 0.0
    for index, shape in enumerate(shapes(width)):
        passes = 2 if code != "backprop" or index == 0 else 3
        total += passes * gflop(shape, VGG6.grid**2)
    return total


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def fastest(run: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Shortest time of a call, in seconds; on a GPU of ten calls that are queued together."""
    calls = 10 if device.type == "cuda" else 1
    run()
    synchronise(device)
    best, end = float("inf"), time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < end:
        began = time.perf_counter()
        for _ in range(calls):
            run()
        synchronise(device)
        best = min(best, (time.perf_counter() - began) / calls)
    return best


def _maps(batch: int, channels: int, rows: int, cols: int, like: Tensor) -> Tensor:
    random = torch.randn(batch, channels, rows, cols, device=like.device, dtype=like.dtype)
    return random.contiguous(memory_format=torch.channels_last)


def print_machine_rates(
    width: float, device: torch.device, precision: Precision, seconds: float = 0.4
) -> Rates:
    """Print and return what PyTorch's libraries reach on `device` in `precision`."""
    like = torch.empty((), device=device, dtype=DTYPES[precision])
    on_gpu = device.type == "cuda"
    size, patches = (8192, 1568) if on_gpu else (2048, 392)
    a, b = (torch.randn(size, size, device=device, dtype=like.dtype) for _ in range(2))
    work = 2 * size**3 / 1e9
    matmul = work / fastest(lambda: a @ b, device, seconds)
    image, kernel = _maps(1, size, 64, size // 64, like), _maps(size, size, 1, 1, like)
    pointwise = work / fastest(lambda: F.conv2d(image, kernel), device, seconds)
    print(
        f"{precision} matmul {size}^3: {matmul:.0f} GFLOP/s; as a 1x1 convolution: {pointwise:.0f} GFLOP/s"
        + (_tf32() if on_gpu and precision == "float32" else "")
    )
    del a, b, image, kernel
    rows, best = [], 0.0
    for shape in shapes(width):
        forward, gradient = _convolution_rates(shape, patches, like, seconds)
        best = max(best, forward, gradient)
        rows.append(f"{shape.pre}->{shape.post}@{shape.side}: {forward:.0f} / {gradient:.0f}")
    print(
        f"{precision} torch convolutions at width {width:g}, forward / weight gradient: "
        + ", ".join(rows)
    )
    return Rates(max(matmul, pointwise), max(matmul, pointwise, best))


def _convolution_rates(
    shape: Shape, patches: int, like: Tensor, seconds: float
) -> tuple[float, float]:
    x = _maps(patches, shape.pre, shape.side, shape.side, like)
    w = _maps(shape.post, shape.pre, 3, 3, like)
    y = F.conv2d(x, w, padding=1)

    def forward() -> object:
        return F.conv2d(x, w, padding=1)

    def gradient() -> object:
        return torch.ops.aten.convolution_backward(
            y, x, w, [shape.post], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [False, True, True]
        )

    work = gflop(shape, patches)
    return tuple(work / fastest(run, like.device, seconds) for run in (forward, gradient))  # type: ignore[return-value]


def _tf32() -> str:
    words = {True: "TF32", False: "full float32"}
    return (
        f" (PyTorch's setting: matrix products in {words[torch.backends.cuda.matmul.allow_tf32]}, "
        f"convolutions in {words[torch.backends.cudnn.allow_tf32]})"
    )


def floor_line(
    rows: Iterable[tuple[str, str, Code, float]], width: float, rates: dict[str, Rates]
) -> str:
    """Distance of every row (name, precision, code, images/s) to the time its arithmetic needs at least."""
    parts = []
    for name, precision, code, speed in rows:
        floor = 1e3 * gflop_per_image(width, code) / rates[precision].fastest
        measured = 1e3 / speed
        parts.append(f"{name} {measured:.3g} / {floor:.3g} = {measured / floor:.2f}")
    return "ms an image, measured / floor of direct convolutions: " + "; ".join(parts)
