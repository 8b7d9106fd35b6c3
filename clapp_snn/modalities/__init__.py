"""Images, speech and video, each as one object: how it is opened, learned from and read out."""

from clapp_snn.modalities.registry import MODALITIES, modality_of

__all__ = ["MODALITIES", "modality_of"]
