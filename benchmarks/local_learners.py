"""Local learning rules side by side: same encoder, data, steps and probe.

    python -m benchmarks.local_learners --steps 300 --seeds '[1]'
    python -m benchmarks.local_learners --data path/to/Imagenette-96 --out runs/local_learners \
        --steps 2500 --seeds '[1,2,3]'

Every method and seed is trained in a folder of its own, every kept checkpoint is probed, and one step is
timed. What is there is not done again: an interrupted bench goes on at the last checkpoint, and several
processes with different methods or seeds may share a folder. `--collect true` only reads what is there.
Either way the tables go to OUT/comparison.md and the learning curves to OUT/curves.png (linear probe) and
OUT/curves_few_shot.png.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser

from benchmarks.learner_costs import step_memory, step_time
from benchmarks.learner_tables import collect
from benchmarks.study import run_cells
from clapp_snn.circuit.soft_hebb import PUBLISHED
from clapp_snn.commands.failures import run_plainly
from clapp_snn.commands.options import ProbeOptions, Protocol
from clapp_snn.commands.probe import probe_curve
from clapp_snn.commands.train import images_of, train
from clapp_snn.evaluation.probe_curve import read_curve
from clapp_snn.methods import get_method
from clapp_snn.run_files import CONFIG, PROBE_CURVE
from clapp_snn.training.config import FREE_ON_RESUME, TrainConfig, read_config
from clapp_snn.training.device import device_of

METHODS = (
    "clapp", "clapp-s", "clapp-fb", "clapp-pp", "clapp-pp-dfb", "clapp-pp-both", "gim-layerwise",
    "lpl", "softhebb", "scff", "hinge-dfa", "hinge-predictive-coding", "hinge-cpc", "supervised", "random",
)  # fmt: skip
"""In the order of the tables: local rules, their relatives, back-propagation, no learning."""

PROTOCOLS: tuple[Protocol, ...] = ("fast", "few-shot")
LAYERS = 6


@dataclass(frozen=True)
class BenchOptions:
    """What is compared.

    Attributes:
        data: "photographs" (embedded) or a folder in STL-10 format.
        out: folder of the bench.
        steps: of learning, for every method.
        seeds: of weights, order of images, views and saccades.
        methods: rows of the method table.
        width: of the encoder.
        batch: images a step.
        learning_rate: of Adam, for every method but SoftHebb, which takes its published plain steps.
        points: probes on the way, evenly spaced, the last one at the end; all methods are also probed
            before learning.
        seconds: spent on timing a step.
        device: "auto", "cpu" or "cuda".
        reuse: folders of longer runs; those of an equal configuration whose learning curve was probed after
            the same steps (`clapp-snn probe RUN --curve true`) are read instead of training again.
        collect: only read what is there.

    Raises ValueError for unknown methods and for steps that cannot be cut into the points.
    """

    data: str = "photographs"
    out: Path = Path("runs/local_learners")
    steps: int = 2500
    seeds: tuple[int, ...] = (1,)
    methods: tuple[str, ...] = METHODS
    width: float = 0.125
    batch: int = 16
    learning_rate: float = 1e-3
    points: int = 5
    seconds: float = 5.0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    reuse: tuple[Path, ...] = ()
    collect: bool = False

    def __post_init__(self) -> None:
        for method in self.methods:
            get_method(method)
        if self.points < 1 or self.steps % self.points:
            raise ValueError(
                f"{self.steps} steps cannot be cut into {self.points} equal parts; choose another number of "
                "points."
            )

    def settings(self) -> dict[str, object]:
        """What all cells of a folder have in common."""
        free = ("out", "seeds", "methods", "device", "seconds", "reuse", "collect")
        return {name: value for name, value in asdict(self).items() if name not in free}

    def config(self, method: str, seed: int, folder: Path) -> TrainConfig:
        """The run of a method and seed."""
        each = self.steps // self.points
        plain = get_method(method).task == "hebbian"
        rate = PUBLISHED if plain else self.learning_rate
        return TrainConfig(
            method=method, data=self.data, out=folder, width=self.width, batch=self.batch,
            steps=self.steps, learning_rate=rate, seed=seed, log_every=min(50, each),
            checkpoint_every=each, milestones=each, keep=1, device=self.device,
        )  # fmt: skip


def measure(options: BenchOptions, method: str, seed: int, folder: Path) -> dict[str, float]:
    """Train (or go on, or find a run), probe every kept checkpoint, time a step.

    Accuracy is named "PROTOCOL LAYER at STEP". Raises KeyboardInterrupt when a signal stopped the training.
    """
    config = options.config(method, seed, folder)
    found = longer_run(options, config)
    if not found:
        result = train(config, resume=(folder / CONFIG).exists(), quiet=True)
        if result.interrupted:
            raise KeyboardInterrupt
        probes = ProbeOptions(protocols=PROTOCOLS, device=options.device)
        found = accuracies(probe_curve(folder, probes, say=lambda _: None))
    if get_method(method).task != "none":
        data = images_of(config, "benchmarks.local_learners")
        found |= step_time(config, data, device_of(options.device), options.seconds)
        found |= step_memory(config)
    return found


def longer_run(options: BenchOptions, config: TrainConfig) -> dict[str, float]:
    """Accuracies of the first run to be reused that was probed wherever this one would be; else nothing."""
    each = options.steps // options.points
    steps = [0] if get_method(config.method).task == "none" else range(0, options.steps + 1, each)
    for run in options.reuse:
        saved = read_config(run)
        free = {name: getattr(config, name) for name in FREE_ON_RESUME}
        if replace(saved, **free) != config or not (run / PROBE_CURVE).exists():
            continue
        found = accuracies(run / PROBE_CURVE)
        wanted = [name for name in found if int(name.split(" at ")[1]) in steps]
        if len(wanted) == len(steps) * len(PROTOCOLS) * LAYERS:
            print(f"{config.method}, seed {config.seed}: accuracies from {run}", flush=True)
            return {name: found[name] for name in wanted}
    return {}


def accuracies(curve: Path) -> dict[str, float]:
    """Percent, from the file of a learning curve."""
    return {f"{row.protocol} {row.layer} at {row.step}": row.accuracy for row in read_curve(curve)}


def bench(options: BenchOptions) -> None:
    """Measure what is missing, then write and print the comparison of everything that is there."""
    if not options.collect:
        cells = [(method, seed) for seed in options.seeds for method in options.methods]

        def cell(method: str, seed: int, folder: Path) -> dict[str, float]:
            return measure(options, method, seed, folder)

        run_cells(options.out, cells, cell, options.settings(), "benchmarks.local_learners")
    print(collect(options.out, METHODS))


def main() -> int:
    """Parse the command line and run."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_class_arguments(BenchOptions)
    given = parser.parse_args().as_dict()
    return run_plainly("local_learners", lambda: bench(BenchOptions(**given)))


if __name__ == "__main__":
    raise SystemExit(main())
