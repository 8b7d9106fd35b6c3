"""What the commands need to know of a modality, beyond what the training loop needs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from clapp_snn.evaluation.probe_table import ProbeRow
from clapp_snn.evaluation.scores import LayerScore
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.modality import Stimuli, Trainable


@dataclass(frozen=True)
class ProbeRequest:
    """What is to be probed, and how.

    Attributes:
        protocols: some of those the modality offers.
        device: where the encoder lies.
        seed: of draws, augmentation and classifier initialisation.
        shots: labelled samples a class in a few-shot probe.
        paper_epochs: epochs of the published protocol; None takes the published number.
        baselines: random init and the raw stimulus are probed, too.
        states: folder for unfinished probes, to go on with; None keeps nothing.
        progress: show bars.
    """

    protocols: tuple[str, ...]
    device: torch.device
    seed: int = 0
    shots: int = 5
    paper_epochs: int | None = None
    baselines: bool = True
    states: Path | None = None
    progress: bool = True


class Modality(Trainable, Protocol):
    """A stimulus, an encoder and probes.

    Attributes:
        encoder: what the encoder is called.
        protocols: probes it offers; `standard` are those that run unless others are asked for, and `quick`
            those that suit learning curves.
        paper_protocol: the probe that follows the publication.
        published: data set for which the method table reports numbers.
        settings: options of those experiments, by name.
    """

    @property
    def encoder(self) -> str: ...

    @property
    def protocols(self) -> tuple[str, ...]: ...

    @property
    def standard(self) -> tuple[str, ...]: ...

    @property
    def quick(self) -> tuple[str, ...]: ...

    @property
    def paper_protocol(self) -> str: ...

    @property
    def published(self) -> str: ...

    @property
    def settings(self) -> tuple[tuple[str, float], ...]: ...

    def open(self, config: TrainConfig, *, download: bool = False) -> Stimuli:
        """The data of a configuration; `download` fetches them first if they are not there."""

    def probe(
        self,
        config: TrainConfig,
        weights: Path,
        data: Any,
        request: ProbeRequest,
        on_row: Callable[[ProbeRow], None],
    ) -> None:
        """Read out every layer of the weights, and unless told not to random init and the raw stimulus.

        `on_row` gets every result as soon as it is measured.
        """

    def scores(
        self, config: TrainConfig, weights: Path, data: Any, request: ProbeRequest
    ) -> dict[str, list[LayerScore]]:
        """Scores of every layer of the weights alone, by protocol (some of `quick`)."""


def chosen_protocols(
    modality: Modality, asked: tuple[str, ...] | None, *, quick: bool = False
) -> tuple[str, ...]:
    """The protocols that were asked for, or the standard ones.

    With `quick` only those that suit learning curves, the first of them if none was asked for. Raises
    ValueError for a protocol that the modality does not offer.
    """
    wanted = modality.standard if asked is None else asked
    unknown = sorted(set(wanted) - set(modality.protocols))
    if unknown or not wanted:
        raise ValueError(
            f"Unknown probe protocol {', '.join(unknown) or '(none given)'} for {modality.name}; choose "
            f"from {', '.join(modality.protocols)}."
        )
    if not quick:
        return wanted
    return tuple(name for name in wanted if name in modality.quick) or modality.quick[:1]
