"""Dendritic gain: kappa follows the size of the predictions, so that burst probabilities neither saturate
nor vanish while W_pred grows.

    kappa = slope / size,    size <- (1 - rate) size + rate statistic(|zhat|)

with the 99th percentile of |zhat| over the units for the half-wave read-out (slope 1: p reaches 1 at that
percentile) and the root mean square for the opponent read-out (slope p0 (1 - p0), that is s = 1 / rms). The
detector's weight per burst changes in the same step: J kappa is constant. Size follows slowly, so that in a
running stream 2 to 3 % of the units of the half-wave read-out saturate (kappa |zhat| > 1) and large scores
are read some 3 % too small. Every sample has a gain of its
own, so what a sample does never depends on the rest of its batch.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Statistic = Literal["fixed", "q99", "rms"]


@dataclass(frozen=True)
class Gain:
    """How kappa is found.

    Attributes:
        statistic: measure of size; "fixed" leaves kappa = slope.
        slope: kappa at size 1.
        rate: share of a new measurement in the running average, per window.

    Raises ValueError for a slope that is not positive or a rate outside (0, 1].
    """

    statistic: Statistic = "fixed"
    slope: float = 1.0
    rate: float = 0.1

    def __post_init__(self) -> None:
        if self.statistic not in ("fixed", "q99", "rms"):
            raise ValueError(f"The statistic is fixed, q99 or rms, not {self.statistic!r}.")
        if not self.slope > 0:
            raise ValueError(f"The slope of a gain must be positive, not {self.slope}.")
        if not 0 < self.rate <= 1:
            raise ValueError(f"The rate of a gain must lie in (0, 1], not {self.rate}.")

    def initial_size(self, like: Float[Tensor, "sample ..."]) -> Float[Tensor, "sample"]:
        """Size 0, which means that nothing was measured yet."""
        return like.new_zeros(like.shape[0])

    def follow(
        self, size: Float[Tensor, "sample"], zhat: Float[Tensor, "sample unit"]
    ) -> Float[Tensor, "sample"]:
        """Running size after one more prediction; the first one that is not zero counts in full."""
        if self.statistic == "fixed":
            return size
        if self.statistic == "q99":
            measured = _percentile_99(zhat.abs())
        else:
            measured = zhat.square().mean(1).sqrt()
        return torch.where(size > 0, torch.lerp(size, measured, self.rate), measured)

    def kappa(self, size: Float[Tensor, "sample"]) -> Float[Tensor, "sample"]:
        """Slope of burst probability on zhat; the plain slope while nothing was measured."""
        return self.slope / torch.where(size > 0, size, torch.ones_like(size))


def _percentile_99(values: Float[Tensor, "sample unit"]) -> Float[Tensor, "sample"]:
    """`torch.quantile(values, 0.99, dim=1)` from the few largest values, without sorting the others."""
    last = values.shape[1] - 1
    rank = 0.99 * torch.tensor(last, dtype=values.dtype, device=values.device)
    below = int(0.99 * last)
    largest = values.topk(values.shape[1] - below, dim=1).values
    above = largest[:, max(0, largest.shape[1] - 2)]
    return torch.lerp(largest[:, -1], above, rank - below)
