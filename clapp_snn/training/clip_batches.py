"""Batches of augmented clips: windows in time, crops and colours, all drawn from the streams of the step."""

from collections.abc import Iterator

import torch
from jaxtyping import UInt8
from torch import Tensor

from clapp_snn.stimuli.clip_views import classifier_view, learning_view
from clapp_snn.stimuli.clips import ClipSplit, draw_windows
from clapp_snn.training.batches import Plan, read_ahead


class ClipBatches:
    """Augmented clips from `start` on, decoded one step ahead.

    Args:
        split: recordings that are long enough.
        plan: which of them are seen when.
        frames: of a clip.
        every: which frame of a recording is taken.
        side: of the frames that the network sees.
        supervised: augment as for a classifier (a whole clip alike) instead of frame by frame.
        device: where the views are made.

    Yields (step, clips float32 (clip, time, row, col, 3) on `device`, labels or None).
    """

    def __init__(
        self,
        split: ClipSplit,
        plan: Plan,
        frames: int,
        every: int,
        side: int,
        supervised: bool,
        device: torch.device,
    ) -> None:
        self.split, self.plan = split, plan
        self.frames, self.every, self.side = frames, every, side
        self.view = classifier_view if supervised else learning_view
        self.device = device

    def between(self, start: int, stop: int) -> Iterator[tuple[int, Tensor, Tensor | None]]:
        """Batches of steps start, ..., stop - 1."""
        for step, (clips, labels) in read_ahead(self._read, start, stop):
            group = self.plan.group
            views = [
                self.view(clips[first : first + group], self.side, stream, self.device)
                for first, stream in zip(
                    range(0, len(clips), group), self.plan.streams(step, "augment"), strict=True
                )
            ]
            yield step, torch.cat(views), labels

    def _read(self, step: int) -> tuple[list[UInt8[Tensor, "frame row col 3"]], Tensor | None]:
        indices = self.plan.indices(step)
        windows = [
            draw_windows(self.split.lengths[part], self.frames, self.every, stream)
            for part, stream in zip(
                indices.split(self.plan.group), self.plan.streams(step, "window"), strict=True
            )
        ]
        labels = self.split.labels
        chosen = None if labels is None else labels[indices].to(self.device)
        return self.split.read(indices, torch.cat(windows)), chosen
