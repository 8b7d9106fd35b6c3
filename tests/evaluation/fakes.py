"""A data set of stripes that a readout can tell apart, and an encoder that is one matrix a layer."""

import numpy as np
import torch
from torch import Tensor

from clapp_snn.randomness import generator
from clapp_snn.stimuli.record import ArraySplit, Dataset
from clapp_snn.stimuli.splits import Absent


class MatrixEncoder:
    """Patches of 16x16 with stride 8, each layer a rectified random projection of the patch."""

    def __init__(self, channels: tuple[int, ...] = (3, 5), seed: int = 0) -> None:
        self.channels = list(channels)
        stream = generator(seed, "fake encoder")
        self.matrices = [torch.randn(256, size, generator=stream) / 16 for size in channels]
        self.calls: list[int] = []

    def features(self, images: Tensor) -> list[Tensor]:
        self.calls.append(len(images))
        windows = images[:, 0].unfold(1, 16, 8).unfold(2, 16, 8).flatten(3)
        return [torch.relu(windows @ matrix) for matrix in self.matrices]


def stripes(count: int, classes: int, seed: int) -> ArraySplit:
    """Images whose brightness depends on the class, with noise; classes take turns."""
    noise = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    level = (60 + 140 * labels / max(1, classes - 1))[:, None, None, None]
    images = level + noise.normal(0, 25, (count, 3, 96, 96))
    return ArraySplit(images.clip(0, 255).astype(np.uint8), torch.from_numpy(labels))


def dataset(train: int = 48, test: int = 31, classes: int = 3) -> Dataset:
    """Train and test stripes."""
    return Dataset(
        "stripes",
        "Made-up stripes.",
        [f"class {number}" for number in range(classes)],
        {
            "train": stripes(train, classes, 1),
            "test": stripes(test, classes, 2),
            "unlabeled": Absent("none"),
        },
    )
