"""Speed of the spiking neurons beside one-compartment LIF layers of snnTorch, norse and SpikingJelly.

    python -m benchmarks.neuron_throughput                         # both shapes, about ten minutes
    python -m benchmarks.neuron_throughput --shapes [dense] --compiled false --repeats 3
    python -m benchmarks.neuron_throughput --shapes [] --scale true    # memory and a million units only

dense is (time 32, batch 16, 1024 neurons), conv (time 32, batch 16, 128 x 16 x 16). Rows take turns within a
repeat; times are medians over the repeats of the fastest run in each, ratios are medians of the ratios to
snnTorch's `Leaky` in the same repeat. CPU time is that of the whole process. "no draws" has its random
numbers ready; "quiet" is the model without background noise; "into" writes over the outputs of an earlier
call; "counts" returns sums over the window. The floor is what an ideal layer reads and writes (drives and
outputs once, state never) at the copying speed of the memory measured in the same run.
"""

import os
import statistics
import sys
from typing import Literal

import torch
from jsonargparse import auto_cli

from benchmarks.cell import KEEP_MEMORY
from benchmarks.neuron_rows import COMPILED_REFERENCE, REFERENCE, Row, rows
from benchmarks.neuron_scale import print_scale
from benchmarks.timing import Time, fastest

Name = Literal["dense", "conv"]
SHAPES: dict[Name, tuple[int, ...]] = {"dense": (16, 1024), "conv": (16, 128, 16, 16)}


WARM_UP = 3  # compiled steps may be compiled once more in their second run


def compare(
    shapes: tuple[Name, ...] = ("dense", "conv"),
    steps: int = 32,
    repeats: int = 5,
    seconds: float = 0.2,
    threads: int = 1,
    compiled: bool = True,
    scale: bool = True,
) -> None:
    """Measure every row of every shape and print the tables.

    Args:
        shapes: "dense", "conv".
        steps: of time in a call.
        repeats: turns of all rows.
        seconds: length of a row's turn; at least one run.
        threads: of torch and of the native engine.
        compiled: whether to compile steps (torch.compile), which takes minutes.
        scale: whether to measure memory over 10 000 steps and a million units.
    """
    torch.set_num_threads(threads)
    with torch.no_grad():
        for name in shapes:
            _table(name, steps, SHAPES[name], repeats, seconds, compiled)
        if scale:
            print_scale()


def _table(
    name: str, steps: int, shape: tuple[int, ...], repeats: int, seconds: float, compiled: bool
) -> None:
    found = list(rows(steps, shape, compiled))
    for _ in range(WARM_UP):
        for row in found:
            row.run()
    print(f"\nmeasuring {name}: time {steps}, shape {shape}, {torch.get_num_threads()} threads")
    speed = copy_speed()
    turns = []
    for _ in range(repeats):
        turns.append({row.name: fastest(row.run, seconds) for row in found})
        print(".", end="", flush=True)
    print_table(found, turns, steps * torch.Size(shape).numel(), speed)


def copy_speed(floats: int = 1 << 25) -> float:
    """Bytes a second, read and written together, of copying 128 MiB; CPU time, fastest of ten."""
    source, target = torch.zeros(floats), torch.zeros(floats)
    copies = [fastest(lambda: target.copy_(source), 0.0).cpu for _ in range(10)]
    return 8 * floats / min(copies)


def print_table(found: list[Row], turns: list[dict[str, Time]], size: int, speed: float) -> None:
    """Print a line for every row; `size` neuron-steps a run, `speed` of the memory in bytes a second."""
    print(f"\nmemory copies {speed / 1e9:.1f} GB/s")
    references = [name for name in (REFERENCE, COMPILED_REFERENCE) if name in turns[0]]
    words = "".join(f" | CPU / {name.removeprefix('snnTorch ')}" for name in references)
    print(f"| layer | million neuron-steps/s | wall ns | CPU ns{words} | floor ns | CPU / floor |")
    print("|---" * (6 + len(references)) + "|")
    for row in found:
        wall, cpu = (
            1e9 / size * statistics.median(turn[row.name][side] for turn in turns)
            for side in range(2)
        )
        ratios = "".join(
            f" | {statistics.median(turn[row.name].cpu / turn[name].cpu for turn in turns):.2f}"
            for name in references
        )
        floor = 4e9 * row.numbers / speed
        print(
            f"| {row.name} | {1e3 / wall:.0f} | {wall:.2f} | {cpu:.2f}{ratios} | {floor:.2f} "
            f"| {cpu / floor:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in KEEP_MEMORY.items()):
        # For all rows alike: freed buffers stay with the process.
        command = [sys.executable, "-m", "benchmarks.neuron_throughput", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **KEEP_MEMORY})
    auto_cli(compare)
