"""What a step of every method costs, all timed in turns in one run.

    python -m benchmarks.step_costs
    python -m benchmarks.step_costs --data path/to/Imagenette-96 --methods '[clapp,softhebb]'
    python -m benchmarks.step_costs --periods true

The cells of `local_learners` are timed hours apart, on machines that had other work, too; here the methods
take turns, and the quickest step of each counts. `--periods true`: a step of all areas against one of every
area's critical period, and what a run of equal steps takes with them.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from jsonargparse import ArgumentParser

from benchmarks.learner_costs import step_memory, step_time
from benchmarks.learner_tables import cost_table, markdown
from benchmarks.local_learners import METHODS, BenchOptions
from benchmarks.machine import described
from benchmarks.study import Row
from clapp_snn.commands.failures import run_plainly
from clapp_snn.commands.train import images_of
from clapp_snn.methods import get_method
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.device import device_of


@dataclass(frozen=True)
class CostOptions:
    """What is timed.

    Attributes:
        data: "photographs" (embedded) or a folder in STL-10 format; a step reads none of it but one batch.
        methods: rows of the method table that learn; the others are left out.
        width: of the encoder.
        batch: images a step.
        turns: of all methods.
        seconds: spent on one method in a turn.
        device: "auto", "cpu" or "cuda".
        periods: time critical periods, of the methods that can have them.

    Raises ValueError for unknown methods and for fewer than one turn.
    """

    data: str = "photographs"
    methods: tuple[str, ...] = METHODS
    width: float = 0.125
    batch: int = 16
    turns: int = 3
    seconds: float = 2.0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    periods: bool = False

    def __post_init__(self) -> None:
        if self.turns < 1:
            raise ValueError(f"{self.turns} turns time nothing; take 1 or more.")
        for method in self.methods:
            get_method(method)


def costs(options: CostOptions) -> str:
    """The table, and what it was measured with."""
    bench = BenchOptions(data=options.data, width=options.width, batch=options.batch)
    device = device_of(options.device)
    learning = [method for method in options.methods if get_method(method).task != "none"]
    configs = {method: bench.config(method, 1, Path("runs/none")) for method in learning}
    memory = {method: step_memory(config) for method, config in configs.items()}
    rows = []
    for turn in range(options.turns):
        for method, config in configs.items():
            data = images_of(config, "benchmarks.step_costs")
            found = step_time(config, data, device, options.seconds) | memory[method]
            rows.append(Row(method, turn, found, options.seconds))
    return f"{_head(options, device)}\n\n{cost_table(rows, learning)}"


def periods(options: CostOptions) -> str:
    """CPU time of a step of all areas, and of one of every area's critical period."""
    bench = BenchOptions(data=options.data, width=options.width, batch=options.batch)
    device = device_of(options.device)
    ways: dict[str, list[tuple[TrainConfig, int]]] = {}
    for method in options.methods:
        areas = len(get_method(method).splits)
        together = bench.config(method, 1, Path("runs/none"))
        if get_method(method).task != "none":
            with suppress(ValueError):  # says that its areas cannot learn one at a time
                alone = replace(together, plasticity="sequential")
                ways[method] = [(together, 0), *((alone, area) for area in range(areas))]
    best: dict[str, list[float]] = {}
    for _ in range(options.turns):
        for method, each in ways.items():
            data = images_of(each[0][0], "benchmarks.step_costs")
            found = [
                step_time(config, data, device, options.seconds, area)["CPU ms/image"]
                for config, area in each
            ]
            best[method] = [min(pair) for pair in zip(found, best.get(method, found), strict=True)]
    table = []
    for method, (together_ms, *alone_ms) in best.items():
        mean = sum(alone_ms) / len(alone_ms)
        times = [f"{ms:.2f}" for ms in (together_ms, *alone_ms, mean)]
        table.append([get_method(method).title, *times, f"{100 * mean / together_ms:.0f} %"])
    heads = [
        "CPU ms/image", "all areas", *(f"area {area}" for area in range(1, 7)), "mean period",
        "run of equal steps",
    ]  # fmt: skip
    return f"{_head(options, device)}\n\n{markdown(heads, table)}"


def _head(options: CostOptions, device: torch.device) -> str:
    return (
        f"{described(device)}; width {options.width:g}, batch {options.batch}; the quickest step of "
        f"{options.turns} turns."
    )


def main() -> int:
    """Parse the command line, measure and print."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_class_arguments(CostOptions)
    given = parser.parse_args().as_dict()

    def report() -> None:
        options = CostOptions(**given)
        print(periods(options) if options.periods else costs(options))

    return run_plainly("step_costs", report)


if __name__ == "__main__":
    raise SystemExit(main())
