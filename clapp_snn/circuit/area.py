"""One area: apical prediction, coincidence with the soma, surprise, and what plasticity makes of them."""

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.connections import LateralConnections
from clapp_snn.functional.engine import Engine
from clapp_snn.functional.objective import Objective
from clapp_snn.functional.plasticity import AreaSignals, area_signals
from clapp_snn.functional.saccades import Draw, draw_saccades


class Area(LateralConnections):
    """The lateral connections of an area and its broadcast factor, in rate code.

    Args:
        channels: neurons per cell that hold the present activity z.
        context_channels: neurons per cell that hold the context c.
        objective: what the area compares.

    Attributes:
        W_pred: (step, z, c); apical input of the z-neurons is `W_pred c`.
        W_retro: (step, c, z), or None unless objective.retro is "free".
    """

    def __init__(self, channels: int, context_channels: int, objective: Objective) -> None:
        steps = (len(objective.distances),)
        super().__init__(channels, context_channels, objective.retro == "free", steps)
        self.objective = objective

    @property
    def losses(self) -> int:
        """How many losses draw their own saccades (two with a free W_retro and sharing="code")."""
        return 2 if self.objective.retro == "free" and self.objective.sharing == "code" else 1

    def draw(
        self,
        streams: list[list[torch.Generator]],
        images: int,
        grid: int,
        device: torch.device | str,
    ) -> list[Draw]:
        """Draw the saccades of every loss; `streams[loss]` holds one generator for each group."""
        return [draw_saccades(self.objective, s, images, grid, device) for s in streams]

    def compare(
        self,
        z: Float[Tensor, "groups row image col channel"],
        c: Float[Tensor, "groups row image col context"],
        draws: list[Draw],
        engine: Engine = "torch",
    ) -> AreaSignals:
        """Compare fixations with saccades (`functional.plasticity.area_signals`)."""
        retro = None if self.W_retro is None else self.W_retro.detach()
        second = draws[1] if len(draws) > 1 else None
        W_pred = self.W_pred.detach()
        return area_signals(self.objective, z, c, W_pred, retro, draws[0], second, engine)
