"""Speed and memory of rate-mode training, beside plain autograd and end-to-end back-propagation.

    python -m benchmarks.rate_throughput                        # widths 1/8, 1/4, 1; a few minutes
    python -m benchmarks.rate_throughput --widths 0.125 --batches 32 --methods clapp-s

(a) local     this package: Eqs. 6-8 area by area (engine chosen as in training)
(b) autograd  the same losses, detach() between areas, one backward of their sum, at its best
(c) backprop  Hinge Loss CPC: one loss at the top, gradients through all layers

Every cell runs in a fresh process; cells alternate (a b c a b c ...) and the median of `--repeats` is
printed. GFLOP/s counts direct convolutions: forward and weight gradient for (a) and (b), the input gradient
besides for (c); fast algorithms that multiply less can exceed the matmul peak.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jsonargparse import auto_cli
from torch import Tensor
from torch.nn import functional as F

from benchmarks.plain_autograd import PlainNetwork, synchronous_loss, time_local_loss
from clapp_snn.functional.saccades import Draw
from clapp_snn.methods import get_method
from clapp_snn.randomness import generator
from clapp_snn.stimuli.augment import centre_view
from clapp_snn.stimuli.photographs import open_photographs
from clapp_snn.training.build import build_hierarchy
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.distributed import World
from clapp_snn.training.learner import make_learner

Code = Literal["local", "autograd", "backprop"]
SHAPES = (
    (1, 128, 16),
    (128, 256, 16),
    (256, 256, 8),
    (256, 512, 8),
    (512, 1024, 4),
    (1024, 1024, 2),
)


@dataclass(frozen=True)
class Cell:
    """One measurement."""

    code: Code
    method: str
    width: float
    batch: int
    precision: str = "float32"
    engine: str = "auto"
    device: str = "cpu"
    seconds: float = 6.0


@dataclass(frozen=True)
class Measured:
    """What a cell gives: wall and CPU seconds an image, activation memory in MiB, engine sentence."""

    images_per_second: float
    cpu_seconds_per_image: float
    memory_mib: float
    engine: str


def gflop_per_image(width: float, code: Code) -> float:
    """Arithmetic of the convolutions, counted as direct ones, for one image and training step."""
    channels = [c * width for c in (128, 256, 256, 512, 1024, 1024)]
    total, pre = 0.0, 1.0
    for index, (post, side) in enumerate(zip(channels, (16, 16, 8, 8, 4, 2), strict=True)):
        forward = 2 * 49 * side * side * 9 * pre * post / 1e9
        passes = 2 if code != "backprop" or index == 0 else 3
        total += passes * forward
        pre = post
    return total


def step_of(cell: Cell, device: torch.device) -> tuple[Callable[[Tensor, int], object], str]:
    """A function that takes one training step, and which engine it uses."""
    method = get_method("hinge-cpc" if cell.code == "backprop" else cell.method)
    objective = method.objective
    assert objective is not None
    if cell.code == "local":
        config = TrainConfig(
            method=cell.method, width=cell.width, batch=cell.batch, precision=cell.precision,  # type: ignore[arg-type]
            engine=cell.engine,  # type: ignore[arg-type]
        )  # fmt: skip
        hierarchy, sentence = build_hierarchy(config, device, 10)
        learner = make_learner(hierarchy, 2e-4, config.images_in_group, World(0, 1, device))
        groups = range(cell.batch // config.images_in_group)

        def local(images: Tensor, step: int) -> object:
            return learner.step(
                images, None, lambda m, k: [generator(0, "saccade", m, k, step, g) for g in groups]
            )

        return local, sentence
    torch.manual_seed(0)
    network = PlainNetwork(cell.width, method.splits, objective.retro == "free").to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4, fused=True)
    amp = cell.precision == "bfloat16"
    area_streams = len(method.splits)

    def draw(step: int, module: int, loss: int) -> Draw:
        from clapp_snn.functional.saccades import draw_saccades

        stream = [generator(0, "saccade", module, loss, step, 0)]
        return draw_saccades(objective, stream, cell.batch, 7, device)

    def plain(images: Tensor, step: int) -> object:
        with torch.autocast(device.type, torch.bfloat16, enabled=amp):
            cells = network.cells(images)
            total = images.new_zeros(())
            for module, z in enumerate(cells[:area_streams]):
                saccades = draw(step, module, 0)
                landing = [index[0] for index in saccades.landing]
                if saccades.fixation is None:
                    total = total + synchronous_loss(z, network.heads[module], landing)
                    continue
                total = total + time_local_loss(
                    z, z.detach(), network.heads[module], landing, saccades.fixation[0]
                )
                back = draw(step, module, 1)
                assert back.fixation is not None
                landing = [index[0] for index in back.landing]
                total = total + time_local_loss(
                    z.detach(), z, network.back_heads[module], landing, back.fixation[0]
                )
        total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return total

    return plain, "autograd"


def measure(cell: Cell) -> Measured:
    """Run one cell in this process."""
    device = torch.device(cell.device)
    split = open_photographs().unlabeled
    images = centre_view(split.read(torch.arange(cell.batch) % len(split))).to(device)
    step, engine = step_of(cell, device)
    step(images, 0)
    _synchronise(device)
    memory = _peak_memory(device, lambda: step(images, 1))
    began, cpu, steps = time.perf_counter(), _cpu_seconds(), 0
    while steps < 2 or time.perf_counter() - began < cell.seconds:
        step(images, steps + 2)
        _synchronise(device)
        steps += 1
    wall, cpu = time.perf_counter() - began, _cpu_seconds() - cpu
    count = steps * cell.batch
    return Measured(count / wall, cpu / count, memory, engine)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _peak_memory(device: torch.device, run: Callable[[], object]) -> float:
    """MiB that a step needs beyond what is resident before it (weights, optimiser, library)."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    libc = _malloc_trim()
    if libc is not None:
        libc(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    run()
    return (_status("VmHWM") - before) / 2**10


def _malloc_trim() -> Callable[[int], object] | None:
    import ctypes

    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"this system does not report {key}; the benchmark needs Linux")


def in_fresh_process(cell: Cell) -> Measured:
    """Run one cell in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.rate_throughput",
        "--cell",
        json.dumps(asdict(cell)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{cell} failed:\n{done.stderr}")
    record: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Measured(**record)


def fastest(run: Callable[[], object], flop: float, seconds: float = 0.4) -> float:
    """Best GFLOP/s of repeated calls."""
    run()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
    return flop / best / 1e9


def print_machine_rates(width: float, patches: int = 392) -> float:
    """Print and return (best matmul) what this machine's libraries reach, float32."""
    size = 2048
    a, b = torch.randn(size, size), torch.randn(size, size)
    matmul = fastest(lambda: a @ b, 2 * size**3)
    image = torch.randn(1, size, 64, 32).contiguous(memory_format=torch.channels_last)
    kernel = torch.randn(size, size, 1, 1).contiguous(memory_format=torch.channels_last)
    onednn = fastest(lambda: F.conv2d(image, kernel), 2 * size**3)
    print(
        f"float32 matmul {size}^3: {matmul:.0f} GFLOP/s; as a 1x1 convolution: {onednn:.0f} GFLOP/s"
    )
    rows = []
    for pre, post, side in SHAPES:
        i, o = (pre if pre == 1 else round(pre * width)), round(post * width)
        x = torch.randn(patches, i, side, side).contiguous(memory_format=torch.channels_last)
        w = torch.randn(o, i, 3, 3).contiguous(memory_format=torch.channels_last)
        y = F.conv2d(x, w, padding=1)
        flop = 2 * patches * side * side * 9 * i * o
        forward = fastest(lambda x=x, w=w: F.conv2d(x, w, padding=1), flop)  # type: ignore[misc]
        gradient = fastest(
            lambda x=x, w=w, y=y, o=o: torch.ops.aten.convolution_backward(  # type: ignore[misc]
                y, x, w, [o], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [False, True, True]
            ),
            flop,
        )
        rows.append(f"{i}->{o}@{side}: {forward:.0f} / {gradient:.0f}")
    print(f"torch convolutions at width {width:g}, forward / weight gradient: " + ", ".join(rows))
    return max(matmul, onednn)


def compare(
    widths: tuple[float, ...] = (0.125, 0.25, 1.0),
    batches: tuple[int, ...] = (16, 32),
    methods: tuple[str, ...] = ("clapp-s", "clapp"),
    precision: str = "float32",
    engine: str = "auto",
    device: str = "cpu",
    repeats: int = 3,
    seconds: float = 6.0,
    cell: str | None = None,
) -> None:
    """Measure every cell and print the table.

    Args:
        widths: width multipliers of VGG-6.
        batches: images per step.
        methods: contrastive methods with one-layer modules for (a) and (b).
        precision: of (a); (b) and (c) run in float32.
        engine: of (a).
        device: "cpu" or "cuda".
        repeats: runs of each cell, in turn; medians are printed.
        seconds: length of a run.
        cell: for internal use: measure one cell in this process and print it as JSON.
    """
    if cell is not None:
        print(json.dumps(asdict(measure(Cell(**json.loads(cell))))))
        return
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {device}")
    for width in widths:
        peak = print_machine_rates(width)
        for method in methods:
            for batch in batches:
                cells = [
                    Cell("local", method, width, batch, precision, engine, device, seconds),
                    Cell("autograd", method, width, batch, device=device, seconds=seconds),
                    Cell("backprop", method, width, batch, device=device, seconds=seconds),
                ]
                runs = [[in_fresh_process(c) for c in cells] for _ in range(repeats)]
                _print_rows(cells, runs, peak)


def _print_rows(cells: list[Cell], runs: list[list[Measured]], peak: float) -> None:
    first = cells[0]
    print(f"\n{first.method}, width {first.width:g}, batch {first.batch}  ({runs[0][0].engine})")
    print(
        "code       images/s  CPU ms/image  activations MiB  GFLOP/s   % of matmul  images/s vs (b)"
    )
    for index, cell in enumerate(cells):
        column = [run[index] for run in runs]
        speed = statistics.median(m.images_per_second for m in column)
        cpu = 1e3 * statistics.median(m.cpu_seconds_per_image for m in column)
        memory = statistics.median(m.memory_mib for m in column)
        ratio = statistics.median(
            run[index].images_per_second / run[1].images_per_second for run in runs
        )
        rate = speed * gflop_per_image(cell.width, cell.code)
        print(
            f"{cell.code:<10} {speed:8.1f}  {cpu:12.2f}  {memory:15.0f}  {rate:7.0f}"
            f"  {100 * rate / peak:11.0f}  {ratio:14.2f}x",
            flush=True,
        )


if __name__ == "__main__":
    auto_cli(compare)
