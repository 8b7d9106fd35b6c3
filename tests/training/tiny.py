"""A data set and configurations small enough to train in a second."""

from pathlib import Path

import torch

from clapp_snn.randomness import generator
from clapp_snn.stimuli.record import ArraySplit, Dataset
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.distributed import World

SINGLE = World(0, 1, torch.device("cpu"))


def dataset(images: int = 24, seed: int = 0, size: int = 72) -> Dataset:
    """Three classes of coloured noise."""
    shape = (images, 3, size, size)
    stream = generator(seed, "tiny")
    data = torch.randint(0, 256, shape, generator=stream, dtype=torch.uint8)
    labels = torch.arange(images) % 3
    labelled = ArraySplit(data.numpy(), labels)
    return Dataset(
        name="noise",
        note="noise",
        class_names=["a", "b", "c"],
        splits={"train": labelled, "test": labelled, "unlabeled": ArraySplit(data.numpy(), None)},
    )


def config(out: Path, **changes: object) -> TrainConfig:
    """Width 1/32, batches of 8 images."""
    values: dict[str, object] = {
        "out": out, "width": 1 / 32, "batch": 8, "group": 4, "steps": 6, "learning_rate": 1e-3,
        "log_every": 4, "engine": "torch", "device": "cpu",
    }  # fmt: skip
    return TrainConfig(**(values | changes))  # type: ignore[arg-type]
