"""Where the apical input comes from: own area, area above, top area; in rates and in spikes, on the digits.

    python -m benchmarks.spiking_feedback --out runs/spiking_feedback --seeds 1 2 3

Cells are METHOD-CODE, with codes `rate` and nN (N events per unit of activity in a window), and untrained
networks. Cells of equal seed share digits, glances, initial weights (direct feedback and CLAPP-fb have the
same W_pred as the others) and the glances that read-outs see. Windows are drawn at once.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.study import Row, run_cells, summary_table
from clapp_snn.circuit.engine_choice import choose_engine
from clapp_snn.evaluation.stream_probe import cache_glances, probe_glances
from clapp_snn.run_files import METRICS
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import StreamConfig
from clapp_snn.training.stream_loop import train_stream
from clapp_snn.training.stream_objects import open_objects

METHODS = ("clapp", "clapp-pp", "clapp-fb", "clapp-pp-dfb")
UNTRAINED = "untrained"
CODES: dict[str, dict[str, str | int]] = {
    "rate": {"neuron": "rate"},
    "n20": {"copies": 1},
    "n100": {"copies": 5},
}
"""20 Hz in windows of 1 s give 20 events for each copy."""


def configure(
    condition: str, seed: int, windows: int, units: tuple[int, ...], out: Path
) -> StreamConfig:
    """A run of one cell; an untrained one does not learn."""
    method, _, code = condition.rpartition("-")
    still = method == UNTRAINED
    base = StreamConfig(
        method="clapp" if still else method,
        units=units,
        windows=0 if still else windows,
        seed=seed,
        out=out / "run",
    )
    return replace(base, **CODES[code])  # type: ignore[arg-type]


def measure(config: StreamConfig) -> dict[str, float]:
    """Accuracy of every area in percent, and 100 times the last loss and gate that were logged."""
    objects, network = open_objects(config), build_network(config)
    values: dict[str, float] = {}
    if config.windows:
        resume = (config.folder() / "stream.yaml").exists()
        if train_stream(config, resume=resume, quiet=True, objects=objects).interrupted:
            raise KeyboardInterrupt
        network.load_state_dict(load_checkpoint(config.folder()).model)
        head, *_, last = (config.folder() / METRICS).read_text().split()
        logged = dict(zip(head.split(","), map(float, last.split(",")), strict=True))
        for area in range(1, len(config.units) + 1):
            values |= {f"{k}{area}": 100 * logged[f"{k}_{area}"] for k in ("loss", "gate")}
    engine, _ = choose_engine(network, config.drawn)
    cache = cache_glances(
        network, objects.train, objects.test, config.seed, drawn=config.drawn, engine=engine
    )
    for linear, few in zip(*probe_glances(cache, config.seed), strict=True):
        values |= {f"linear{linear.layer}": linear.accuracy, f"few{few.layer}": few.accuracy}
    return values


def tables(rows: list[Row], codes: list[str], areas: int) -> str:
    """One table for each code and probe, against context from the own area; then spikes against rates."""
    parts = []
    kinds = {kind: [f"{kind}{area}" for area in range(1, areas + 1)] for kind in ("linear", "few")}
    for code in codes:
        mine = [row for row in rows if row.condition.endswith(f"-{code}")]
        for columns in kinds.values():
            parts.append(summary_table(mine, columns, f"clapp-pp-{code}"))
    for method in METHODS if "rate" in codes else ():
        mine = [row for row in rows if row.condition.rpartition("-")[0] == method]
        if len(codes) > 1 and mine:
            every = [name for columns in kinds.values() for name in columns]
            parts.append(summary_table(mine, every, f"{method}-rate"))
    return "\n\n".join(parts)


def main() -> None:
    """Measure what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("runs/spiking_feedback"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--codes", nargs="+", choices=list(CODES), default=["rate", "n100"])
    parser.add_argument("--units", type=int, nargs="+", default=[128] * 4)
    parser.add_argument("--windows", type=int, default=6000, help="glances of each of 32 samples")
    options = parser.parse_args()
    torch.set_num_threads(1)
    units = tuple(options.units)
    cells = [
        (f"{method}-{code}", seed)
        for seed in options.seeds
        for code in options.codes
        for method in (UNTRAINED, *options.methods)
    ]
    rows = run_cells(
        options.out,
        cells,
        lambda condition, seed, out: measure(
            configure(condition, seed, options.windows, units, out)
        ),
        {"windows": options.windows, "units": units},
        "benchmarks.spiking_feedback",
    )
    order = {name: None for name, _ in cells}
    ordered = [row for name in order for row in rows if row.condition == name]
    print(f"\n{tables(ordered, options.codes, len(units))}", flush=True)


if __name__ == "__main__":
    main()
