"""One cell of the throughput benchmark, measured in a process of its own."""

import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from benchmarks.machine import Code, Precision, synchronise
from benchmarks.plain_autograd import PlainNetwork
from clapp_snn.functional.saccades import Draw, draw_saccades
from clapp_snn.methods import get_method
from clapp_snn.randomness import generator
from clapp_snn.stimuli.augment import centre_view
from clapp_snn.stimuli.photographs import open_photographs
from clapp_snn.training.build import build_hierarchy
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.distributed import World
from clapp_snn.training.learner import make_learner

Engine = Literal["auto", "torch", "compiled", "native"]
PeerEngine = Literal["torch", "compiled"]
Device = Literal["cpu", "cuda"]
Step = Callable[[Tensor, int], object]
ROOT = Path(__file__).resolve().parent.parent
WARM_UP = 3


KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 34)}
"""glibc keeps freed buffers instead of returning them to the system: 1.4 times the speed for the peers."""


@dataclass(frozen=True)
class Cell:
    """What is measured; `group` images share their negatives in all codes."""

    code: Code
    method: str
    width: float
    batch: int
    precision: Precision = "float32"
    engine: Engine = "auto"
    device: Device = "cpu"
    seconds: float = 6.0
    group: int = 32


@dataclass(frozen=True)
class Measured:
    """What a cell gives: wall and CPU seconds an image, activation memory in MiB, engine sentence."""

    images_per_second: float
    cpu_seconds_per_image: float
    memory_mib: float
    engine: str


def step_of(cell: Cell, device: torch.device) -> tuple[Step, str]:
    """A function that takes one training step, and which engine it uses."""
    return _local(cell, device) if cell.code == "local" else _plain(cell, device)


def _streams(cell: Cell, step: int, module: int, loss: int) -> list[torch.Generator]:
    key, groups = ("saccade", module, loss, step), cell.batch // min(cell.batch, cell.group)
    return [generator(0, *key, group, device=cell.device) for group in range(groups)]


def _local(cell: Cell, device: torch.device) -> tuple[Step, str]:
    config = TrainConfig(
        method=cell.method, width=cell.width, batch=cell.batch, group=cell.group,
        precision=cell.precision, engine=cell.engine,
    )  # fmt: skip
    hierarchy, sentence = build_hierarchy(config, device, 10)
    learner = make_learner(hierarchy, 2e-4, config.samples_in_group, World(0, 1, device))

    def step(images: Tensor, number: int) -> object:
        return learner.step(images, None, lambda m, k: _streams(cell, number, m, k))

    return step, sentence


def _plain(cell: Cell, device: torch.device) -> tuple[Step, str]:
    method = get_method("hinge-cpc" if cell.code == "backprop" else cell.method)
    objective = method.objective
    assert objective is not None
    torch.manual_seed(0)
    network = PlainNetwork(cell.width, method.splits, objective.retro == "free").to(device)
    if cell.engine == "compiled":
        network.cells = torch.compile(network.cells, dynamic=False)  # type: ignore[method-assign]
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4, fused=True)
    group = min(cell.batch, cell.group)

    def step(images: Tensor, number: int) -> object:
        def draw(module: int, loss: int) -> Draw:
            streams = _streams(cell, number, module, loss)
            return draw_saccades(objective, streams, group, 7, device)

        total = network.loss(images, group, draw, cell.precision == "bfloat16")
        total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return total

    return step, f"autograd, {cell.engine}"


def images_of(cell: Cell) -> Tensor:
    """A batch of embedded photographs on the device of the cell."""
    split = open_photographs(train=1, test=1, unlabeled=16).unlabeled
    return centre_view(split.read(torch.arange(cell.batch) % len(split))).to(cell.device)


def measure(cell: Cell) -> Measured:
    """Run one cell in this process."""
    device, images = torch.device(cell.device), images_of(cell)
    # Shapes never change, in training neither: `clapp-snn train` asks for it, too.
    torch.backends.cudnn.benchmark = device.type == "cuda"
    step, engine = step_of(cell, device)
    for number in range(WARM_UP):
        step(images, number)
    synchronise(device)
    memory = peak_memory(device, lambda: step(images, WARM_UP))
    synchronise(device)
    # A GPU is left to run behind, as in training, and waited for every ten steps.
    together = 10 if device.type == "cuda" else 1
    began, cpu, steps = time.perf_counter(), _cpu_seconds(), 0
    while steps < 2 or time.perf_counter() - began < cell.seconds:
        for _ in range(together):
            steps += 1
            step(images, WARM_UP + steps)
        synchronise(device)
    wall, cpu = time.perf_counter() - began, _cpu_seconds() - cpu
    count = steps * cell.batch
    return Measured(count / wall, cpu / count, memory, engine)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_memory(device: torch.device, run: Callable[[], object]) -> float:
    """MiB that a step needs beyond what is resident before it (weights, optimiser, library)."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    run()
    return (_status("VmHWM") - before) / 2**10


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"this system does not report {key}; the benchmark needs Linux")


def in_fresh_process(cell: Cell) -> Measured:
    """Run one cell in a process of its own; raises RuntimeError with its last words if it fails."""
    command = [sys.executable, "-m", "benchmarks.cell", json.dumps(asdict(cell))]
    settings = {} if cell.code == "local" else KEEP_MEMORY
    environment = {**os.environ, **settings}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )
    if done.returncode:
        raise RuntimeError(f"{cell} failed:\n{done.stderr}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Cell(**json.loads(sys.argv[1]))))))
