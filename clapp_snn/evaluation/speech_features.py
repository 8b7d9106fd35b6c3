"""Features of whole utterances, layer by layer, computed once for all speech probes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from tqdm import tqdm

from clapp_snn.encoders.speech import SpeechEncoder
from clapp_snn.evaluation.mfcc import mfcc
from clapp_snn.evaluation.scores import require_finite
from clapp_snn.stimuli.speech_record import SpeechSplit

FrameFeatures = Callable[[Float[Tensor, "time"]], dict[int, Float[Tensor, "frame channel"]]]
"""Audio to the features of every layer, one row every 10 ms."""


@dataclass(frozen=True)
class SpokenFeatures:
    """Features of a split by layer (0: MFCC), utterance after utterance.

    Attributes:
        layers: one row every 10 ms.
        owner: number of the utterance of every row.
        phones: label of every row, -1 where there is none.
        speakers: who speaks each utterance, a name.
    """

    layers: dict[int, Float[Tensor, "row channel"]]
    owner: Int64[Tensor, "row"]
    phones: Int64[Tensor, "row"]
    speakers: list[str]

    @cached_property
    def labelled(self) -> Tensor:
        """Rows that have a phone label."""
        return self.phones >= 0


def encoder_frames(encoder: SpeechEncoder, device: torch.device) -> FrameFeatures:
    """Every layer of an encoder, from 1."""

    def read(audio: Tensor) -> dict[int, Tensor]:
        layers = encoder.features(audio[None].to(device))
        return {number: layer[0].cpu() for number, layer in enumerate(layers, start=1)}

    return read


def mfcc_frames() -> FrameFeatures:
    """MFCC as layer 0."""
    return lambda audio: {0: mfcc(audio).float()}


def spoken_features(
    read: FrameFeatures, split: SpeechSplit, progress: str | None = None
) -> SpokenFeatures:
    """Features of all utterances of a split; raises ValueError if they are not finite."""
    parts: list[dict[int, Tensor]] = []
    owner, phones = [], []
    bar = tqdm(
        split.utterances, desc=progress, unit="utterance", disable=None if progress else True
    )
    for number, utterance in enumerate(bar):
        parts.append(read(utterance.audio()))
        owner.append(torch.full((utterance.frames,), number))
        known = torch.full((utterance.frames,), -1)
        if utterance.phones is not None:
            known[utterance.unlabelled :] = utterance.phones
        phones.append(known)
    layers = {layer: torch.cat([part[layer] for part in parts]) for layer in parts[0]}
    for layer, values in layers.items():
        require_finite(values, f"The features of layer {layer}")
    speakers = [utterance.speaker for utterance in split.utterances]
    return SpokenFeatures(layers, torch.cat(owner), torch.cat(phones), speakers)
