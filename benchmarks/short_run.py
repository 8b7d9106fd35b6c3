"""The steps of a training run on images without files: no checkpoints, no metrics, one process on the CPU."""

from collections.abc import Iterator

import torch

from clapp_snn.stimuli.record import Split
from clapp_snn.training.batches import Batches, Plan
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.distributed import World
from clapp_snn.training.learner import AreaReport, Learner

SINGLE = World(0, 1, torch.device("cpu"))


def learn(
    config: TrainConfig, images: Split, learner: Learner, steps: int
) -> Iterator[list[AreaReport]]:
    """Reports of the first steps; order of images, crops and saccades are those of `clapp-snn train`."""
    plan = Plan(len(images), config.batch, config.samples_in_group, 0, 1, config.seed)
    batches = Batches(images, plan, 64, not config.color, SINGLE.device)
    for step, stimulus, labels in batches.between(0, steps):
        yield learner.step(
            stimulus,
            labels,
            lambda m, k, s=step: plan.streams(s, "saccade", m, k),  # type: ignore[misc]
        )
