"""Video: clips of recordings, VGG-5, probes of time-averaged features."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from clapp_snn.circuit.clip_hierarchy import ClipHierarchy
from clapp_snn.circuit.network import Network
from clapp_snn.encoders.video import VIDEO_ARCHITECTURES, VideoEncoder
from clapp_snn.evaluation.clip_features import ClipSettings, cache_clips
from clapp_snn.evaluation.clip_probe import ClipProbeSettings, clip_probe
from clapp_snn.evaluation.fast_probe import fast_probe
from clapp_snn.evaluation.probe_table import ProbeRow
from clapp_snn.evaluation.scores import LayerScore
from clapp_snn.methods import get_method
from clapp_snn.modalities.modality import ProbeRequest
from clapp_snn.stimuli.clip_pack import open_clip_pack
from clapp_snn.stimuli.clips import ClipDataset, ClipSplit
from clapp_snn.stimuli.embedded_clips import NAME as EMBEDDED
from clapp_snn.stimuli.embedded_clips import open_embedded_clips
from clapp_snn.stimuli.spec import folder_of
from clapp_snn.stimuli.ucf101 import EVERY, OFFICIAL_NAME, open_ucf101
from clapp_snn.training.batches import Plan
from clapp_snn.training.clip_batches import ClipBatches
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.encoder_weights import fill_encoder

UCF101, PACK = "ucf101:", "clips:"
FRAMES, PROBE_FRAMES, SIDE = 54, 72, 128
WEIGHT_DECAY = 1e-5


@dataclass(frozen=True)
class Video:
    """The paper's video experiments."""

    name: str = "video"
    unit: str = "clips"
    encoder: str = "VGG-5"
    protocols: tuple[str, ...] = ("fast", "paper")
    standard: tuple[str, ...] = ("fast",)
    quick: tuple[str, ...] = ("fast",)
    paper_protocol: str = "paper"
    published: str = OFFICIAL_NAME
    settings: tuple[tuple[str, float], ...] = (("batch", 8), ("learning_rate", 1e-3))

    def open(self, config: TrainConfig, *, download: bool = False) -> ClipDataset:
        """Embedded clips, UCF-101 or a pair of clip packs, for clips as long as the configuration says.

        Raises ValueError for a download, which there is not, besides what the readers raise.
        """
        if download:
            raise ValueError(
                f"data={config.data!r} cannot be downloaded from here; fetch the videos and lists of UCF-101 "
                "by hand and name their folder."
            )
        frames, every = _frames(config), _every(config)
        if config.data == EMBEDDED:
            return open_embedded_clips(frames, every, config.seed)
        if config.data.startswith(UCF101):
            return open_ucf101(
                folder_of(config.data, UCF101),
                frames,
                every=every,
                subset=config.clip_test == "subset",
                seed=config.seed,
                skip_unreadable=config.skip_unreadable,
            )
        return open_clip_pack(folder_of(config.data, PACK), frames, every)

    def build(self, config: TrainConfig, device: torch.device, classes: int) -> tuple[Network, str]:
        """VGG-5 with the heads of the method."""
        table = VIDEO_ARCHITECTURES[config.clip_encoder or "vgg5"]
        encoder = VideoEncoder(
            table,
            config.width,
            config.normalisation or "batch",
            config.block_order or "relu-norm",
        )
        if config.precision == "bfloat16":
            encoder.precision = torch.bfloat16
        method = get_method(config.method, self.name)
        network = ClipHierarchy(encoder, method, _frames(config), _side(config), classes)
        network.weight_decay = WEIGHT_DECAY if config.weight_decay is None else config.weight_decay
        network.reset_parameters(config.seed)
        order = "" if encoder.normalisation == "none" else f", {encoder.order}"
        sentence = (
            f"{table.name} on {_frames(config)} frames of {_side(config)} pixels, "
            f"normalisation {encoder.normalisation}{order}, convolutions {config.precision}"
        )
        return network.to(device), sentence

    def batches(
        self,
        config: TrainConfig,
        split: ClipSplit,
        plan: Plan,
        network: Network,
        device: torch.device,
    ) -> ClipBatches:
        """Clips at random times, augmented as published."""
        return ClipBatches(
            split,
            plan,
            _frames(config),
            _every(config),
            _side(config),
            network.method.task == "supervised",
            device,
        )

    def probe(
        self,
        config: TrainConfig,
        weights: Path,
        data: ClipDataset,
        request: ProbeRequest,
        on_row: Callable[[ProbeRow], None],
    ) -> None:
        """Every layer, beside random initialisation and time-averaged pixels."""
        encoders = {"trained": _load(config, weights, request.device)}
        if request.baselines:
            encoders["random"] = _random(config, request.device)
        clips = _settings(config)

        def record(scores: list[LayerScore], protocol: str, name: str) -> None:
            for score in scores:
                on_row(ProbeRow.of(score, protocol, name, request.seed))

        if "fast" in request.protocols:
            raw = {"pixels": None} if request.baselines else {}
            for name, encoder in {**encoders, **raw}.items():
                bar = f"features of {name}" if request.progress else None
                cache = cache_clips(encoder, data, clips, request.seed, request.device, bar)
                record(fast_probe(cache, request.seed), "fast", name)
        if "paper" in request.protocols:
            paper = ClipProbeSettings()
            if request.paper_epochs is not None:
                paper = replace(paper, epochs=request.paper_epochs)
            for name, encoder in encoders.items():
                file = f"clip_probe_{name}_{request.seed}.safetensors"
                scores = clip_probe(
                    encoder,
                    data,
                    clips,
                    request.seed,
                    request.device,
                    paper,
                    request.states / file if request.states else None,
                    f"paper's probe of {name}" if request.progress else None,
                )
                record(scores, "paper", name)

    def scores(
        self, config: TrainConfig, weights: Path, data: ClipDataset, request: ProbeRequest
    ) -> dict[str, list[LayerScore]]:
        """The fast probe of one encoder."""
        encoder = _load(config, weights, request.device)
        cache = cache_clips(encoder, data, _settings(config), request.seed, request.device)
        return {"fast": fast_probe(cache, request.seed)}


def _frames(config: TrainConfig) -> int:
    return FRAMES if config.clip_frames is None else config.clip_frames


def _every(config: TrainConfig) -> int:
    if config.clip_every is not None:
        return config.clip_every
    return EVERY if config.data.startswith(UCF101) else 1


def _side(config: TrainConfig) -> int:
    return SIDE if config.clip_side is None else config.clip_side


def _settings(config: TrainConfig) -> ClipSettings:
    frames = _frames(config)
    if config.clip_frames is None and config.data.startswith(UCF101):
        frames = PROBE_FRAMES
    return ClipSettings(frames, _side(config), config.clip_test == "subset")


def _random(config: TrainConfig, device: torch.device) -> VideoEncoder:
    """The encoder as the run started it: same seed, no learning."""
    network, _ = VIDEO.build(config, device, classes=2)
    assert isinstance(network, ClipHierarchy)
    return network.encoder.requires_grad_(False)


def _load(config: TrainConfig, weights: Path, device: torch.device) -> VideoEncoder:
    """The encoder of a run; raises ValueError when the weights belong to another architecture."""
    encoder = _random(config, device)
    described = (
        f"a {encoder.architecture.name} of width {config.width:g} with normalisation "
        f"{encoder.normalisation}"
    )
    return fill_encoder(encoder, weights, described)


VIDEO = Video()
