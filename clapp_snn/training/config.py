"""Everything that defines a training run, as data: one frozen record, one YAML file."""

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from clapp_snn.files import write_text
from clapp_snn.methods import get_method
from clapp_snn.run_files import CONFIG, STREAM_CONFIG
from clapp_snn.stimuli.spec import ModalityName, data_name, modality_name
from clapp_snn.training.records import record_from, record_from_file, record_text

FREE_ON_RESUME = ("out", "epochs", "steps", "log_every", "checkpoint_every", "keep", "milestones")
"""Fields that may change when a run is resumed: they do not touch what is computed at a step."""

ONLY_FOR: dict[str, tuple[ModalityName, ...]] = {
    "sharing": ("images",),
    "plasticity": ("images",),
    "color": ("images",),
    "precision": ("images", "video"),
    "engine": ("images",),
    "skip_unreadable": ("images", "video"),
    "unlabeled_from_train": ("images",),
    "recurrence": ("speech",),
    "block_order": ("video",),
    "normalisation": ("video",),
    "clip_encoder": ("video",),
    "clip_frames": ("video",),
    "clip_every": ("video",),
    "clip_side": ("video",),
    "clip_test": ("video",),
    "weight_decay": ("video",),
}
"""Options that mean something for some modalities only; elsewhere they must keep their defaults."""

VARIANTS = ("plasticity", "recurrence", "block_order", "normalisation", "clip_encoder")
"""Options of a modality that make another experiment of the same method."""


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        method: row of the method table (`clapp-snn info methods`).
        data: images: "photographs" (embedded), "stl10:FOLDER" or the path of a data folder; speech:
            "utterances" (embedded) or "librispeech:FOLDER"; video: "clips" (embedded), "ucf101:FOLDER" or
            "clips:FOLDER" (a pair of clip packs).
        out: folder of the run; None makes runs/METHOD-DATA-wWIDTH-sSEED.
        width: multiplies the channels of every layer; 1 is the paper's network.
        batch: samples (images, windows of speech, clips) per step and process.
        group: samples that share negatives and fixation draws (images: 32 as published); a smaller batch is
            one group.
        epochs: passes over the training samples; None takes the method's published number.
        steps: number of steps; overrides epochs.
        learning_rate: of Adam (betas 0.9, 0.999; weight decay on video only). SoftHebb takes plain steps:
            2e-4 stands for its published rates, other values scale them.
        decay: share of all steps, at the end, over which the learning rate falls linearly to 0; 0, the
            published setting, keeps it constant.
        apical_rate: learning rate of W_pred and W_retro, the synapses onto apical dendrites, as a multiple of
            that of all other weights; None: 1, as published.
        seed: master seed of all random streams.
        sharing: "code" draws fixation and partner images per image, area and loss, as published;
            "paper" draws them once for the whole network (time-local methods with one partner).
        plasticity: None: all areas learn at every step; "sequential": critical periods of equal length, one
            area after the other from the bottom (methods whose areas learn on their own).
        color: train on RGB instead of grey images.
        device: "auto", "cpu" or "cuda".
        precision: of convolutions, "float32" or "bfloat16"; scores, plasticity of W_pred and weights
            stay float32.
        engine: convolutions by "native" compiled kernels (CPU, float32), "torch", "compiled"
            (torch.compile), or "auto": native on a CPU that has a compiler, else torch; a run is resumed with
            the engine that began it.
        recurrence: how the recurrent layer of speech networks learns: "bptt" (None means that), "eprop"
            (the diagonal of time is kept) or "detached" (nothing goes back in time).
        block_order: video: normalisation before or after rectification; None: "relu-norm", as published in
            code (the paper's table says "norm-relu").
        normalisation: video: "batch" (None means that) or "none", for which the rule is local.
        clip_encoder: video: "vgg5" (None means that), "vgg5-frames" or "vgg5-overlap" (`encoders.video`).
        clip_frames: video: frames of a clip; None: 54 (and 72 for the probes of UCF-101), as published.
        clip_every: video: which frame of a recording is taken; None: every third of UCF-101, else all.
        clip_side: video: side of the frames that the network sees, in pixels; None: 128.
        clip_test: video: test on the "whole" list of UCF-101 (None means that) or on the published "subset".
        weight_decay: video: of Adam (an L2 penalty); None: 1e-5, as published.
        skip_unreadable: leave out image or video files that cannot be read, and say how many.
        unlabeled_from_train: learn from the training images instead of unlabelled ones.
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
    apical_rate: float | None = None
    seed: int = 2
    sharing: Literal["code", "paper"] = "code"
    plasticity: Literal["sequential"] | None = None
    color: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    engine: Literal["auto", "torch", "compiled", "native"] = "auto"
    recurrence: Literal["bptt", "eprop", "detached"] | None = None
    block_order: Literal["relu-norm", "norm-relu"] | None = None
    normalisation: Literal["batch", "none"] | None = None
    clip_encoder: Literal["vgg5", "vgg5-frames", "vgg5-overlap"] | None = None
    clip_frames: int | None = None
    clip_every: int | None = None
    clip_side: int | None = None
    clip_test: Literal["whole", "subset"] | None = None
    weight_decay: float | None = None
    skip_unreadable: bool = False
    unlabeled_from_train: bool = False
    log_every: int = 50
    checkpoint_every: int | None = None
    keep: int = 2
    milestones: int = 0

    def __post_init__(self) -> None:
        problems = []
        for name in ("width", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                problems.append(f"{name} must be positive and finite, not {getattr(self, name)}")
        if self.apical_rate is not None and not 0 < self.apical_rate < math.inf:
            problems.append(f"apical_rate must be positive and finite, not {self.apical_rate}")
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
        for name in ("clip_frames", "clip_every", "clip_side"):
            if (value := getattr(self, name)) is not None and value < 1:
                problems.append(f"{name} must be at least 1, not {value}")
        if self.weight_decay is not None and not self.weight_decay >= 0:
            problems.append(f"weight_decay must not be negative, not {self.weight_decay}")
        if self.clip_test == "subset" and not self.data.startswith("ucf101:"):
            problems.append("clip_test='subset' is a protocol of UCF-101 (data='ucf101:FOLDER')")
        if self.block_order is not None and self.normalisation == "none":
            problems.append("block_order has no meaning with normalisation='none'")
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
        for option in fields(self):
            where = ONLY_FOR.get(option.name, (self.modality,))
            if self.modality not in where and getattr(self, option.name) != option.default:
                problems.append(
                    f"{option.name} is an option for {' and '.join(where)}, but data={self.data!r} are "
                    f"{self.modality}"
                )
        method = get_method(self.method, self.modality)
        if self.modality == "images" and method.task == "contrast" and self.samples_in_group < 2:
            problems.append(
                "a saccade needs another image to land on: batch and group must be at least 2"
            )
        if self.apical_rate is not None and method.task != "contrast":
            problems.append(f"apical_rate: method {self.method!r} has no W_pred")
        if self.sharing == "paper" and (
            method.objective is None or method.objective.sampling != "local_same"
        ):
            problems.append(
                f"sharing='paper' needs a method with one partner image per image (clapp, "
                f"clapp-zero-retro), not {self.method!r}"
            )
        if self.plasticity == "sequential" and not (method.explicit and method.rule == "own"):
            problems.append(
                f"plasticity='sequential' needs a method whose areas learn on their own, not {self.method!r}"
            )
        if problems:
            raise ValueError("Impossible configuration: " + "; ".join(problems) + ".")

    @property
    def samples_in_group(self) -> int:
        """Samples that share negatives: a whole batch when it is smaller than `group`."""
        return min(self.batch, self.group)

    @property
    def modality(self) -> ModalityName:
        """What the data are; it follows from `data` alone."""
        return modality_name(self.data)

    @property
    def variant(self) -> str:
        """Options that make another experiment of the method, in words; empty where all are as published."""
        given = [str(getattr(self, name)) for name in VARIANTS if getattr(self, name) is not None]
        if self.apical_rate is not None:
            given.append(f"apical-{self.apical_rate:g}")
        return ", ".join(given)

    def folder(self) -> Path:
        """The run's folder."""
        if self.out is not None:
            return Path(self.out)
        method = "-".join([self.method, *self.variant.split(", ")]).rstrip("-")
        return Path("runs") / f"{method}-{data_name(self.data)}-w{self.width:g}-s{self.seed}"


def to_yaml(config: TrainConfig) -> str:
    """The configuration as YAML text, in the order of the fields."""
    return record_text(config)


def write_config(run: str | Path, config: TrainConfig) -> None:
    """Write run/config.yaml atomically."""
    write_text(Path(run) / CONFIG, to_yaml(config))


def read_config(run: str | Path) -> TrainConfig:
    """The configuration of a run folder, or of a YAML file.

    Raises FileNotFoundError when there is none, ValueError when it is not one.
    """
    path = Path(run)
    path = path / CONFIG if path.is_dir() else path
    if not path.is_file() and (Path(run) / STREAM_CONFIG).is_file():
        raise FileNotFoundError(
            f"{run} is a run of `clapp-snn stream`; this command knows runs of `clapp-snn train` only."
        )
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

    With a decay or critical periods the length of the run belongs to the schedule and must stay, too.
    """
    scheduled = saved.decay > 0 or saved.plasticity == "sequential"
    schedule = ("epochs", "steps") if scheduled else ()
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
