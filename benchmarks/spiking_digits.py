"""Spiking CLAPP on the embedded digits: learning, spike budget, depth, ablations and operations.

    python -m benchmarks.spiking_digits --out runs/spiking_digits --study learning --seeds 1 2 3 4 5
    python -m benchmarks.spiking_digits --out runs/spiking_digits --study all --seeds 1 2 3
    python -m benchmarks.spiking_digits --out runs/spiking_digits --study confirm --seeds 6 7 8 9 10

All studies share one pool of cells (a condition and a seed: one network that learns), so none is measured
twice. Cells of equal seed share digits, glances, initial weights and the glances that read-outs see. The
seeds of a condition learn side by side (`benchmarks.side_by_side`); the first one bears the time of all.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import torch

from benchmarks.frozen_windows import frozen_windows, gate_errors, mean_of, mean_operations
from benchmarks.side_by_side import SideBySide, stack, unstack
from benchmarks.spiking_tables import STUDIES, report
from benchmarks.study import run_cells
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.evaluation.stream_probe import cache_glances, probe_glances
from clapp_snn.evaluation.synaptic_operations import Operations, saving
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.parameters import MS_PER_S
from clapp_snn.stimuli.digits import Digits, open_digits
from clapp_snn.stimuli.glances import Glance, GlanceStream, Objects, Position
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import StreamConfig

DEEP: dict[str, Any] = {"units": (128, 128, 128, 128)}
STEPPED: dict[str, Any] = {
    "simulation": "stepped", "window": 200.0, "dt": 10.0, "copies": 5, "windows": 1000,
}  # fmt: skip
CONDITIONS: dict[str, dict[str, Any]] = {
    "rate": {"neuron": "rate"},
    "n20": {},
    "n100": {"copies": 5},
    "n2": {"window": 100.0},
    "n5": {"window": 250.0},
    "n10": {"window": 500.0},
    "n50": {"window": 2500.0},
    "n20-copies5-T200": {"window": 200.0, "copies": 5},
    "n20-rho100-T200": {"window": 200.0, "rho": 100.0},
    "rate-deep": {"neuron": "rate", **DEEP},
    "n20-deep": DEEP,
    "n100-deep": {"copies": 5, **DEEP},
    "opponent": {"readout": "opponent"},
    "single_population": {"readout": "opponent", "ablation": "single_population"},
    **{
        name: {"ablation": name}
        for name in (
            "exact_score", "exact_plasticity", "shuffled_gamma", "other_gamma", "no_gate",
            "apical_drives_soma", "dale",
        )
    },
    "latch-stepped": STEPPED,
    "leaky_memory": {"ablation": "leaky_memory", **STEPPED},
}  # fmt: skip
"""What differs from the default: two areas of 128, L3 half-wave, 1 s at 20 Hz, one copy (n = 20)."""

CURVE = (0, 300, 1000, 2000, 3500)
POINTS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("rate", "n20", "n100"), CURVE),
    **dict.fromkeys(("rate-deep", "n20-deep", "n100-deep"), (0,)),
}
"""Windows at which a condition is read out, besides the end."""

FROZEN, FEW = 20, 2
"""Windows of 32 samples: for errors of gates, and each time that operations are counted."""


def configuration(condition: str, seed: int, windows: int) -> StreamConfig:
    """Of a cell; a condition may name fewer windows."""
    changes = dict(CONDITIONS[condition])
    changes["windows"] = min(windows, changes.get("windows", windows))
    return replace(StreamConfig(seed=seed), **changes)


def budget(config: StreamConfig) -> float:
    """n = rho T M: events per unit of activity and pathway."""
    return (config.rho or 20.0) * config.window / MS_PER_S * config.copies


def probes(
    network: StreamHierarchy,
    digits: Digits,
    config: StreamConfig,
    prefix: str = "",
    suffix: str = "",
) -> dict[str, float]:
    """Linear and 5-shot accuracy of every area, 0 for pixels."""
    cache = cache_glances(network, digits.train, digits.test, config.seed, drawn=config.drawn)
    values = {}
    for linear, few in zip(*probe_glances(cache, config.seed), strict=True):
        values[f"{prefix}linear{linear.layer}{suffix}"] = linear.accuracy
        values[f"{prefix}few{few.layer}{suffix}"] = few.accuracy
    return values


class SharedGlances(GlanceStream):
    """Keeps what it showed: conditions of equal seed look at the same glances."""

    def __init__(self, objects: Objects, samples: Sequence[int], seed: int, p: float) -> None:
        super().__init__(objects, samples, seed, p)
        self._shown: list[tuple[Glance, Position]] = []

    def next(self, position: Position) -> tuple[Glance, Position]:
        """The glance at `position`; glances are asked for one after another."""
        if position.window == len(self._shown):
            self._shown.append(super().next(position))
        return self._shown[position.window]


@cache
def look(seed: int, batch: int, p_saccade: float) -> tuple[Digits, GlanceStream]:
    """Digits of a seed and the glances at those to learn from."""
    digits = open_digits(seed)
    return digits, SharedGlances(digits.train, range(batch), seed, p_saccade)


@lru_cache(maxsize=1)
def measure(condition: str, seeds: tuple[int, ...], windows: int) -> dict[int, dict[str, float]]:
    """Learn with all seeds side by side, and read out what the tables want."""
    configs = [configuration(condition, seed, windows) for seed in seeds]
    first, spiking = configs[0], configs[0].neuron != "rate"
    seen = [look(seed, first.batch, first.p_saccade) for seed in seeds]
    networks = [build_network(config) for config in configs]
    sources = [
        Streams.from_seed(0, condition, *seeds, "area", index)
        for index in range(len(networks[0].areas))
    ]
    run = SideBySide(
        stack(networks), len(seeds), first.batch, sources, first.learning_rate, first.drawn
    )
    positions = [stream.start() for _, stream in seen]
    values: list[dict[str, float]] = [{"n": budget(first)} if spiking else {} for _ in seeds]
    costs: list[list[list[Operations]]] = [[] for _ in seeds]
    points = POINTS.get(condition, ())
    while run.windows < first.windows:
        if run.windows in points or (spiking and run.windows % 500 == 0):
            unstack(run.network, networks)
        for number, (config, network) in enumerate(zip(configs, networks, strict=True)):
            digits = seen[number][0]
            if run.windows in points:
                values[number] |= probes(network, digits, config, suffix=f"@{run.windows}")
            if spiking and run.windows % 500 == 0:
                costs[number].append(_operations(network, digits, config))
        shown = [stream.next(at) for (_, stream), at in zip(seen, positions, strict=True)]
        positions = [after for _, after in shown]
        run.learn(
            torch.cat([glance.view for glance, _ in shown]).flatten(1),
            torch.cat([glance.y for glance, _ in shown]),
        )
    unstack(run.network, networks)
    for number, (config, network) in enumerate(zip(configs, networks, strict=True)):
        digits = seen[number][0]
        values[number] |= probes(network, digits, config)
        for area, gate in enumerate(run.gates[:, number].tolist()):
            values[number][f"gate{area + 1}"] = 100 * gate / run.windows
        if spiking:
            values[number] |= _costs(costs[number])
        if "ablation" not in CONDITIONS[condition]:
            codes = ("rate", "n20", "n100") if points == CURVE else ("rate",)
            values[number] |= _other_codes(network, digits, config, codes)
    return dict(zip(seeds, values, strict=True))


def _operations(network: StreamHierarchy, digits: Digits, config: StreamConfig) -> list[Operations]:
    windows = frozen_windows(network, digits.train, config.seed, FEW, drawn=config.drawn)
    return mean_operations(network, windows, budget(config))


def _costs(costs: list[list[Operations]]) -> dict[str, float]:
    """Per sample, averaged over learning, summed over areas; ungated: what no gate would cost."""
    total = [mean_of(column) for column in zip(*costs, strict=True)]
    values = {
        name: sum(getattr(each, name) for each in total)
        for name in ("events", "forward", "lateral", "plasticity", "ungated")
    }
    values["saving"] = 100 * saving(total)
    for area, each in enumerate(total):
        values[f"changed{area + 1}"] = 100 * each.changed
    values["end_events"] = sum(each.events for each in costs[-1])
    values["end_forward"] = sum(each.forward for each in costs[-1])
    values["end_saving"] = 100 * saving(costs[-1])
    return values


def _other_codes(
    network: StreamHierarchy, digits: Digits, config: StreamConfig, codes: Sequence[str]
) -> dict[str, float]:
    """The learned weights read out through other neurons, and how often their gates differ from rate mode."""
    values: dict[str, float] = {}
    for name in codes:
        other = replace(configuration(name, config.seed, 0), units=config.units)
        if (other.neuron, budget(other)) == (config.neuron, budget(config)):
            continue
        copy = build_network(other)
        copy.load_state_dict(network.state_dict())
        values |= probes(copy, digits, other, prefix=f"{name}_")
        if config.neuron != "rate" and name == "rate":
            errors = gate_errors(
                frozen_windows(network, digits.train, config.seed, FROZEN, drawn=config.drawn),
                frozen_windows(copy, digits.train, config.seed, FROZEN, drawn=False),
            )
            values |= {f"gate_error{n + 1}": 100 * error for n, error in enumerate(errors)}
    return values


def main() -> None:
    """Run what is missing, print tables and draw figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="folder of the cells")
    parser.add_argument("--study", choices=[*STUDIES, "all"], default="all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--windows", type=int, default=6000, help="glances of each of 32 samples")
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = list(STUDIES) if options.study == "all" else [options.study]
    seeds = tuple(options.seeds)
    settings = {"windows": options.windows}
    for name in names:
        conditions = STUDIES[name].conditions
        rows = run_cells(
            options.out,
            [(condition, seed) for condition in conditions for seed in seeds],
            lambda condition, seed, _: measure(condition, seeds, options.windows)[seed],
            settings,
            f"benchmarks.spiking_digits --study {name}",
        )
        print(f"\n{report(name, rows, options.windows, options.out)}\n", flush=True)


if __name__ == "__main__":
    main()
