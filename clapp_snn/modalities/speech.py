"""Speech: windows of utterances, convolutions and a GRU, probes of phones and speakers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from clapp_snn.circuit.network import Network
from clapp_snn.evaluation.phone_probe import EPOCHS, fast_phone_probe, paper_phone_probe
from clapp_snn.evaluation.probe_table import ProbeRow
from clapp_snn.evaluation.scores import LayerScore
from clapp_snn.evaluation.speaker_probe import speaker_probe
from clapp_snn.evaluation.speech_features import (
    FrameFeatures,
    encoder_frames,
    mfcc_frames,
    spoken_features,
)
from clapp_snn.modalities.modality import ProbeRequest
from clapp_snn.stimuli.corpus import open_corpus
from clapp_snn.stimuli.librispeech import OFFICIAL_NAME
from clapp_snn.stimuli.speech_record import SpeechCorpus, SpeechSplit
from clapp_snn.training.batches import Plan
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.speech_batches import SpeechBatches
from clapp_snn.training.speech_build import (
    build_speech,
    load_speech_encoder,
    random_speech_encoder,
)


@dataclass(frozen=True)
class Speech:
    """The paper's speech experiments."""

    name: str = "speech"
    unit: str = "windows"
    encoder: str = "speech (five convolutions and a GRU)"
    protocols: tuple[str, ...] = ("fast", "paper", "speaker")
    standard: tuple[str, ...] = ("fast", "speaker")
    quick: tuple[str, ...] = ("fast", "speaker")
    paper_protocol: str = "paper"
    published: str = OFFICIAL_NAME
    settings: tuple[tuple[str, float], ...] = (("batch", 8), ("group", 8), ("learning_rate", 2e-4))

    def open(self, config: TrainConfig, *, download: bool = False) -> SpeechCorpus:
        """Synthesised utterances or LibriSpeech (`stimuli.corpus.open_corpus`)."""
        return open_corpus(config.data, download)

    def build(self, config: TrainConfig, device: torch.device, classes: int) -> tuple[Network, str]:
        """Convolutions and GRU with the heads of the method."""
        return build_speech(config, device, classes)

    def batches(
        self,
        config: TrainConfig,
        split: SpeechSplit,
        plan: Plan,
        network: Network,
        device: torch.device,
    ) -> SpeechBatches:
        """A window of each utterance."""
        return SpeechBatches(split, plan, device)

    def probe(
        self,
        config: TrainConfig,
        weights: Path,
        data: SpeechCorpus,
        request: ProbeRequest,
        on_row: Callable[[ProbeRow], None],
    ) -> None:
        """Every layer, beside random initialisation and MFCC."""
        device = request.device
        sources = {"trained": encoder_frames(load_speech_encoder(config, weights, device), device)}
        if request.baselines:
            sources["random"] = encoder_frames(random_speech_encoder(config, device), device)
            sources["mfcc"] = mfcc_frames()
        for name, read in sources.items():
            for protocol, scores in _scores(read, data, request, name).items():
                for score in scores:
                    on_row(ProbeRow.of(score, protocol, name, request.seed))

    def scores(
        self, config: TrainConfig, weights: Path, data: SpeechCorpus, request: ProbeRequest
    ) -> dict[str, list[LayerScore]]:
        """Scores of one encoder."""
        encoder = load_speech_encoder(config, weights, request.device)
        return _scores(encoder_frames(encoder, request.device), data, request, None)


def _scores(
    read: FrameFeatures, data: SpeechCorpus, request: ProbeRequest, name: str | None
) -> dict[str, list[LayerScore]]:
    bar = f"features of {name}" if name is not None and request.progress else None
    train = spoken_features(read, data.train, bar)
    test = spoken_features(read, data.test, bar)
    classes = len(data.class_names)
    found = {}
    for protocol in request.protocols:
        if protocol == "fast":
            found[protocol] = fast_phone_probe(train, test, classes)
        elif protocol == "paper":
            epochs = EPOCHS if request.paper_epochs is None else request.paper_epochs
            found[protocol] = paper_phone_probe(train, test, classes, request.seed, epochs)
        else:
            found[protocol] = speaker_probe(train, test)
    return found


SPEECH = Speech()
