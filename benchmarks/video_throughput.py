"""Speed and memory of learning on clips, beside plain autograd of the same losses and end-to-end training.

    python -m benchmarks.video_throughput                                  # small: one core, a minute or two
    python -m benchmarks.video_throughput --width 1 --frames 54 --side 128 --table vgg5 --device cuda

local     this package: Eqs. 6-8 area by area
autograd  nn.Conv3d, BatchNorm3d and MaxPool3d, channels last, detach() between areas, one backward of the sum
          of the losses, one fused Adam
backprop  the same with one loss at the top (Hinge Loss CPC, CPC)

The codes take turns step by step in one fresh process, so that whatever else the machine does meets all of
them; medians of steps, and of ratios of neighbouring steps, are printed. Memory is measured in a fresh
process for each code. Augmentation and decoding are not part of it.

The floor is the arithmetic that local and autograd both need (convolutions, their weight gradients, the
products of the comparison; multiply-add as two) at the rate of a large matrix product on this machine.
"""

import math
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jsonargparse import auto_cli
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.cell import KEEP_MEMORY, Device, peak_memory
from benchmarks.machine import Code, described, synchronise
from benchmarks.timing import Time, fastest
from clapp_snn.circuit.clip_hierarchy import ClipHierarchy
from clapp_snn.encoders.video import VIDEO_ARCHITECTURES, VideoArchitecture, VideoEncoder
from clapp_snn.functional.objective import Loss
from clapp_snn.methods.video import VIDEO_METHODS
from clapp_snn.training.distributed import World
from clapp_snn.training.learner import make_learner

CODES: tuple[Code, ...] = ("local", "autograd", "backprop")
METHODS = {"hinge": ("clapp-s", "hinge-cpc"), "infonce": ("gim-layerwise", "cpc")}
WARM_UP = 2
STEPS = 3


@dataclass(frozen=True)
class Cell:
    """What is measured."""

    code: Code
    loss: Loss
    table: str
    width: float
    batch: int
    frames: int
    side: int
    device: Device


class PlainVideo(nn.Module):
    """The blocks in the published order (ReLU, then normalisation) and three matrices a module."""

    def __init__(self, network: ClipHierarchy) -> None:
        super().__init__()
        encoder = network.encoder
        self.tops = network.method.tops
        self.blocks = nn.ModuleList()
        pre = 3
        for layer in encoder.architecture.layers:
            shape = layer.shape
            convolution = nn.Conv3d(pre, layer.channels, shape.kernel, shape.stride, shape.padding)
            kernel = convolution.weight.data
            convolution.weight.data = kernel.contiguous(memory_format=torch.channels_last_3d)
            parts: list[nn.Module] = [
                convolution,
                nn.ReLU(inplace=True),
                nn.BatchNorm3d(layer.channels),
            ]
            if shape.pool:
                parts.append(nn.MaxPool3d((1, 3, 3), (1, 2, 2)))
            self.blocks.append(nn.Sequential(*parts))
            pre = layer.channels
        widths = [encoder.channels[top] for top in self.tops]
        self.heads = nn.ModuleList(
            nn.ModuleList(nn.Linear(c, c, bias=False) for _ in range(3)) for c in widths
        )

    def loss(self, clips: Tensor, kind: Loss) -> Tensor:
        """Sum of the losses of all modules for clips with channels last."""
        x = clips.permute(0, 4, 1, 2, 3)
        total = clips.new_zeros(())
        module = 0
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.tops:
                heads = list(self.heads[module].children())
                total = total + contrast(x.permute(0, 2, 3, 4, 1), heads, kind)
                x = x.detach()
                module += 1
        return total


def contrast(z: Tensor, heads: list[nn.Module], kind: Loss) -> Tensor:
    """All-in-batch contrast of flattened predictions with activities at 1, 2 and 3 steps."""
    contexts = z.shape[1] - len(heads)
    loss = z.new_zeros(())
    for step, head in enumerate(heads, start=1):
        prediction = head(z[:, :contexts]).flatten(0, 1).flatten(1)
        u = prediction @ z[:, step : step + contexts].flatten(0, 1).flatten(1).t()
        if kind == "infonce":
            loss = loss + F.cross_entropy(u, torch.arange(len(u), device=u.device))
            continue
        on, m = u.diagonal(), len(u)
        off = F.relu(1 + u).sum() - F.relu(1 + on).sum()
        loss = loss + 0.5 * (F.relu(1 - on).mean() + off / (m * (m - 1)))
    return loss / len(heads)


def network_of(cell: Cell) -> ClipHierarchy:
    """The package's network of a cell."""
    local, end_to_end = METHODS[cell.loss]
    method = VIDEO_METHODS[end_to_end if cell.code == "backprop" else local]
    encoder = VideoEncoder(VIDEO_ARCHITECTURES[cell.table], cell.width)
    network = ClipHierarchy(encoder, method, cell.frames, cell.side)
    network.reset_parameters(0)
    return network


def training_step(cell: Cell) -> Callable[[], object]:
    """A training step of a cell, on clips of noise."""
    device = torch.device(cell.device)
    torch.manual_seed(0)
    clips = torch.randn(cell.batch, cell.frames, cell.side, cell.side, 3, device=device)
    network = network_of(cell).to(device)
    if cell.code == "local":
        learner = make_learner(network, 1e-3, cell.batch, World(0, 1, device))
        return lambda: learner.step(clips, None, lambda module, loss: [])
    plain = PlainVideo(network).to(device)
    adam = torch.optim.Adam(plain.parameters(), lr=1e-3, fused=True)

    def step() -> object:
        plain.loss(clips, cell.loss).backward()
        adam.step()
        adam.zero_grad(set_to_none=True)
        return None

    return step


def memory_of(cell: Cell) -> float:
    """Peak MiB of a step beyond weights and clips."""
    step = training_step(cell)
    for _ in range(WARM_UP):
        step()
    return peak_memory(torch.device(cell.device), step)


def race(cells: list[Cell], seconds: float) -> list[list[Time]]:
    """Wall and CPU seconds of the steps of every cell, in turns; at least two steps each."""
    device = torch.device(cells[0].device)
    steps = [training_step(cell) for cell in cells]
    found: list[list[Time]] = [[] for _ in cells]
    for step in steps * WARM_UP:
        step()
    synchronise(device)
    began = time.perf_counter()
    while len(found[0]) < 2 or time.perf_counter() - began < seconds:
        for step, times in zip(steps, found, strict=True):
            wall, cpu = time.perf_counter(), time.process_time()
            step()
            synchronise(device)
            times.append(Time(time.perf_counter() - wall, time.process_time() - cpu))
    return found


def gflop_of(cell: Cell, encoder: VideoArchitecture) -> float:
    """Arithmetic of a layer-wise step: twice the convolutions, nine M x M products a layer, and W_pred."""
    total, pre, sides = 0, 3, (cell.frames, cell.side, cell.side)
    for layer in encoder.layers:
        places = cell.batch * math.prod(replace(layer.shape, pool=False).output(*sides))
        total += 2 * places * layer.channels * pre * math.prod(layer.shape.kernel)
        pre, sides = layer.channels, layer.shape.output(*sides)
        cells, area = cell.batch * (sides[0] - STEPS), sides[1] * sides[2]
        total += 3 * STEPS * cells * area * layer.channels * (cells + layer.channels)
    return 2 * total / 1e9


def compare(
    losses: tuple[Loss, ...] = ("hinge", "infonce"),
    table: str = "vgg5-overlap",
    width: float = 0.125,
    batch: int = 8,
    frames: int = 20,
    side: int = 72,
    device: Device = "cpu",
    seconds: float = 30.0,
) -> None:
    """Measure every code and print the table.

    Args:
        losses: of the objective: "hinge", "infonce" or both.
        table: of the encoder.
        width: multiplier of its channels.
        batch: clips a step.
        frames: of a clip.
        side: of a frame, in pixels.
        device: "cpu" or "cuda".
        seconds: length of a race of the three codes.
    """
    os.environ.update(KEEP_MEMORY)
    print(described(device))
    print(f"{table}, width {width:g}, {batch} clips of {frames} frames of {side} pixels")
    fresh = multiprocessing.get_context("spawn")
    for loss in losses:
        cells = [Cell(code, loss, table, width, batch, frames, side, device) for code in CODES]
        with fresh.Pool(1) as pool:
            found = pool.apply(race, (cells, seconds))
        memory = []
        for cell in cells:
            with fresh.Pool(1) as pool:
                memory.append(pool.apply(memory_of, (cell,)))
        # CPU time is what other work on the machine disturbs least; a GPU is compared by wall time.
        seen = [[t.wall if device == "cuda" else t.cpu for t in times] for times in found]
        print(f"\n{loss}, {len(seen[0])} steps of each code")
        print("code       clips/s  ms/clip  activations MiB  speed vs autograd (middle half)")
        for code, times, each, peak in zip(CODES, found, seen, memory, strict=True):
            speed = batch / statistics.median(t.wall for t in times)
            ratios = [a / b for a, b in zip(seen[1], each, strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(
                f"{code:<9} {speed:8.2f}  {1e3 * statistics.median(each) / batch:7.1f}  {peak:15.0f}  "
                f"{middle:.2f}x ({low:.2f}-{high:.2f})"
            )
    work = gflop_of(cells[0], VIDEO_ARCHITECTURES[table].scaled(width))
    rate = _matmul_rate(torch.device(device))
    print(f"\nlayer-wise step: {work:.2f} GFLOP; matrix product {rate:.0f} GFLOP/s; ", end="")
    print(f"floor {1e3 * work / rate / batch:.1f} ms/clip")


def _matmul_rate(device: torch.device, size: int = 2048) -> float:
    a, b = torch.randn(2, size, size, device=device)

    def product() -> None:
        a @ b
        synchronise(device)

    best = fastest(product, 1.0)
    return 2 * size**3 / 1e9 / (best.wall if device.type == "cuda" else best.cpu)


if __name__ == "__main__":
    auto_cli(compare)
