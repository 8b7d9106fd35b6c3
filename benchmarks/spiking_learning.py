"""Speed and memory of spiking learning beside backpropagation through time in other libraries.

    python -m benchmarks.spiking_learning                                  # all of it, half an hour
    python -m benchmarks.spiking_learning --layouts [dense] --kinds [alone] --lengths []

dense is (time 32, batch 16, 1024 units), conv (time 32, batch 16, 128 x 16 x 16); what a learning step is and
which layers are compared stands in `benchmarks.learning_rows`. Rows take turns within a repeat; times are CPU
times of the whole process, medians over the repeats of the fastest run in each; ratios are medians of the
ratios in the same repeat to the fastest peer. Peak memory is that of a fresh process, over what it holds
before input and layer are made; it includes input and weights (of compiled rows: input and what a run adds).
`lengths` repeats time and memory, one run in a fresh process each, for other numbers of time steps; a row
ends where it would need more than `gib` or `limit` seconds.
"""

import ctypes
import gc
import json
import math
import os
import statistics
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from jsonargparse import auto_cli

from benchmarks.cell import KEEP_MEMORY
from benchmarks.learning_rows import (
    ALONE,
    BLOCK,
    COMPILED_WINDOW_STEPS,
    OURS,
    PEERS,
    SIZES,
    Layout,
    Size,
    Task,
    is_there,
    make,
)
from benchmarks.timing import fastest

ROOT = Path(__file__).resolve().parent.parent
Kind = Literal["alone", "weights", "spikes"]
KINDS: dict[Kind, tuple[bool, bool]] = {
    "alone": (False, False),
    "weights": (True, False),
    "spikes": (True, True),
}
"""Weights in front or not, spikes (1.6 % of the inputs in a step) or numbers as input."""
WARM_UP = 3
LONG = ("snnTorch unbind", "snnTorch x[t]", "norse unbind", "SpikingJelly", "ours L0", "ours L3")


class Cell(NamedTuple):
    """One run in a fresh process."""

    name: str
    layout: Layout
    kind: Kind
    steps: int

    def task(self) -> Task:
        """What is to be learned."""
        return task(self.layout, self.kind, self.steps)


class Cost(NamedTuple):
    """CPU seconds of a learning step, and peak MiB."""

    seconds: float
    mib: float


def task(layout: Layout, kind: Kind, steps: int) -> Task:
    """A task of the benchmark's size."""
    return Task(layout, SIZES[layout], steps, *KINDS[kind])


def compare(
    layouts: tuple[Layout, ...] = ("dense", "conv"),
    kinds: tuple[Kind, ...] = ("alone", "weights", "spikes"),
    steps: int = 32,
    repeats: int = 5,
    seconds: float = 0.3,
    threads: int = 1,
    compiled: bool = True,
    memory: bool = True,
    lengths: tuple[int, ...] = (32, 100, 320, 1000, 3200, 10_000),
    gib: float = 8.0,
    limit: float = 120.0,
) -> None:
    """Measure everything and print the tables.

    Args:
        layouts: "dense", "conv".
        kinds: currents as input; weights in front and numbers as input; the same and spikes as input.
        steps: of time in a learning step.
        repeats: turns of all rows; 0 leaves the first tables out.
        seconds: length of a row's turn; at least one run.
        threads: of torch and of the native engine.
        compiled: whether to compile peers (torch.compile), which takes minutes.
        memory: whether to measure the peak memory of every row.
        lengths: numbers of time steps for the second table.
        gib: memory that a row may need there.
        limit: CPU seconds that a row may need there.
    """
    torch.set_num_threads(threads)
    for name in PEERS:
        if not is_there(name):
            print(f"{name} is not installed: its rows are left out")
    for layout in layouts:
        for kind in kinds:
            if repeats:
                _table(layout, kind, steps, repeats, seconds, compiled, memory)
    for layout in layouts:
        for kind in kinds:
            if lengths:
                _lengths(layout, kind, lengths, gib, limit)


def _names(compiled: bool, steps: int) -> list[str]:
    peers = [name for name in PEERS if is_there(name) and (compiled or "compiled" not in name)]
    if steps > COMPILED_WINDOW_STEPS:
        peers = [name for name in peers if "compiled window" not in name]
    return [*peers, *OURS]


def _table(
    layout: Layout,
    kind: Kind,
    steps: int,
    repeats: int,
    seconds: float,
    compiled: bool,
    memory: bool,
) -> None:
    print(f"\n{layout}, {kind}, {steps} time steps, {torch.get_num_threads()} threads", flush=True)
    names = _names(compiled, steps) + [ALONE] * (kind == "alone")
    runs = {name: make(name, task(layout, kind, steps)) for name in names}
    for run in runs.values():
        for _ in range(WARM_UP):
            run()
    turns = [
        {name: fastest(run, seconds).cpu for name, run in runs.items()} for _ in range(repeats)
    ]
    peaks = {n: in_fresh_process(Cell(n, layout, kind, steps)).mib for n in names} if memory else {}
    best = min(
        (name for name in names if name in PEERS),
        key=lambda name: statistics.median(turn[name] for turn in turns),
    )
    print(f"| layer | CPU ms | times faster than {best} | peak MiB |")
    print("|---" * 4 + "|")
    for name in names:
        cpu = 1e3 * statistics.median(turn[name] for turn in turns)
        ratio = statistics.median(turn[best] / turn[name] for turn in turns)
        print(f"| {name} | {cpu:.2f} | {ratio:.2f} | {peaks.get(name, float('nan')):.0f} |")
    sys.stdout.flush()


def _lengths(
    layout: Layout, kind: Kind, lengths: tuple[int, ...], gib: float, limit: float
) -> None:
    """Print CPU seconds and peak MiB for every number of time steps; cells that would not fit are empty."""
    print(f"\n{layout}, {kind}: CPU s / peak MiB of one learning step by time steps", flush=True)
    print("| layer | " + " | ".join(map(str, lengths)) + " |")
    print("|---" * (1 + len(lengths)) + "|")
    for name in [*filter(is_there, LONG), *([ALONE] if kind == "alone" else [])]:
        cells, before, steps_before = [], Cost(0.0, 0.0), 1
        for steps in lengths:
            # Memory of peers grows with time, time at least so; x[t] takes its square.
            more = steps / steps_before
            power = 2 if "x[t]" in name else 1
            fits = before.seconds * more**power < limit
            fits &= name in (*OURS, ALONE) or before.mib * more < gib * 1024
            if not fits:
                cells.append("")
                continue
            before, steps_before = in_fresh_process(Cell(name, layout, kind, steps)), steps
            cells.append(f"{before.seconds:.3g} / {before.mib:.0f}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def in_fresh_process(cell: Cell) -> Cost:
    """Run one cell in a process of its own; raises RuntimeError with its last words if it fails."""
    settings = {key: value for key, value in os.environ.items() if key not in KEEP_MEMORY}
    threads = str(torch.get_num_threads())
    command = [sys.executable, "-m", "benchmarks.spiking_learning", "--cell", json.dumps(cell)]
    done = subprocess.run(
        [*command, threads], capture_output=True, text=True, check=False, cwd=ROOT, env=settings
    )
    if done.returncode:
        raise RuntimeError(f"{cell} failed:\n{done.stderr}")
    return Cost(*json.loads(done.stdout.splitlines()[-1]))


def measure(cell: Cell) -> Cost:
    """Run one cell in this process: once small, so that libraries are loaded, then as large as asked."""
    wanted = cell.task()
    small = {**asdict(wanted), "size": Size(2, 8, 4 if cell.layout == "conv" else 1), "steps": 4}
    if "compiled" in cell.name:
        return _measure_compiled(cell)
    make(cell.name, Task(**small))()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    run = make(cell.name, wanted)
    if cell.steps <= BLOCK:
        run()
    used = fastest(run, 0.0).cpu
    return Cost(used, (_status("VmHWM") - before) / 1024)


def _measure_compiled(cell: Cell) -> Cost:
    """The compiler needs more memory than the layer: counted is what a compiled run adds, and the input."""
    wanted = cell.task()
    run = make(cell.name, wanted)
    for _ in range(WARM_UP):
        run()
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    used = fastest(run, 0.0).cpu
    numbers = wanted.steps * wanted.size.batch * math.prod(wanted.shape)
    return Cost(used, (_status("VmHWM") - before) / 1024 + 4 * numbers / 2**20)


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key + ":"))


def main() -> None:
    """A cell, or all of the benchmark."""
    if sys.argv[1:2] == ["--cell"]:
        torch.set_num_threads(int(sys.argv[3]))
        print(json.dumps(measure(Cell(*json.loads(sys.argv[2])))))
    elif any(os.environ.get(name) != value for name, value in KEEP_MEMORY.items()):
        # For all timed rows alike: freed buffers stay with the process.
        command = [sys.executable, "-m", "benchmarks.spiking_learning", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **KEEP_MEMORY})
    else:
        auto_cli(compare)


if __name__ == "__main__":
    main()
