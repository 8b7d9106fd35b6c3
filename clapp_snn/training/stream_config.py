"""Everything that defines learning from a stream, as data: one frozen record, one YAML file."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import yaml

from clapp_snn.files import write_text
from clapp_snn.training.config import refuse_changes

FILE = "stream.yaml"

FREE_ON_RESUME = ("out", "windows", "log_every", "checkpoint_every", "keep", "milestones")
"""Fields that may change when a run is resumed: they do not touch what is computed in a window."""


@dataclass(frozen=True)
class StreamConfig:
    """A run on a stream of fixations and saccades.

    Attributes:
        data: "digits" (embedded).
        out: folder of the run; None makes runs/stream-DATA-NEURON-sSEED.
        neuron: "rate", "event_burst" (L3), "strict_burst" (L2) or "lif" (L0).
        units: of each area, bottom up.
        window: counted time T of a glance, ms; the rate neuron needs one step, whatever is given.
        settle: uncounted time before it, ms; None takes what the neuron needs (strict_burst 50, else 0).
        dt: time step, ms.
        tau_basal: time constant of the basal synapses, ms; 0 for none.
        rho: events per unit of activity, Hz; None takes 20 Hz, and 5 Hz for L2.
        copies: neurons M per unit and pathway; n = rho T M is the spike budget.
        readout: of the event_burst neuron.
        simulation: "stepped" simulates every time step; "drawn" draws the counts of a window at once
            (event_burst without filters, `clapp_snn.circuit.drawn_window`). The rate neuron has one step.
        retro: "tied", "free" or "zero".
        rule: "adam" (one for each area, betas 0.9, 0.999) or "sgd".
        learning_rate: of the rule, for updates averaged over the batch.
        batch: samples side by side; 1 is online learning.
        windows: length of the stream.
        p_saccade: probability that a glance is reached by a saccade.
        seed: master seed of all random streams.
        log_every, checkpoint_every: windows between rows of metrics.csv, and between checkpoints.
        keep: newest checkpoints that are kept.
        milestones: checkpoints at multiples of this window are kept for good; 0: none.

    Raises ValueError, naming every field that is impossible.
    """

    data: Literal["digits"] = "digits"
    out: Path | None = None
    neuron: Literal["rate", "event_burst", "strict_burst", "lif"] = "event_burst"
    units: tuple[int, ...] = (128, 128)
    window: float = 1000.0
    settle: float | None = None
    dt: float = 1.0
    tau_basal: float = 0.0
    rho: float | None = None
    copies: int = 1
    readout: Literal["half_wave", "opponent"] = "half_wave"
    simulation: Literal["drawn", "stepped"] = "drawn"
    retro: Literal["tied", "free", "zero"] = "tied"
    rule: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-3
    batch: int = 32
    windows: int = 6000
    p_saccade: float = 0.5
    seed: int = 0
    log_every: int = 100
    checkpoint_every: int = 1000
    keep: int = 2
    milestones: int = 0

    def __post_init__(self) -> None:
        problems = []
        for name in ("window", "dt", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                problems.append(f"{name} must be positive, not {getattr(self, name)}")
        for name in ("copies", "batch", "log_every", "checkpoint_every", "keep"):
            if getattr(self, name) < 1:
                problems.append(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("windows", "milestones", "tau_basal"):
            if getattr(self, name) < 0:
                problems.append(f"{name} must not be negative, not {getattr(self, name)}")
        if self.settle is not None and self.settle < 0:
            problems.append(f"settle must not be negative, not {self.settle}")
        if not self.units or min(self.units) < 1:
            problems.append(f"units must name at least one area of at least one unit: {self.units}")
        if not 0 <= self.p_saccade <= 1:
            problems.append(f"p_saccade must lie between 0 and 1, not {self.p_saccade}")
        if self.simulation == "drawn" and self.neuron in ("strict_burst", "lif"):
            problems.append(f"windows of {self.neuron} cannot be drawn; use simulation='stepped'")
        if problems:
            raise ValueError("Impossible configuration: " + "; ".join(problems) + ".")

    @property
    def drawn(self) -> bool:
        """Whether windows are drawn at once."""
        return self.simulation == "drawn" and self.neuron == "event_burst"

    def folder(self) -> Path:
        """The run's folder."""
        if self.out is not None:
            return Path(self.out)
        return Path("runs") / f"stream-{self.data}-{self.neuron}-s{self.seed}"


def write_stream_config(run: str | Path, config: StreamConfig) -> None:
    """Write run/stream.yaml atomically."""
    record = asdict(config)
    record["out"] = None if config.out is None else str(config.out)
    record["units"] = list(config.units)
    write_text(Path(run) / FILE, yaml.safe_dump(record, sort_keys=False))


def read_stream_config(run: str | Path) -> StreamConfig:
    """The configuration in a run's folder.

    Raises FileNotFoundError when there is none, ValueError when it is not one.
    """
    path = Path(run) / FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist: {run} is no run on a stream. Start one with `clapp-snn stream`."
        )
    try:
        record: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not valid YAML: {error}") from error
    names = {field.name for field in fields(StreamConfig)}
    if not isinstance(record, Mapping) or set(record) != names:
        raise ValueError(f"{path} must hold exactly the options {sorted(names)}.")
    values = dict(record)
    values["out"] = None if values["out"] is None else Path(values["out"])
    try:
        values["units"] = tuple(values["units"])
        return StreamConfig(**values)
    except TypeError as error:
        raise ValueError(f"{path} holds an option of the wrong type: {error}.") from error


def require_same_stream(saved: StreamConfig, asked: StreamConfig) -> None:
    """Raise ValueError naming every field that must not change when a run is resumed, and did."""
    refuse_changes(saved, asked, FREE_ON_RESUME)
