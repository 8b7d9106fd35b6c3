"""Memory of long simulations, and how fast a million event/burst units run."""

import gc
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.neuron_rows import MODELS, drives_of
from benchmarks.timing import Time, fastest
from clapp_snn import native
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.fast import FastLayer
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.interface import Inputs, simulate
from clapp_snn.neurons.noise import Streams

MILLION = 1_000_000


def peak(run: Callable[[], object]) -> int:
    """KiB of resident memory at its peak while `run` runs; Linux only."""
    Path("/proc/self/clear_refs").write_text("5")
    run()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def growth(run: Callable[[int], object], steps: int, first: int = 500) -> int:
    """KiB by which the peak of `steps` steps exceeds that of `first` steps, after a run to warm up.

    Pages that the rest of the process loses meanwhile (a busy system takes back those of files) are missing
    in it: where that matters, measure several times.
    """
    run(first)
    gc.collect()
    before = peak(lambda: run(first))
    return peak(lambda: run(steps)) - before


def memory_growth(steps: int = 10_000, neurons: int = 1000) -> dict[str, int]:
    """KiB by which a simulation without monitors grows, for every model and engine."""
    found = {}
    for model, kind in MODELS.items():
        drive = Inputs(*(each[0] for each in drives_of(model, 1, (1, neurons))))
        neuron, source = kind(), Streams.from_seed(0)
        found[f"{model} simulate"] = growth(
            lambda count, n=neuron, d=drive, s=source: simulate(n, d, count, None, s),  # type: ignore[misc]
            steps,
        )
        if native.available():
            fast, counters = FastLayer(neuron), CounterStreams(0)
            found[f"{model} FastLayer.count"] = growth(
                lambda count, f=fast, d=drive, s=counters: f.count(  # type: ignore[misc]
                    Inputs(*(each.expand(count, *each.shape) for each in d)), None, s
                ),
                steps,
            )
    return found


def million_units(steps: int = 200, units: int = MILLION, seconds: float = 3.0) -> dict[str, Time]:
    """Time that one second (dt 1 ms) of `units` L3 units takes, at the fastest seen in `seconds`."""
    neuron = EventBurst()
    soma, apical = (each[0] for each in drives_of("L3", 1, (1, units)))
    found: dict[str, Time] = {}

    def measure(name: str, run: Callable[[], object], count: int) -> None:
        run()
        found[name] = Time(*(each * 1000 / count for each in fastest(run, seconds)))

    source = Streams.from_seed(0)
    measure("eager", lambda: simulate(neuron, Inputs(soma, apical), 1, None, source), 1)
    if native.available():
        fast, counters = FastLayer(neuron), CounterStreams(0)
        for count in (1, 20):
            drive = Inputs(soma.expand(count, 1, units), apical.expand(count, 1, units))
            into = fast(drive, None, counters)[0]
            measure(
                f"native, all outputs of {count} steps",
                lambda d=drive, o=into: fast(d, None, counters, into=o),  # type: ignore[misc]
                count,
            )
        drive = Inputs(soma.expand(steps, 1, units), apical.expand(steps, 1, units))
        measure(
            f"native, counts of {steps} steps", lambda: fast.count(drive, None, counters), steps
        )
    return found


def print_scale() -> None:
    """Print both."""
    print(
        "\nKiB by which 10 000 steps of 1000 neurons without monitors raise the peak of 500 steps:"
    )
    print("; ".join(f"{name} {kib}" for name, kib in memory_growth().items()))
    print(f"\n{MILLION:,} L3 units for a second at dt = 1 ms, {torch.get_num_threads()} threads:")
    for name, found in million_units().items():
        print(f"{name}: wall {found.wall:.2f} s, CPU {found.cpu:.2f} s", flush=True)
