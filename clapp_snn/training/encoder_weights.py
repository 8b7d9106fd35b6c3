"""Weights of a run back into an encoder."""

from pathlib import Path
from typing import TypeVar

from torch import nn

from clapp_snn.training.checkpoint import load_weights

PREFIX = "encoder."
Encoder = TypeVar("Encoder", bound=nn.Module)


def fill_encoder(encoder: Encoder, weights: str | Path, described: str) -> Encoder:
    """`encoder` with weights from a checkpoint, a run folder or a .safetensors file.

    Args:
        encoder: of the architecture that the weights belong to; changed in place.
        weights: of a whole network; what is not its encoder's is left out.
        described: the architecture in words, for the message.

    Raises ValueError when the weights belong to another architecture, CheckpointError when they cannot be
    read.
    """
    found = {
        name.removeprefix(PREFIX): tensor
        for name, tensor in load_weights(weights).items()
        if name.startswith(PREFIX)
    }
    wanted = encoder.state_dict()
    if set(found) != set(wanted) or any(found[k].shape != wanted[k].shape for k in wanted):
        raise ValueError(
            f"The weights in {weights} do not fit {described}; use the configuration they were trained with."
        )
    encoder.load_state_dict(found)
    return encoder
