"""Probe results: rows, the file `probe.csv`, and the table printed per layer."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from clapp_snn.evaluation.scores import LayerScore
from clapp_snn.tables import read_table, write_table

RAW = {"pixels": "raw pixels", "mfcc": "MFCC"}
"""What is probed without an encoder, as layer 0, by modality: name in tables, name in words."""


@dataclass(frozen=True)
class ProbeRow:
    """One accuracy (percent): a protocol, an encoder, a layer (0 = raw stimulus, MFCC), a seed.

    `low` and `high` bound the 95 % interval; `top3` and `top5` are None where a probe has no ranking. `step`
    is how long the weights had learned, where that is known.
    """

    protocol: str
    encoder: str
    layer: int
    seed: int
    accuracy: float
    n_test: int
    top5: float | None = None
    note: str = ""
    low: float | None = None
    high: float | None = None
    top3: float | None = None
    step: int | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.accuracy):
            raise ValueError(f"its accuracy is {self.accuracy}")

    @property
    def setting(self) -> str:
        """What rows of one table have in common; the penalty of a layer stays in the CSV file."""
        return self.note.split(", l2")[0]

    @staticmethod
    def of(score: LayerScore, protocol: str, encoder: str, seed: int) -> "ProbeRow":
        """The row of a measured layer."""
        return ProbeRow(protocol=protocol, encoder=encoder, seed=seed, **asdict(score))


@dataclass(frozen=True)
class LayerMean:
    """Accuracy of a layer over the seeds, in percent.

    With one seed the interval is that seed's 95 % interval; with more it spans mean - sd to mean + sd.
    """

    layer: int
    accuracy: float
    low: float
    high: float
    seeds: int


@dataclass
class ProbeTable:
    """Rows in the order they were measured.

    A row measured again replaces the old one. Seeds are averaged, so a row of other weights (another step) or
    another setting (shots, epochs) replaces all of its protocol and encoder.
    """

    rows: list[ProbeRow] = field(default_factory=list)

    def append(self, row: ProbeRow) -> None:
        """Add a row in place of those it replaces."""
        self.rows = [*(old for old in self.rows if not _replaced(old, row)), row]

    def extend(self, rows: Iterable[ProbeRow]) -> None:
        """Append several rows."""
        for row in rows:
            self.append(row)

    @property
    def protocols(self) -> list[str]:
        """Protocols present, in order of appearance."""
        return list(dict.fromkeys(row.protocol for row in self.rows))

    def encoders(self, protocol: str) -> list[str]:
        """Encoders measured with a protocol; what has no layers (raw pixels, MFCC) last."""
        layers: dict[str, set[int]] = {}
        for row in self.rows:
            if row.protocol == protocol:
                layers.setdefault(row.encoder, set()).add(row.layer)
        return sorted(layers, key=lambda name: layers[name] == {0})

    def raw(self, protocol: str) -> tuple[str, "LayerMean"] | None:
        """The raw stimulus in words and its accuracy, if it was measured with a protocol."""
        for name, words in RAW.items():
            if means := self.layer_means(protocol, name):
                return words, means[0]
        return None

    def layer_means(self, protocol: str, encoder: str) -> list[LayerMean]:
        """Mean accuracy and spread per layer over all seeds, ordered by layer."""
        chosen = [r for r in self.rows if (r.protocol, r.encoder) == (protocol, encoder)]
        return [
            _mean([row for row in chosen if row.layer == layer])
            for layer in sorted({row.layer for row in chosen})
        ]

    def write(self, path: Path) -> None:
        """Write `probe.csv` atomically."""
        write_table(path, ProbeRow, self.rows)

    @staticmethod
    def read(path: Path) -> "ProbeTable":
        """Read `probe.csv`.

        Raises:
            FileNotFoundError: if there is none.
            ValueError: naming the line that is no probe result.
        """
        if not path.exists():
            raise FileNotFoundError(
                f"{path} does not exist: run `clapp-snn probe` on the run first."
            )
        table = ProbeTable()
        table.extend(read_table(path, ProbeRow))
        return table

    def text(self) -> str:
        """The tables as plain text, one block a protocol."""
        blocks = [self._block(protocol) for protocol in self.protocols]
        return "\n\n".join(blocks) + "\n" if blocks else "No probe results.\n"

    def _block(self, protocol: str) -> str:
        names = self.encoders(protocol)
        means = {name: {m.layer: m for m in self.layer_means(protocol, name)} for name in names}
        layers = sorted({layer for name in names for layer in means[name] if layer > 0})
        rows = [r for r in self.rows if r.protocol == protocol]
        seeds = max(m.seeds for name in names for m in means[name].values())
        spread = f"± sd over {seeds} seeds" if seeds > 1 else "± half the 95 % interval"
        width = max(len(name) for name in [*names, "accuracy %"])
        header = " ".join([" " * width, *(f"{f'layer {layer}':>11}" for layer in layers)])
        lines = [f"{protocol} probe ({'; '.join(notes(rows))}; {_tests(rows)}; {spread})", header]
        for name in names:
            if set(means[name]) == {0}:
                lines.append(f"{name:<{width}} {_cell(means[name].get(0))}")
            else:
                cells = " ".join(_cell(means[name].get(layer)) for layer in layers)
                lines.append(f"{name:<{width}} {cells}")
        return "\n".join(lines)


def _replaced(old: ProbeRow, new: ProbeRow) -> bool:
    if (old.protocol, old.encoder) != (new.protocol, new.encoder):
        return False
    other = (old.step, old.setting) != (new.step, new.setting)
    return other or (old.layer, old.seed) == (new.layer, new.seed)


def notes(rows: Sequence[ProbeRow]) -> list[str]:
    """Settings of the rows, and how long the weights had learned."""
    steps = sorted({row.step for row in rows if row.step is not None})
    learned = [f"after {' or '.join(map(str, steps))} steps"] if steps else []
    return [*dict.fromkeys(row.setting for row in rows if row.note), *learned]


def _tests(rows: list[ProbeRow]) -> str:
    return " or ".join(f"{n}" for n in sorted({row.n_test for row in rows})) + " test samples"


def _cell(mean: LayerMean | None) -> str:
    if mean is None:
        return f"{'-':>11}"
    return f"{mean.accuracy:5.1f} ±{(mean.high - mean.low) / 2:4.1f}"


def _mean(rows: list[ProbeRow]) -> LayerMean:
    values = [row.accuracy for row in rows]
    mean = statistics.fmean(values)
    if len(rows) > 1:
        spread = statistics.stdev(values)
        return LayerMean(rows[0].layer, mean, mean - spread, mean + spread, len(rows))
    low, high = rows[0].low, rows[0].high
    return LayerMean(
        rows[0].layer, mean, mean if low is None else low, mean if high is None else high, 1
    )
