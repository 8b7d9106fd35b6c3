"""Everything that defines learning from a stream, as data: one frozen record, one YAML file."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

from clapp_snn.circuit.ablations import Ablation
from clapp_snn.circuit.build_stream import require_stream
from clapp_snn.files import write_text
from clapp_snn.functional.window_plasticity import Post
from clapp_snn.methods import get_method
from clapp_snn.run_files import STREAM_CONFIG
from clapp_snn.training.config import refuse_changes
from clapp_snn.training.device import Device
from clapp_snn.training.records import record_from_file, record_text

FREE_ON_RESUME = ("out", "windows", "log_every", "checkpoint_every", "keep", "milestones")
"""Fields that may change when a run is resumed: they do not touch what is computed in a window."""


@dataclass(frozen=True)
class StreamConfig:
    """A run on a stream of fixations and saccades.

    Attributes:
        data: "digits" (embedded), "images", "events" or "sounds"; what a glance is, and the unit of its
            values, is said in `clapp_snn.training.stream_objects`.
        source: images: what rate mode opens as data (None: embedded photographs); events: folder with
            train and test recordings; sounds: an .npz file.
        unlabeled_from_train: learn from the training images instead of unlabelled ones.
        fold: events and sounds: which of `folds` parts of all recordings is the test; None takes the given
            split. Folds do not depend on the seed.
        folds: number of these parts.
        glance: images: side of a glance in pixels; an encoder takes its own patches.
        color: images in red, green and blue, else grey.
        resolution: events: "pooled" averages counts over 2 x 2 pixels, "full" takes every pixel.
        out: folder of the run; None makes runs/stream-DATA-NEURON-sSEED, with the method before the seed
            where it is another than "clapp".
        method: row of the method table that is local in space and time: "clapp", "clapp-pp", "clapp-pp-dfb",
            "clapp-fb", ... (`clapp_snn.circuit.stream_context`).
        neuron: "rate" (rate code), or in spikes "event_burst" (L3), "strict_burst" (L2) or "lif" (L0).
        encoder: "dense" areas of `units`, or convolutional ones by an encoder's table ("vgg6"; images, and
            pooled events), started as in rate mode.
        width: multiplies the channels of every layer of the encoder.
        units: of each dense area, bottom up.
        window: counted time T of a glance, ms; the rate neuron needs one step, whatever is given.
        settle: uncounted time before it, ms; None takes what the neuron needs (strict_burst 50, else 0).
        dt: time step, ms.
        tau_basal: time constant of the basal synapses, ms; 0 for none.
        post_factor: how synapses know A and rho'(a) of Eqs. 6 and 7, from "drive" to "burst"
            (`clapp_snn.functional.window_plasticity`).
        tau_eligibility: time constant of what synapses hold of a stepped window, ms; None for counts.
        rho: events per unit of activity, Hz; None takes 20 Hz, and 5 Hz for L2.
        copies: neurons M per unit and pathway; n = rho T M is the spike budget.
        readout: of the event_burst neuron.
        soma: of the lif neuron: "calibrated" fires at rate rho [a]_+, "linear" is charged by events times
            weights, as on a chip (`clapp_snn.circuit.ports.LinearLIFPort`).
        simulation: "stepped" simulates every time step; "drawn" draws the counts of a window at once
            (event_burst without filters, `clapp_snn.circuit.drawn_window`). The rate neuron has one step.
        engine: "native" computes windows with compiled kernels (CPU, float32), "torch" eagerly; "auto" takes
            native where it applies, and says so. Random numbers of spikes differ between the two; a run is
            resumed with the engine that began it.
        device: "auto" takes a GPU where there is one, "cpu" or "cuda". On a GPU windows run eagerly.
        retro: "tied", "free" or "zero", of method "clapp"; other methods have what their row says.
        ablation: part of the spiking circuit that is left out or broken (`clapp_snn.circuit.ablations`).
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

    data: Literal["digits", "images", "events", "sounds"] = "digits"
    source: Path | None = None
    unlabeled_from_train: bool = False
    fold: int | None = None
    folds: int = 5
    glance: int = 16
    color: bool = False
    resolution: Literal["pooled", "full"] = "pooled"
    out: Path | None = None
    method: str = "clapp"
    neuron: Literal["rate", "event_burst", "strict_burst", "lif"] = "event_burst"
    encoder: Literal["dense", "vgg6"] = "dense"
    width: float = 1.0
    units: tuple[int, ...] = (128, 128)
    window: float = 1000.0
    settle: float | None = None
    dt: float = 1.0
    tau_basal: float = 0.0
    post_factor: Post = "drive"
    tau_eligibility: float | None = None
    rho: float | None = None
    copies: int = 1
    readout: Literal["half_wave", "opponent"] = "half_wave"
    soma: Literal["calibrated", "linear"] = "calibrated"
    simulation: Literal["drawn", "stepped"] = "drawn"
    engine: Literal["auto", "torch", "native"] = "auto"
    device: Device = "auto"
    retro: Literal["tied", "free", "zero"] = "tied"
    ablation: Ablation = "none"
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
        problems = [
            f"{name} is one of {', '.join(get_args(kind))}, not {getattr(self, name)!r}"
            for name, kind in get_type_hints(type(self)).items()
            if get_origin(kind) is Literal and getattr(self, name) not in get_args(kind)
        ]
        for name in ("window", "dt", "learning_rate", "width"):
            if not 0 < getattr(self, name) < math.inf:
                problems.append(f"{name} must be positive, not {getattr(self, name)}")
        for name in ("copies", "batch", "log_every", "checkpoint_every", "keep", "glance"):
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
        problems += self._problems_of_method()
        problems += self._problems_of_plasticity()
        if self.soma != "calibrated" and self.neuron != "lif":
            problems.append(f"only the lif neuron has a {self.soma} soma, not {self.neuron}")
        if self.simulation == "drawn" and self.neuron in ("strict_burst", "lif"):
            problems.append(f"windows of {self.neuron} cannot be drawn; use simulation='stepped'")
        if self.ablation != "none" and (self.encoder != "dense" or self.neuron == "rate"):
            problems.append("ablations are of dense spiking areas")
        problems += self._problems_of_data()
        if self.engine == "native" and self.device == "cuda":
            problems.append("engine='native' computes on the CPU; use device='cpu'")
        if problems:
            raise ValueError("Impossible configuration: " + "; ".join(problems) + ".")

    def _problems_of_method(self) -> list[str]:
        try:
            require_stream(get_method(self.method))
        except ValueError as error:
            return [str(error).rstrip(".")]
        if self.method == "clapp":
            return []
        problems = []
        if self.retro != "tied":
            problems.append(f"retro={self.retro!r} is for method 'clapp', not {self.method!r}")
        if self.ablation != "none":
            problems.append(f"ablations are of method 'clapp', not {self.method!r}")
        return problems

    def _problems_of_plasticity(self) -> list[str]:
        problems = []
        if self.post_factor.startswith("burst") and self.neuron == "rate":
            problems.append(f"the rate neuron has no bursts for post_factor={self.post_factor!r}")
        if self.tau_eligibility is not None:
            if not 0 < self.tau_eligibility < math.inf:
                problems.append(
                    f"tau_eligibility must be positive (None for counts), not {self.tau_eligibility}"
                )
            if self.neuron == "rate":
                problems.append("a window of the rate neuron is one step, in which no trace decays")
            elif self.drawn:
                problems.append(
                    "traces decay step by step: tau_eligibility needs simulation='stepped'"
                )
        return problems

    def _problems_of_data(self) -> list[str]:
        problems = []
        if self.data in ("events", "sounds") and self.source is None:
            problems.append(f"data={self.data!r} needs a source")
        if self.data == "digits" and self.source is not None:
            problems.append("the digits are embedded and take no source")
        if self.fold is not None and self.data not in ("events", "sounds"):
            problems.append(f"only events and sounds have folds, not {self.data}")
        if self.folds < 2 or not 0 <= (self.fold or 0) < self.folds:
            problems.append(
                f"fold must be one of at least two, counted from 0, not {self.fold} of {self.folds}"
            )
        if self.encoder != "dense" and self.data in ("digits", "sounds"):
            problems.append(f"{self.encoder} takes images or events, not {self.data}")
        if self.encoder != "dense" and self.data == "events" and self.resolution == "full":
            problems.append(f"{self.encoder} takes pooled events")
        return problems

    @property
    def drawn(self) -> bool:
        """Whether windows are drawn at once."""
        return self.simulation == "drawn" and self.neuron == "event_burst"

    @property
    def in_time(self) -> bool:
        """Whether the input changes from step to step."""
        recorded = self.data in ("events", "sounds")
        return recorded and self.simulation == "stepped" and self.neuron != "rate"

    def folder(self) -> Path:
        """The run's folder."""
        if self.out is not None:
            return Path(self.out)
        fold = "" if self.fold is None else f"-f{self.fold}"
        method = "" if self.method == "clapp" else f"-{self.method}"
        return Path("runs") / f"stream-{self.data}-{self.neuron}{method}{fold}-s{self.seed}"


def is_stream_run(folder: str | Path) -> bool:
    """Whether a folder holds a run on a stream."""
    return (Path(folder) / STREAM_CONFIG).is_file()


def write_stream_config(run: str | Path, config: StreamConfig) -> None:
    """Write run/stream.yaml atomically."""
    write_text(Path(run) / STREAM_CONFIG, record_text(config))


def read_stream_config(run: str | Path) -> StreamConfig:
    """The configuration in a run's folder.

    Raises FileNotFoundError when there is none, ValueError when it is not one.
    """
    path = Path(run) / STREAM_CONFIG
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist: {run} is no run on a stream. Start one with `clapp-snn stream`."
        )
    return record_from_file(StreamConfig, path)


def require_same_stream(saved: StreamConfig, asked: StreamConfig) -> None:
    """Raise ValueError naming every field that must not change when a run is resumed, and did."""
    refuse_changes(saved, asked, FREE_ON_RESUME)
