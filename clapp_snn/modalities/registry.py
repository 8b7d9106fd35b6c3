"""Which modality a configuration belongs to."""

from clapp_snn.modalities.images import IMAGES
from clapp_snn.modalities.modality import Modality
from clapp_snn.modalities.speech import SPEECH
from clapp_snn.modalities.video import VIDEO
from clapp_snn.training.config import TrainConfig

MODALITIES: dict[str, Modality] = {modality.name: modality for modality in (IMAGES, SPEECH, VIDEO)}
"""Modalities by name."""


def modality_of(config: TrainConfig) -> Modality:
    """The modality that follows from the data of a configuration."""
    return MODALITIES[config.modality]
