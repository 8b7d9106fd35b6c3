"""Which samples a process sees at which step: a pure function of seed, step and rank."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from clapp_snn.randomness import generator
from clapp_snn.stimuli.augment import CropDraw, apply_view, draw_crops
from clapp_snn.stimuli.record import Split
from clapp_snn.training.config import TrainConfig

T = TypeVar("T")


@lru_cache(maxsize=2)
def _order(samples: int, seed: int, epoch: int) -> Int64[Tensor, "sample"]:
    return torch.randperm(samples, generator=generator(seed, "order", epoch))


def smaller_groups(config: TrainConfig, processes: int, what: str, unit: str) -> str | None:
    """What several processes with a batch below a group mean for `what` a group shares; None otherwise."""
    if processes == 1 or config.batch >= config.group:
        return None
    together = config.batch * processes
    return (
        f"--batch {config.batch} in each of {processes} processes is below --group {config.group}: {what} "
        f"come from groups of {config.batch} {unit}; in one process with --batch {together} they would come "
        f"from groups of {min(config.group, together)}."
    )


@dataclass(frozen=True)
class Plan:
    """How the samples of a split are dealt out.

    Attributes:
        samples: number of samples (images, utterances) in the split.
        batch: samples per step and process.
        group: samples that share random streams; `batch` is a multiple of it.
        rank, processes: this process and how many there are.
        seed: master seed.
        unit: what the samples are called.

    Every epoch is a new permutation; an incomplete last batch is left out of its epoch. The global batch is
    cut into processes and groups in order, so one process with a larger batch sees the same groups.

    Raises ValueError when there are fewer samples than a global batch.
    """

    samples: int
    batch: int
    group: int
    rank: int
    processes: int
    seed: int
    unit: str = "images"

    def __post_init__(self) -> None:
        if self.samples < self.global_batch:
            raise ValueError(
                f"A batch of {self.global_batch} {self.unit} ({self.batch} on each of {self.processes} "
                f"processes) is larger than the data ({self.samples} {self.unit}); choose a smaller batch."
            )

    @property
    def global_batch(self) -> int:
        """Samples per step over all processes."""
        return self.batch * self.processes

    @property
    def steps_per_epoch(self) -> int:
        """Complete global batches in the data."""
        return self.samples // self.global_batch

    def indices(self, step: int) -> Int64[Tensor, "sample"]:
        """Samples of this process at `step` (counted from 0)."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order = _order(self.samples, self.seed, epoch)
        start = place * self.global_batch + self.rank * self.batch
        return order[start : start + self.batch]

    def groups(self) -> range:
        """Numbers of this process's groups within the global batch."""
        each = self.batch // self.group
        return range(self.rank * each, (self.rank + 1) * each)

    def streams(
        self, step: int, *key: str | int, device: torch.device | str = "cpu"
    ) -> list[torch.Generator]:
        """One generator for each group of this process; the numbers depend on the kind of device."""
        return [generator(self.seed, *key, step, group, device=device) for group in self.groups()]

    def views(self, step: int, margin_row: int, margin_col: int) -> CropDraw:
        """Crops and flips of this process's images, drawn group by group."""
        return CropDraw.concatenate(
            [
                draw_crops(self.group, margin_row, margin_col, stream)
                for stream in self.streams(step, "augment")
            ]
        )


def read_ahead(read: Callable[[int], T], start: int, stop: int) -> Iterator[tuple[int, T]]:
    """Yield (step, read(step)) for start, ..., stop - 1, where a thread reads one step ahead."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        ahead: Future[T] | None = None
        for step in range(start, stop):
            ready = ahead or reader.submit(read, step)
            found = ready.result()
            if step + 1 < stop:
                ahead = reader.submit(read, step + 1)
            yield step, found


class Batches:
    """Augmented training batches from `start` on, read one step ahead by a thread.

    Yields (step, images float32 (image, channel, row, col) on `device`, labels or None).
    """

    def __init__(
        self, split: Split, plan: Plan, crop: int, grey: bool, device: torch.device
    ) -> None:
        self.split = split
        self.plan = plan
        self.crop = crop
        self.grey = grey
        self.device = device

    def between(self, start: int, stop: int) -> Iterator[tuple[int, Tensor, Tensor | None]]:
        """Batches of steps start, ..., stop - 1."""
        for step, (images, labels) in read_ahead(self._read, start, stop):
            yield step, self._view(step, images.to(self.device, non_blocking=True)), labels

    def _read(self, step: int) -> tuple[UInt8[Tensor, "image 3 row col"], Tensor | None]:
        indices = self.plan.indices(step)
        images = self.split.read(indices)
        labels = self.split.labels
        chosen = None if labels is None else labels[indices].to(self.device)
        return (images.pin_memory() if self.device.type == "cuda" else images), chosen

    def _view(self, step: int, images: Tensor) -> Tensor:
        rows, cols = images.shape[2] - self.crop, images.shape[3] - self.crop
        if rows < 0 or cols < 0:
            raise ValueError(
                f"Images of {images.shape[2]} x {images.shape[3]} pixels are smaller than the crop of "
                f"{self.crop}; resize them first."
            )
        return apply_view(images, self.plan.views(step, rows, cols), self.crop, self.grey)
