"""Everything that defines a training run, as data: one frozen record, one YAML file."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from clapp_snn.files import write_text
from clapp_snn.methods import get_method
from clapp_snn.training.records import record_from, record_from_file, record_text

FILE = "config.yaml"

FREE_ON_RESUME = ("out", "epochs", "steps", "log_every", "checkpoint_every", "keep", "milestones")
"""Fields that may change when a run is resumed: they do not touch what is computed at a step."""


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        method: row of the method table (`clapp-snn info methods`).
        data: "photographs" (embedded), "stl10:FOLDER" or the path of a data folder.
        out: folder of the run; None makes runs/METHOD-DATA-wWIDTH-sSEED.
        width: multiplies the channels of every layer; 1 is the paper's VGG-6.
        batch: images per step and process.
        group: images that share negatives and fixation draws (32 as published, whatever the batch).
        epochs: passes over the training images; None takes the method's published number.
        steps: number of steps; overrides epochs.
        learning_rate: of Adam (betas 0.9, 0.999, no weight decay).
        decay: share of all steps, at the end, over which the learning rate falls linearly to 0; 0, the
            published setting, keeps it constant.
        seed: master seed of all random streams.
        sharing: "code" draws fixation and partner images per image, area and loss, as published;
            "paper" draws them once for the whole network (time-local methods with one partner).
        color: train on RGB instead of grey images.
        device: "auto", "cpu" or "cuda".
        precision: of convolutions, "float32" or "bfloat16"; scores, plasticity of W_pred and weights
            stay float32.
        engine: convolutions by "native" compiled kernels (CPU, float32), "torch", "compiled"
            (torch.compile), or "auto": native on a CPU that has a compiler, else torch.
        skip_unreadable: leave out image files that cannot be read, and say how many.
        unlabeled_from_train: learn from the training images when there are no unlabelled ones.
        log_every: steps between rows of metrics.csv.
        checkpoint_every: steps between checkpoints; None: one an epoch.
        keep: newest checkpoints that are kept.
        milestones: checkpoints at multiples of this step are kept for good; 0: none.

    Raises ValueError, naming every field that is impossible.
    """

    method: str = "clapp-s"
    data: str = "photographs"
    out: Path | None = None
    width: float = 1.0
    batch: int = 32
    group: int = 32
    epochs: int | None = None
    steps: int | None = None
    learning_rate: float = 2e-4
    decay: float = 0.0
    seed: int = 2
    sharing: Literal["code", "paper"] = "code"
    color: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    engine: Literal["auto", "torch", "compiled", "native"] = "auto"
    skip_unreadable: bool = False
    unlabeled_from_train: bool = False
    log_every: int = 50
    checkpoint_every: int | None = None
    keep: int = 2
    milestones: int = 0

    def __post_init__(self) -> None:
        problems = []
        for name in ("width", "learning_rate"):
            if not getattr(self, name) > 0:
                problems.append(f"{name} must be positive, not {getattr(self, name)}")
        if not 0 <= self.decay <= 1:
            problems.append(f"decay is a share of the steps between 0 and 1, not {self.decay}")
        for name in ("batch", "group", "log_every", "keep"):
            if getattr(self, name) < 1:
                problems.append(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("epochs", "steps"):
            value = getattr(self, name)
            if value is not None and value < 0:
                problems.append(f"{name} must not be negative, not {value}")
        if self.checkpoint_every is not None and self.checkpoint_every < 1:
            problems.append(f"checkpoint_every must be at least 1, not {self.checkpoint_every}")
        if self.milestones < 0:
            problems.append(f"milestones must not be negative, not {self.milestones}")
        if self.batch > self.group and self.batch % self.group:
            problems.append(
                f"batch={self.batch} does not split into groups of {self.group}; choose a multiple or "
                "another group"
            )
        if self.engine == "native" and self.precision != "float32":
            problems.append("engine='native' computes in float32 only")
        if self.engine == "native" and self.device == "cuda":
            problems.append("engine='native' runs on the CPU only")
        method = get_method(self.method)
        if self.sharing == "paper" and (
            method.objective is None or method.objective.sampling != "local_same"
        ):
            problems.append(
                f"sharing='paper' needs a method with one partner image per image (clapp, "
                f"clapp-zero-retro), not {self.method!r}"
            )
        if problems:
            raise ValueError("Impossible configuration: " + "; ".join(problems) + ".")

    @property
    def images_in_group(self) -> int:
        """Images that share negatives: a whole batch when it is smaller than `group`."""
        return min(self.batch, self.group)

    def folder(self) -> Path:
        """The run's folder."""
        if self.out is not None:
            return Path(self.out)
        data = Path(self.data.removeprefix("stl10:")).name or "data"
        return Path("runs") / f"{self.method}-{data}-w{self.width:g}-s{self.seed}"


def to_yaml(config: TrainConfig) -> str:
    """The configuration as YAML text, in the order of the fields."""
    return record_text(config)


def write_config(run: str | Path, config: TrainConfig) -> None:
    """Write run/config.yaml atomically."""
    write_text(Path(run) / FILE, to_yaml(config))


def read_config(run: str | Path) -> TrainConfig:
    """The configuration of a run folder, or of a YAML file.

    Raises FileNotFoundError when there is none, ValueError when it is not one.
    """
    path = Path(run)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist: {run} is not the folder of a run. Train one with `clapp-snn train`."
        )
    return record_from_file(TrainConfig, path)


def from_mapping(record: Any, source: str) -> TrainConfig:
    """Build a configuration from plain data; raises ValueError naming unknown keys."""
    return record_from(TrainConfig, record, source)


def require_same(saved: TrainConfig, asked: TrainConfig) -> None:
    """Raise ValueError naming every field that must not change when a run is resumed, and did.

    With a decay the length of the run belongs to the schedule and must stay, too.
    """
    schedule = ("epochs", "steps") if saved.decay > 0 else ()
    refuse_changes(saved, asked, set(FREE_ON_RESUME) - set(schedule))


def refuse_changes(saved: Any, asked: Any, free: Collection[str]) -> None:
    """Raise ValueError naming every field of two records of one kind that differs and is not `free`."""
    changed = [
        f"{field.name}: {getattr(saved, field.name)!r} -> {getattr(asked, field.name)!r}"
        for field in fields(saved)
        if field.name not in free and getattr(saved, field.name) != getattr(asked, field.name)
    ]
    if changed:
        raise ValueError(
            "A run resumes only with its own configuration, and this differs: "
            + "; ".join(changed)
            + ". Give the saved values, or another `out` folder for a new run."
        )
