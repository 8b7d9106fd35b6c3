"""Images: crops of photographs, VGG-6, probes of whole images."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch

from clapp_snn.circuit.network import Network
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.evaluation.interfaces import Views, standard_views
from clapp_snn.evaluation.linear_probe import LinearProbeSettings
from clapp_snn.evaluation.probe_table import ProbeRow
from clapp_snn.evaluation.run_probes import ProbeSettings, probe_encoder, run_probes
from clapp_snn.evaluation.scores import LayerScore
from clapp_snn.evaluation.untrained import settle
from clapp_snn.modalities.modality import ProbeRequest
from clapp_snn.stimuli.dataset import open_dataset
from clapp_snn.stimuli.record import Dataset, Split
from clapp_snn.stimuli.stl10 import OFFICIAL_NAME
from clapp_snn.training.batches import Batches, Plan
from clapp_snn.training.build import build_network, load_encoder, random_encoder
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.view_pairs import ViewPairs


@dataclass(frozen=True)
class Images:
    """The paper's image experiments."""

    name: str = "images"
    unit: str = "images"
    encoder: str = "VGG-6"
    protocols: tuple[str, ...] = ("fast", "few-shot", "paper")
    standard: tuple[str, ...] = ("fast", "few-shot")
    quick: tuple[str, ...] = ("fast", "few-shot")
    paper_protocol: str = "paper"
    published: str = OFFICIAL_NAME
    settings: tuple[tuple[str, float], ...] = (
        ("batch", 32),
        ("group", 32),
        ("learning_rate", 2e-4),
    )

    def open(self, config: TrainConfig, *, download: bool = False) -> Dataset:
        """Photographs, STL-10 or a folder (`stimuli.dataset.open_dataset`)."""
        return open_dataset(
            config.data,
            download=download,
            seed=config.seed,
            unlabeled_from_train=config.unlabeled_from_train,
            skip_unreadable=config.skip_unreadable,
        )

    def build(self, config: TrainConfig, device: torch.device, classes: int) -> tuple[Network, str]:
        """VGG-6 with the heads of the method."""
        return build_network(config, device, classes)

    def batches(
        self,
        config: TrainConfig,
        split: Split,
        plan: Plan,
        network: Network,
        device: torch.device,
    ) -> Batches:
        """Random crops and flips; pairs of strong random views for methods that compare views."""
        encoder = cast(Encoder, network.encoder)
        kind = ViewPairs if network.method.pairs else Batches
        return kind(split, plan, encoder.architecture.image, not config.color, device)

    def probe(
        self,
        config: TrainConfig,
        weights: Path,
        data: Dataset,
        request: ProbeRequest,
        on_row: Callable[[ProbeRow], None],
    ) -> None:
        """Every layer, beside random initialisation and raw pixels (`evaluation.run_probes`)."""
        trained = load_encoder(config, weights, request.device)
        encoders, views = {"trained": trained}, _views(config, trained)
        if request.baselines:
            encoders["random"] = random_encoder(config, request.device)
        for encoder in encoders.values():
            settle(encoder, data.train, views.centre, request.seed, request.device)
        run_probes(
            encoders,
            data,
            request.protocols,
            request.seed,
            request.device,
            _settings(request),
            views,
            baselines=request.baselines,
            state_folder=request.states,
            progress=request.progress,
            on_row=on_row,
        )

    def scores(
        self, config: TrainConfig, weights: Path, data: Dataset, request: ProbeRequest
    ) -> dict[str, list[LayerScore]]:
        """Cached features of one encoder."""
        encoder = load_encoder(config, weights, request.device)
        views = _views(config, encoder)
        settle(encoder, data.train, views.centre, request.seed, request.device)
        return probe_encoder(
            encoder,
            data,
            request.protocols,
            request.seed,
            request.device,
            _settings(request),
            views,
        )


def _views(config: TrainConfig, encoder: Encoder) -> Views:
    return standard_views(encoder.architecture.image, grey=not config.color)


def _settings(request: ProbeRequest) -> ProbeSettings:
    paper = LinearProbeSettings()
    if request.paper_epochs is not None:
        paper = LinearProbeSettings(epochs=request.paper_epochs)
    return ProbeSettings(shots=request.shots, paper=paper)


IMAGES = Images()
