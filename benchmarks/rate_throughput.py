"""Speed and memory of rate-mode training, beside plain autograd and end-to-end back-propagation.

    python -m benchmarks.rate_throughput                        # widths 1/8, 1/4, 1; a few minutes
    python -m benchmarks.rate_throughput --widths [0.125] --batches [32] --methods [clapp-s]
    python -m benchmarks.rate_throughput --device cuda --engines [torch,compiled] \
        --peer_engines [torch,compiled] --precision bfloat16 --peer_precision bfloat16
    python -m benchmarks.rate_throughput --widths [1] --batches [32] --profile true

local     this package: Eqs. 6-8 area by area, one row for each engine
autograd  the same losses, detach() between areas, one backward of their sum, at its best; with several
          `--peer_engines` a row each, and the fastest is what all are compared with
backprop  Hinge Loss CPC: one loss at the top, gradients through all layers

All draw and score saccades in the same groups of 32 images. Every cell runs in a fresh process; cells
alternate and the medians of `--repeats` are printed. GFLOP/s counts direct convolutions: forward and weight
gradient for local and autograd, the input gradient besides for backprop. The floor is the time of that
arithmetic at the fastest rate that anything reached on the same device in the same precision.
"""

import statistics

import torch
from jsonargparse import auto_cli

from benchmarks.cell import Cell, Device, Engine, Measured, PeerEngine, in_fresh_process
from benchmarks.machine import (
    Precision,
    Rates,
    described,
    floor_line,
    gflop_per_image,
    print_machine_rates,
)
from benchmarks.profiling import print_profile

METHODS = ("clapp-s", "clapp")
NATIVE_NOTE = (
    "The native engine uses Winograd's algorithm, which multiplies less than a direct convolution: its "
    "GFLOP/s can exceed the matmul rate and its time can be below the floor. Libraries may do so too."
)


def compare(
    widths: tuple[float, ...] = (0.125, 0.25, 1.0),
    batches: tuple[int, ...] = (16, 32),
    methods: tuple[str, ...] = METHODS,
    precision: Precision = "float32",
    peer_precision: Precision = "float32",
    engines: tuple[Engine, ...] = ("auto",),
    peer_engines: tuple[PeerEngine, ...] = ("torch",),
    device: Device = "cpu",
    repeats: int = 3,
    seconds: float = 6.0,
    profile: bool = False,
) -> None:
    """Measure every cell and print the table.

    Args:
        widths: width multipliers of VGG-6.
        batches: images per step.
        methods: "clapp-s" or "clapp", for local and autograd.
        precision: of local.
        peer_precision: of autograd and backprop; bfloat16 means autocast of the convolutions.
        engines: of local, a row each.
        peer_engines: of autograd and backprop, a row each; "compiled" is torch.compile of the whole encoder.
        device: "cpu" or "cuda".
        repeats: runs of each cell, in turn; medians are printed.
        seconds: length of a run.
        profile: print the 15 most expensive operators of local instead.

    Raises ValueError for another method.
    """
    if unknown := sorted(set(methods) - set(METHODS)):
        raise ValueError(f"no plain autograd peer of {unknown}; choose from {METHODS}")
    print(described(device))
    for width in widths:
        rates: dict[str, Rates] = {}
        if not profile:
            both: set[Precision] = {precision, peer_precision}
            if device == "cuda":
                both |= {"float32", "bfloat16"}
            for each in sorted(both, reverse=True):
                rates[each] = print_machine_rates(
                    width, torch.device(device), each, min(0.4, seconds)
                )
            if device == "cuda":
                torch.cuda.empty_cache()
        for method in methods:
            for batch in batches:
                cells = [
                    Cell("local", method, width, batch, precision, engine, device, seconds)
                    for engine in engines
                ]
                if profile:
                    for cell in cells:
                        print_profile(cell)
                    continue
                cells += [
                    Cell(code, method, width, batch, peer_precision, engine, device, seconds)
                    for code in ("autograd", "backprop")
                    for engine in peer_engines
                ]
                runs = [[in_fresh_process(cell) for cell in cells] for _ in range(repeats)]
                _print_rows(cells, runs, rates)


def _print_rows(cells: list[Cell], runs: list[list[Measured]], rates: dict[str, Rates]) -> None:
    first = cells[0]
    print(f"\n{first.method}, width {first.width:g}, batch {first.batch}")
    print(
        f"{'code':<17} {'precision':<9}  images/s  CPU ms/image  activations MiB  GFLOP/s"
        "  % of matmul  images/s vs autograd"
    )

    def median_speed(index: int) -> float:
        return statistics.median(run[index].images_per_second for run in runs)

    plain = [index for index, cell in enumerate(cells) if cell.code == "autograd"]
    peer = max(plain, key=median_speed)
    floors = []
    for index, cell in enumerate(cells):
        column = [run[index] for run in runs]
        several = cell.code == "local" or len(plain) > 1
        name = f"{cell.code} {cell.engine}" if several else cell.code
        speed = median_speed(index)
        cpu = 1e3 * statistics.median(m.cpu_seconds_per_image for m in column)
        memory = statistics.median(m.memory_mib for m in column)
        ratio = statistics.median(
            run[index].images_per_second / run[peer].images_per_second for run in runs
        )
        rate = speed * gflop_per_image(cell.width, cell.code)
        share = 100 * rate / rates[cell.precision].matmul
        print(
            f"{name:<17} {cell.precision:<9}  {speed:8.1f}  {cpu:12.2f}  {memory:15.0f}  {rate:7.0f}"
            f"  {share:11.0f}  {ratio:19.2f}x",
            flush=True,
        )
        floors.append((name, cell.precision, cell.code, speed))
    print(floor_line(floors, first.width, rates))
    sentences = dict.fromkeys(
        m.engine for m, c in zip(runs[0], cells, strict=True) if c.code == "local"
    )
    print("\n".join(sentences))
    if any("native kernels" in s and "no native kernels" not in s for s in sentences):
        print(NATIVE_NOTE)


if __name__ == "__main__":
    auto_cli(compare)
