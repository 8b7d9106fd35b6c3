"""Speed and memory of learning on clips, beside plain autograd of the same losses and end-to-end training.

    python -m benchmarks.video_throughput                                  # small: one core, a minute or two
    python -m benchmarks.video_throughput --width 1 --frames 54 --side 128 --table vgg5 --device cuda

local     this package: Eqs. 6-8 area by area
autograd  nn.Conv3d, BatchNorm3d and MaxPool3d, channels last, detach() between areas, one backward of the sum
          of the losses, one fused Adam
backprop  the same with one loss at the top (Hinge Loss CPC, CPC)

Every code runs in a fresh process; codes alternate and medians are printed. Augmentation and decoding are not
part of it.
"""

import multiprocessing
import os
import statistics
import time
from dataclasses import dataclass

import torch
from jsonargparse import auto_cli
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.cell import KEEP_MEMORY, Device, peak_memory
from benchmarks.machine import Code, synchronise
from clapp_snn.circuit.clip_hierarchy import ClipHierarchy
from clapp_snn.encoders.video import VIDEO_ARCHITECTURES, VideoEncoder
from clapp_snn.functional.objective import Loss
from clapp_snn.methods.video import VIDEO_METHODS
from clapp_snn.training.distributed import World
from clapp_snn.training.learner import make_learner

CODES: tuple[Code, ...] = ("local", "autograd", "backprop")
METHODS = {"hinge": ("clapp-s", "hinge-cpc"), "infonce": ("gim-layerwise", "cpc")}
WARM_UP = 2


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
    seconds: float


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


def measure(cell: Cell) -> tuple[float, float, float]:
    """Clips a second, CPU seconds a clip and peak MiB of a step beyond weights and clips."""
    device = torch.device(cell.device)
    torch.manual_seed(0)
    clips = torch.randn(cell.batch, cell.frames, cell.side, cell.side, 3, device=device)
    network = network_of(cell).to(device)
    if cell.code == "local":
        learner = make_learner(network, 1e-3, cell.batch, World(0, 1, device))

        def step() -> object:
            return learner.step(clips, None, lambda module, loss: [])
    else:
        plain = PlainVideo(network).to(device)
        adam = torch.optim.Adam(plain.parameters(), lr=1e-3, fused=True)

        def step() -> object:
            plain.loss(clips, cell.loss).backward()
            adam.step()
            adam.zero_grad(set_to_none=True)
            return None

    for _ in range(WARM_UP):
        step()
    memory = peak_memory(device, step)
    synchronise(device)
    began, cpu, steps = time.perf_counter(), time.process_time(), 0
    while steps < 2 or time.perf_counter() - began < cell.seconds:
        step()
        steps += 1
        synchronise(device)
    clips_seen = steps * cell.batch
    wall = time.perf_counter() - began
    return clips_seen / wall, (time.process_time() - cpu) / clips_seen, memory


def compare(
    losses: tuple[Loss, ...] = ("hinge", "infonce"),
    table: str = "vgg5-overlap",
    width: float = 0.125,
    batch: int = 8,
    frames: int = 20,
    side: int = 72,
    device: Device = "cpu",
    repeats: int = 3,
    seconds: float = 5.0,
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
        repeats: runs of each code, in turn.
        seconds: length of a run.
    """
    os.environ.update(KEEP_MEMORY)
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {device}")
    print(f"{table}, width {width:g}, {batch} clips of {frames} frames of {side} pixels")
    fresh = multiprocessing.get_context("spawn")
    for loss in losses:
        cells = [
            Cell(code, loss, table, width, batch, frames, side, device, seconds) for code in CODES
        ]
        runs = []
        for _ in range(repeats):
            row = []
            for cell in cells:
                with fresh.Pool(1) as pool:
                    row.append(pool.apply(measure, (cell,)))
            runs.append(row)
        print(f"\n{loss}\ncode       clips/s  CPU ms/clip  activations MiB  speed vs autograd")
        for index, code in enumerate(CODES):
            speed, cpu, memory = (statistics.median(r[index][k] for r in runs) for k in range(3))
            # CPU time is what other work on the machine disturbs least; a GPU is compared by wall time.
            ratio = statistics.median(
                r[index][0] / r[1][0] if device == "cuda" else r[1][1] / r[index][1] for r in runs
            )
            print(f"{code:<9} {speed:8.2f}  {1e3 * cpu:11.1f}  {memory:15.0f}  {ratio:16.2f}x")


if __name__ == "__main__":
    auto_cli(compare)
