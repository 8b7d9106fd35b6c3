"""The lateral connections of an area, in either code: prediction and retrodiction."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class LateralConnections(nn.Module):
    """Matrices between the neurons that hold the context c and those that hold the present activity z.

    Args:
        channels: neurons that hold z.
        context_channels: neurons that hold c.
        own_retro: True if W_retro is learned beside W_pred (paper, Eqs. 7 and 14).
        steps: leading axes, one matrix for each prediction step; () for a single matrix.

    Attributes:
        W_pred: (*steps, z, c); apical input of the z-neurons is `W_pred c`.
        W_retro: (*steps, c, z), or None unless `own_retro`.
    """

    def __init__(
        self,
        channels: int,
        context_channels: int,
        own_retro: bool,
        steps: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.W_pred = nn.Parameter(torch.empty(*steps, channels, context_channels))
        self.W_retro = (
            nn.Parameter(torch.empty(*steps, context_channels, channels)) if own_retro else None
        )

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw both matrices from U(-1/sqrt(C), 1/sqrt(C)), C = neurons holding z (published default)."""
        bound = 1 / math.sqrt(self.W_pred.shape[-2])
        with torch.no_grad():
            for matrix in (self.W_pred, self.W_retro):
                if matrix is not None:
                    matrix.uniform_(-bound, bound, generator=generator)

    def predict(self, c: Float[Tensor, "sample c"]) -> Float[Tensor, "sample z"]:
        """Apical input W_pred c of a single matrix."""
        return F.linear(c, self.W_pred)


def draw_by_sources(connections: LateralConnections, generator: torch.Generator) -> None:
    """Draw W_pred from U(-1/sqrt(C), 1/sqrt(C)), C = neurons that hold c: the default of CLAPP++."""
    bound = 1 / math.sqrt(connections.W_pred.shape[-1])
    with torch.no_grad():
        connections.W_pred.uniform_(-bound, bound, generator=generator)
