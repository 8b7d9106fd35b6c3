"""Learning with quantised weights: the local rule, with every weight on its grid at all times.

After every update each weight is rounded to one of its two neighbouring levels, up with a probability that
equals the fraction, so that the mean of what is stored is what the rule asked for: steps far smaller than a
level still add up. Started from trained weights this is quantisation-aware fine-tuning, started from random
ones it is learning on a chip with few bits.
"""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.export.quantise import largest_level, quantise


class Grid:
    """Levels of all weights of a hierarchy; biases stay exact, as chips hold them in more bits.

    Args:
        hierarchy: whose weights are put on the grid at once, rounded to the nearest.
        bits: of a weight, sign included.
        room: how many times the scale that fits the present weights best: weights that learn may grow.

    Attributes:
        weights: those of the hierarchy.
        scales: size of a level of each.
        largest: level.

    Raises ValueError for a number of bits that there is not, and weights that are not finite.
    """

    def __init__(self, hierarchy: StreamHierarchy, bits: int, room: float = 1.0) -> None:
        if not room > 0:
            raise ValueError(f"The room for growth must be positive, not {room}.")
        self.largest = largest_level(bits)
        self.weights = [each for area in hierarchy.areas for each in matrices(area.parameters())]
        self.scales = [room * quantise(_array(each), bits).scale for each in self.weights]
        with torch.no_grad():
            for weight, scale in zip(self.weights, self.scales, strict=True):
                weight.copy_(self._levels((weight / scale).round()) * scale)

    @torch.no_grad()
    def round(self, generator: torch.Generator) -> None:
        """Put all weights back on the grid, stochastically."""
        for weight, scale in zip(self.weights, self.scales, strict=True):
            random = torch.rand(weight.shape, dtype=weight.dtype, generator=generator)
            weight.copy_(self._levels((weight / scale + random.to(weight.device)).floor()) * scale)

    def _levels(self, levels: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return levels.clamp(-self.largest, self.largest)


def matrices(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Those that are weights, not biases."""
    return [each for each in parameters if each.dim() > 1]


def _array(weight: Tensor) -> Float64[np.ndarray, "post *pre"]:
    array: np.ndarray = weight.detach().cpu().double().numpy()
    return array
