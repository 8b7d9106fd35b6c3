"""Options of the commands, as typed records (training has its own, `training.config.TrainConfig`)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Protocol = Literal["fast", "few-shot", "paper"]


@dataclass(frozen=True)
class ProbeOptions:
    """What is probed.

    Attributes:
        protocols: "fast" (logistic regression on cached features), "few-shot" (nearest class mean), "paper"
            (Adam on augmented crops; 20 minutes to an hour on two cores).
        seed: of episodes, augmentation and classifier initialisation.
        shots: labelled images a class in the few-shot probe.
        paper_epochs: epochs of the paper's probe (300 as published).
        curve: probe every kept checkpoint with the fast and few-shot protocols (learning curves).
        weights: a .safetensors file or a checkpoint to probe instead of the run's newest weights; the result
            is printed, the run's probe.csv is left as it is.
        device: "auto", "cpu" or "cuda".
    """

    protocols: tuple[Protocol, ...] = ("fast", "few-shot")
    seed: int = 0
    shots: int = 5
    paper_epochs: int = 300
    curve: bool = False
    weights: Path | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass(frozen=True)
class FigureOptions:
    """What is drawn.

    Attributes:
        tsne_images: test images in the t-SNE map.
        patch_layer: layer whose preferred patches are shown (from 1).
        seed: of channels, t-SNE and image choice.
        device: "auto", "cpu" or "cuda".
    """

    tsne_images: int = 1000
    patch_layer: int = 3
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
