"""One area of CLAPP++: apical input predicted from its own map, from the top area's map, or from both."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from clapp_snn.functional.map_score import MapSignals, map_signals
from clapp_snn.methods.record import Context


class MapArea(nn.Module):
    """The matrices that predict a flattened map from those of the other view.

    Args:
        size: values of the flattened map, `z`.
        top: values of the flattened map of the top area.
        context: where the prediction comes from.

    Attributes:
        W_pred: (z, z), from the area itself; None with context "top".
        W_top: (z, top), direct feedback from the top area; None with context "same".
    """

    def __init__(self, size: int, top: int, context: Context) -> None:
        super().__init__()
        self.W_pred = nn.Parameter(torch.empty(size, size)) if context != "top" else None
        self.W_top = nn.Parameter(torch.empty(size, top)) if context != "same" else None

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw all matrices from U(-1/sqrt(C), 1/sqrt(C)), C = values that predict (published default)."""
        with torch.no_grad():
            for matrix in self.matrices():
                bound = 1 / math.sqrt(matrix.shape[1])
                matrix.uniform_(-bound, bound, generator=generator)

    def matrices(self) -> list[nn.Parameter]:
        """The matrices there are, W_pred first."""
        return [matrix for matrix in (self.W_pred, self.W_top) if matrix is not None]

    def compare(
        self,
        z: Float[Tensor, "groups view z"],
        top: Float[Tensor, "groups view top"] | None,
        landing: Int64[Tensor, "groups view negative"],
    ) -> list[tuple[nn.Parameter, MapSignals]]:
        """One comparison for each matrix; `top` may be None where no matrix needs it."""
        found = []
        if self.W_pred is not None:
            found.append((self.W_pred, map_signals(z, z, self.W_pred.detach(), landing)))
        if self.W_top is not None:
            assert top is not None
            found.append((self.W_top, map_signals(z, top, self.W_top.detach(), landing)))
        return found
