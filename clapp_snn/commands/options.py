"""Options of the commands, as typed records (training has its own, `training.config.TrainConfig`)."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

Protocol = Literal["fast", "few-shot", "paper", "speaker"]


@dataclass(frozen=True)
class ProbeOptions:
    """What is probed.

    Attributes:
        protocols: "fast" (logistic regression on cached features), "paper" (as published), "few-shot"
            (images: nearest class mean), "speaker" (speech: who speaks); None takes fast and few-shot for
            images, fast and speaker for speech. The paper's probe of images takes 20 minutes to an hour on
            two cores.
        seed: of episodes, augmentation and classifier initialisation.
        shots: labelled images a class in the few-shot probe.
        paper_epochs: epochs of the paper's probe; None: as published (300 for images, 20 for speech).
        curve: probe every kept checkpoint with the quick protocols, too (learning curves).
        weights: a .safetensors file or a checkpoint to probe instead of the run's newest weights; the result
            is printed, the run's probe.csv is left as it is.
        baselines: probe random init and the raw stimulus, too; without them a probe takes half the time, for
            runs whose baselines another run has measured.
        device: "auto", "cpu" or "cuda".
    """

    protocols: tuple[Protocol, ...] | None = None
    seed: int = 0
    shots: int = 5
    paper_epochs: int | None = None
    curve: bool = False
    weights: Path | None = None
    baselines: bool = True
    device: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass(frozen=True)
class FigureOptions:
    """What is drawn.

    Attributes:
        tsne_images: test images in the t-SNE map.
        patch_layer: layer whose preferred patches are shown (from 1).
        seed: of channels, t-SNE and image choice.
        device: "auto", "cpu" or "cuda".

    Raises ValueError for numbers below 1.
    """

    tsne_images: int = 1000
    patch_layer: int = 3
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        for name in ("tsne_images", "patch_layer"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")


def refuse_options(options: Any, used: tuple[str, ...], command: str) -> None:
    """Raise ValueError, naming them, for options of a run of `train` that a run on a stream has no use for.

    Args:
        options: record of options, all with defaults.
        used: fields that do something.
        command: whose options they are.
    """
    default = type(options)()
    idle = [
        f"--{field.name}"
        for field in fields(options)
        if field.name not in used and getattr(options, field.name) != getattr(default, field.name)
    ]
    if idle:
        raise ValueError(
            f"{', '.join(idle)}: `clapp-snn {command}` has no use for this with a run on a stream, only with "
            "one of `clapp-snn train`; leave it out."
        )
