"""From a configuration to a network that listens, and back from its weights to an encoder."""

from pathlib import Path

import torch

from clapp_snn.circuit.speech_hierarchy import SpeechHierarchy
from clapp_snn.encoders.speech import SPEECH6, SpeechEncoder
from clapp_snn.methods import get_method
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.encoder_weights import fill_encoder


def build_speech(
    config: TrainConfig, device: torch.device, classes: int
) -> tuple[SpeechHierarchy, str]:
    """A freshly initialised network on `device`, and a sentence about its recurrent layer."""
    recurrence = config.recurrence or "bptt"
    encoder = SpeechEncoder(SPEECH6, config.width)
    network = SpeechHierarchy(encoder, get_method(config.method, "speech"), classes, recurrence)
    network.reset_parameters(config.seed)
    words = {
        "bptt": "back-propagation through time",
        "eprop": "e-prop, eligibility traces forward in time",
        "detached": "the present step only",
    }
    return network.to(device), f"GRU: {words[recurrence]}"


def random_speech_encoder(config: TrainConfig, device: torch.device) -> SpeechEncoder:
    """The encoder as the run started it: same seed, no learning."""
    network, _ = build_speech(config, device, classes=2)
    return network.encoder.requires_grad_(False)


def load_speech_encoder(
    config: TrainConfig, weights: str | Path, device: torch.device
) -> SpeechEncoder:
    """The encoder of a run with weights from a checkpoint, a run folder or a .safetensors file.

    Raises ValueError when the weights belong to another architecture, CheckpointError when they cannot be
    read.
    """
    described = f"a speech encoder of width {config.width:g}"
    return fill_encoder(random_speech_encoder(config, device), weights, described)
