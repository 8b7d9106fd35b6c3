"""Spiking against rate CLAPP on image patches, in convolutional areas, at equal updates.

    python -m benchmarks.spiking_images --source path/to/Imagenette-96 --out runs/spiking_images --seeds 1 2

Both codes start from the weights of rate mode's VGG-6 with the same seed, learn from the same stream of
16 x 16 patches (a fixation is another patch of the same image), and are probed on the same images after every
number of windows in `--points`: mean activity of one window over the 16 patches that tile the centre,
logistic regression and nearest class mean of five. After 0 windows the network is untrained. Conditions nN
learn with N expected events per unit activity. An interrupted study goes on at the last checkpoint.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from benchmarks.study import run_cells, summary_table
from clapp_snn.circuit.engine_choice import choose_engine
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.evaluation.fast_probe import fast_probe
from clapp_snn.evaluation.few_shot import few_shot_probe
from clapp_snn.evaluation.stream_probe import cache_glances
from clapp_snn.files import write_text
from clapp_snn.run_files import METRICS
from clapp_snn.stimuli.glances import Inspectable
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import StreamConfig
from clapp_snn.training.stream_loop import train_stream
from clapp_snn.training.stream_objects import StreamObjects, open_objects

CODES: dict[str, dict[str, str | int]] = {
    "rate": {"neuron": "rate"},
    "n20": {"neuron": "event_burst", "copies": 1},
    "n100": {"neuron": "event_burst", "copies": 5},
}
"""20 Hz in windows of 1 s give 20 events for each copy."""

AREAS = 6


@dataclass(frozen=True, eq=False)
class EveryNth:
    """Evenly spaced objects of a set."""

    objects: Inspectable
    step: int

    def _numbers(self) -> Int64[Tensor, "kept"]:
        return torch.arange(0, len(self.objects), self.step)

    @property
    def labels(self) -> Int64[Tensor, "kept"] | None:
        """Classes of those kept."""
        labels = self.objects.labels
        return None if labels is None else labels[self._numbers()]

    @property
    def looks(self) -> int:
        """Those of the objects."""
        return self.objects.looks

    def __len__(self) -> int:
        return len(self._numbers())

    def views(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float32[Tensor, "sample *shape"]:
        """Views of those kept."""
        return self.objects.views(self._numbers()[indices], generators)

    def inspect(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float32[Tensor, "sample look *shape"]:
        """Looks at those kept."""
        return self.objects.inspect(self._numbers()[indices], generators)

    def raw(self, seen: Float32[Tensor, "sample look *shape"]) -> Float32[Tensor, "sample feature"]:
        """That of the objects."""
        return self.objects.raw(seen)


def configure(options: argparse.Namespace, condition: str, seed: int, out: Path) -> StreamConfig:
    """A run of one cell."""
    base = StreamConfig(
        data="images",
        source=options.source,
        encoder="vgg6",
        width=options.width,
        batch=options.batch,
        windows=max(options.points),
        learning_rate=options.learning_rate,
        checkpoint_every=options.checkpoint_every,
        seed=seed,
        out=out / "run",
    )
    return replace(base, **CODES[condition])  # type: ignore[arg-type]


def probe(
    options: argparse.Namespace,
    objects: StreamObjects,
    network: StreamHierarchy,
    config: StreamConfig,
) -> dict[str, float]:
    """Accuracies of every area in percent."""
    parts = (EveryNth(objects.train, options.every), EveryNth(objects.test, options.every))
    engine, _ = choose_engine(network, config.drawn)
    cache = cache_glances(network, *parts, config.seed, drawn=config.drawn, engine=engine)
    del cache.train[0], cache.test[0]
    scores = {
        "linear": fast_probe(cache, config.seed),
        "5-shot": few_shot_probe(cache, config.seed),
    }
    return {
        f"{name} {score.layer}": score.accuracy for name, each in scores.items() for score in each
    }


def measure(
    options: argparse.Namespace, objects: StreamObjects, condition: str, seed: int, out: Path
) -> dict[str, float]:
    """Accuracies after every number of windows asked for, and 100 times the loss there."""
    config = configure(options, condition, seed, out)
    values: dict[str, float] = {}
    for point in sorted(options.points):
        network, seen = build_network(config), {}
        kept = config.folder() / f"probe_{point}.json"
        if not kept.exists():
            if point:
                resume = (config.folder() / "stream.yaml").exists()
                asked = replace(config, windows=point)
                if train_stream(asked, resume=resume, quiet=True, objects=objects).interrupted:
                    raise KeyboardInterrupt
                network.load_state_dict(load_checkpoint(config.folder()).model)
                head, *_, last = (config.folder() / METRICS).read_text().split()
                logged = dict(zip(head.split(","), map(float, last.split(",")), strict=True))
                seen = {f"100 loss {k}": 100 * logged[f"loss_{k}"] for k in range(1, AREAS + 1)}
            seen |= probe(options, objects, network, config)
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_text(kept, json.dumps(seen))
        values |= {f"{name} at {point}": v for name, v in json.loads(kept.read_text()).items()}
    return values


def main() -> None:
    """Measure what is missing, print one table for each probe and number of windows, areas as columns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="data in STL-10 format")
    parser.add_argument("--out", type=Path, default=Path("runs/spiking_images"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--codes", nargs="+", choices=list(CODES), default=list(CODES))
    parser.add_argument("--points", type=int, nargs="+", default=[0, 1000, 2500, 5000, 10000])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--width", type=float, default=1 / 16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--every", type=int, default=3, help="probe every n-th labelled image")
    parser.add_argument("--checkpoint-every", type=int, default=500)
    options = parser.parse_args()
    opened: list[StreamObjects] = []

    def cell(condition: str, seed: int, folder: Path) -> dict[str, float]:
        if not opened:
            opened.append(open_objects(configure(options, condition, seed, folder)))
        return measure(options, opened[0], condition, seed, folder)

    free = ("out", "seeds", "codes", "checkpoint_every")
    settings = {k: v for k, v in vars(options).items() if k not in free}
    cells = [(name, seed) for seed in options.seeds for name in options.codes]
    rows = run_cells(options.out, cells, cell, settings, "benchmarks.spiking_images")
    for kind in ("linear", "5-shot", "100 loss"):
        for point in options.points:
            columns = [f"{kind} {area} at {point}" for area in range(1, AREAS + 1)]
            if columns[0] in rows[0].values:
                print(f"\n{summary_table(rows, columns, options.codes[0])}", flush=True)


if __name__ == "__main__":
    main()
