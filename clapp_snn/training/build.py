"""From a configuration to a network: engine, device, encoder, hierarchy."""

from dataclasses import replace
from pathlib import Path

import torch

from clapp_snn import native
from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.circuit.image_network import ImageNetwork
from clapp_snn.circuit.lpl import LatentPrediction
from clapp_snn.circuit.map_hierarchy import MapHierarchy
from clapp_snn.circuit.self_contrastive import SelfContrastive, SelfContrastiveEncoder
from clapp_snn.circuit.soft_hebb import SoftHebb, SoftHebbEncoder
from clapp_snn.circuit.top_down import TOP_DOWN
from clapp_snn.encoders.competing import CompetingEncoder
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import VGG6, VGG6_WHOLE
from clapp_snn.functional.engine import Engine
from clapp_snn.methods import get_method
from clapp_snn.methods.record import Method
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.encoder_weights import fill_encoder


def method_of(config: TrainConfig) -> Method:
    """The method record, with the configuration's reading of the broadcast signal."""
    method = get_method(config.method)
    if config.sharing == "paper" and method.objective is not None:
        return replace(method, objective=replace(method.objective, sharing="paper"))
    return method


def choose_engine(config: TrainConfig, device: torch.device, explicit: bool) -> tuple[Engine, str]:
    """The engine of the convolutions, and one sentence that says which and why.

    `explicit`: whether the method learns by the explicit rule; back-propagation always runs on torch.
    Raises ValueError when "native" is asked for where it cannot run.
    """
    if config.engine == "compiled" and not explicit:
        raise ValueError(
            f"engine='compiled' is for the explicit rule; {config.method!r} learns by back-propagation: use "
            "engine='auto' or 'torch'."
        )
    if config.engine in ("torch", "compiled"):
        return config.engine, f"convolutions: {config.engine}, as asked"
    reasons = []
    if device.type != "cpu":
        reasons.append(f"the device is {device.type}")
    if config.precision != "float32":
        reasons.append(f"the precision is {config.precision}")
    if not reasons and not native.available():
        reasons.append(native.why_unavailable())
    if config.engine == "native" and reasons:
        raise ValueError(f"engine='native' cannot run: {'; '.join(reasons)}.")
    if not explicit and not reasons:
        return "native", "convolutions: torch with back-propagation, native kernels for probes"
    if reasons:
        return "torch", f"convolutions: torch (no native kernels: {'; '.join(reasons)})"
    return "native", "convolutions: native kernels"


def build_hierarchy(
    config: TrainConfig, device: torch.device, classes: int
) -> tuple[Hierarchy, str]:
    """A freshly initialised network on `device`, and the sentence of `choose_engine`.

    Raises ValueError for methods that do not work on patches (`build_network` builds any).
    """
    network, sentence = build_network(config, device, classes)
    if not isinstance(network, Hierarchy):
        raise ValueError(f"Method {config.method!r} does not work on patches.")
    return network, sentence


def build_network(
    config: TrainConfig, device: torch.device, classes: int
) -> tuple[ImageNetwork, str]:
    """A freshly initialised network of any method on `device`, and the sentence of `choose_engine`."""
    method = method_of(config)
    network = image_network(method, config.width, 3 if config.color else 1, classes)
    network.reset_parameters(config.seed)
    if isinstance(network.encoder, CompetingEncoder):
        _refuse_other_precision(config)
    network.encoder.engine, sentence = choose_engine(config, device, method.explicit)
    network.encoder.precision = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
    return network.to(device), sentence


def _refuse_other_precision(config: TrainConfig) -> None:
    """Raise ValueError for what encoders with competing neurons do not have."""
    if config.engine == "compiled" or config.precision != "float32":
        raise ValueError(
            f"Method {config.method!r} runs with engine='native' or 'torch' (or 'auto') and "
            "precision='float32' only."
        )


def require_rectified(config: TrainConfig, command: str) -> None:
    """Raise ValueError for runs whose layers are not rectified convolutions, which `command` relies on."""
    if get_method(config.method).task in ("hebbian", "goodness"):
        raise ValueError(
            f"`clapp-snn {command}` knows layers of rectified convolutions only; those of method "
            f"{config.method!r} normalise their input and compete."
        )


def image_network(
    method: Method, width: float, in_channels: int = 1, classes: int = 10
) -> ImageNetwork:
    """The network of a method, not yet initialised: VGG-6 on patches or on whole images."""
    if method.maps is not None:
        return MapHierarchy(Encoder(VGG6_WHOLE, width, in_channels), method)
    if method.task == "predict":
        return LatentPrediction(Encoder(VGG6_WHOLE, width, in_channels), method)
    if method.task == "hebbian":
        return SoftHebb(SoftHebbEncoder(VGG6_WHOLE, width, in_channels), method)
    if method.task == "goodness":
        encoder = SelfContrastiveEncoder(VGG6_WHOLE, width, in_channels)
        return SelfContrastive(encoder, method)
    if method.rule != "own":
        return TOP_DOWN[method.rule](Encoder(VGG6, width, in_channels), method)
    return Hierarchy(Encoder(VGG6, width, in_channels), method, classes)


def load_encoder(config: TrainConfig, weights: str | Path, device: torch.device) -> Encoder:
    """The encoder of a run with weights from a checkpoint, a run folder or a .safetensors file.

    Raises ValueError when the weights belong to another architecture, CheckpointError when they cannot be
    read.
    """
    encoder = random_encoder(config, device)
    described = f"a VGG-6 of width {config.width:g} with {encoder.in_channels} input channel(s)"
    return fill_encoder(encoder, weights, described)


def random_encoder(config: TrainConfig, device: torch.device) -> Encoder:
    """The encoder as the run started it: same seed, no learning; the engine is what suits the device."""
    network, _ = build_network(replace(config, engine="auto"), device, classes=10)
    return network.encoder.requires_grad_(False)
