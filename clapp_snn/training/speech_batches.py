"""Windows of speech for training: one window of 1.28 s from each utterance, anew at every pass."""

from collections.abc import Iterator

import torch
from torch import Tensor

from clapp_snn.stimuli.speech_record import SpeechSplit
from clapp_snn.training.batches import Plan, read_ahead


class SpeechBatches:
    """Windows at random places, read one step ahead by a thread.

    Yields (step, audio (sample, time) float32 on `device`, phones (sample, frame) or None).
    """

    def __init__(self, split: SpeechSplit, plan: Plan, device: torch.device) -> None:
        self.split = split
        self.plan = plan
        self.device = device

    def between(self, start: int, stop: int) -> Iterator[tuple[int, Tensor, Tensor | None]]:
        """Batches of steps start, ..., stop - 1."""
        for step, (audio, phones) in read_ahead(self._read, start, stop):
            labels = None if phones is None else phones.to(self.device)
            yield step, audio.to(self.device), labels

    def _read(self, step: int) -> tuple[Tensor, Tensor | None]:
        group = self.plan.group
        shares = [
            torch.rand(group, generator=stream, dtype=torch.float64)
            for stream in self.plan.streams(step, "window")
        ]
        return self.split.windows(self.plan.indices(step), torch.cat(shares))
