"""Weights of a run back into a network, or into an encoder alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from clapp_snn.training.checkpoint import load_weights

PREFIX = "encoder."
Filled = TypeVar("Filled", bound=nn.Module)


def fill(module: Filled, tensors: Mapping[str, Tensor], weights: str | Path, wanted: str) -> Filled:
    """`module` with all its tensors taken from `tensors`.

    Args:
        module: changed in place.
        tensors: by the names of `module.state_dict()`.
        weights: where they come from, for the message.
        wanted: what they should belong to, for the message.

    Raises ValueError when names or shapes are others.
    """
    own = module.state_dict()
    if set(tensors) != set(own) or any(tensors[k].shape != own[k].shape for k in own):
        raise ValueError(
            f"The weights in {weights} do not fit {wanted}; use the configuration they were trained with."
        )
    module.load_state_dict(tensors)
    return module


def fill_encoder(encoder: Filled, weights: str | Path, described: str) -> Filled:
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
    return fill(encoder, found, weights, described)
