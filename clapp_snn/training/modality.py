"""What the training loop needs to know of a modality: images, speech or video.

The loop, the learners, checkpoints and logs are the same for all of them. A modality says how its data are
dealt out and which network looks at them; how it is opened and read out is told in `clapp_snn.modalities`.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from clapp_snn.circuit.network import Network
from clapp_snn.training.batches import Plan
from clapp_snn.training.config import TrainConfig


class Stimuli(Protocol):
    """A data set: parts to learn from, classes, and what it is.

    Attributes:
        name, note: what the data are called, and what they are and are not, in plain words.
        class_names: the classes of the labels.
        chance: accuracy of guessing, in percent.
        fingerprint: changes with the data; a run resumes on the same data only.
        train, test: labelled samples; asking for them raises FileNotFoundError where there are none.
        unlabeled: samples for learning without labels; likewise.
    """

    @property
    def name(self) -> str: ...

    @property
    def note(self) -> str: ...

    @property
    def class_names(self) -> Sequence[str]: ...

    @property
    def chance(self) -> float: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def train(self) -> Any: ...

    @property
    def test(self) -> Any: ...

    @property
    def unlabeled(self) -> Any: ...

    def describe(self) -> dict[str, Any]:
        """What the data are, as plain values for data.json."""


class TrainingBatches(Protocol):
    """Batches as a function of the step."""

    def between(self, start: int, stop: int) -> Iterator[tuple[int, Tensor, Tensor | None]]:
        """(step, stimulus on the device, labels or None) of steps start, ..., stop - 1."""


class Trainable(Protocol):
    """The training side of a modality.

    Attributes:
        name: "images", "speech" or "video".
        unit: what is counted, in the plural: "images", "windows", "clips".
    """

    @property
    def name(self) -> str: ...

    @property
    def unit(self) -> str: ...

    def build(self, config: TrainConfig, device: torch.device, classes: int) -> tuple[Network, str]:
        """A freshly initialised network on `device`, and a sentence about how it computes."""

    def batches(
        self,
        config: TrainConfig,
        split: Any,
        plan: Plan,
        network: Network,
        device: torch.device,
    ) -> TrainingBatches:
        """The batches of a split, dealt out by `plan`."""
