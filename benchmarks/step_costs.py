"""What a step of every method costs, all timed in turns in one run.

    python -m benchmarks.step_costs
    python -m benchmarks.step_costs --data path/to/Imagenette-96 --methods '[clapp,softhebb]'

The cells of `local_learners` are timed hours apart, on machines that had other work, too; here the methods
take turns, and the quickest step of each counts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser

from benchmarks.learner_costs import step_memory, step_time
from benchmarks.learner_tables import cost_table
from benchmarks.local_learners import METHODS, BenchOptions
from benchmarks.machine import described
from benchmarks.study import Row
from clapp_snn.commands.failures import run_plainly
from clapp_snn.commands.train import images_of
from clapp_snn.methods import get_method
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

    Raises ValueError for unknown methods and for fewer than one turn.
    """

    data: str = "photographs"
    methods: tuple[str, ...] = METHODS
    width: float = 0.125
    batch: int = 16
    turns: int = 3
    seconds: float = 2.0
    device: Literal["auto", "cpu", "cuda"] = "auto"

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
    head = (
        f"{described(device)}; width {options.width:g}, batch {options.batch}; the quickest step of "
        f"{options.turns} turns."
    )
    return f"{head}\n\n{cost_table(rows, learning)}"


def main() -> int:
    """Parse the command line, measure and print."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_class_arguments(CostOptions)
    given = parser.parse_args().as_dict()
    return run_plainly("step_costs", lambda: print(costs(CostOptions(**given))))


if __name__ == "__main__":
    raise SystemExit(main())
