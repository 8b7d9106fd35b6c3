"""Exact law of scores read from half-wave bursts: a difference of two sums of Bernoulli numbers.

A unit of the ON (OFF) population bursts in a step with probability q p, whatever happened before; a score is
the weight of one burst times ON bursts minus OFF bursts. The characteristic function of a sum of independent
numbers is the product of theirs, and its Fourier transform gives every probability.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

TAIL = 12.0
"""Counts are followed to this many standard deviations (of Poisson numbers) from their mean."""


class ScoreLaw(NamedTuple):
    """Distribution of the score of each target.

    Attributes:
        score: every possible score, ascending.
        probability: of each.
    """

    score: Float[Tensor, "count"]
    probability: Float[Tensor, "target count"]

    def answers(self, y: int) -> Float[Tensor, "target"]:
        """P(gamma != 0), the probability that the hinge 1 - y u_hat is positive."""
        return self.probability @ (1 - y * self.score > 0).double()

    def hinge(self, y: int) -> tuple[Float[Tensor, "target"], Float[Tensor, "target"]]:
        """Mean and standard deviation of max(0, 1 - y u_hat)."""
        value = (1 - y * self.score).clamp(min=0)
        mean = self.probability @ value
        return mean, (self.probability @ value.square() - mean.square()).clamp(min=0).sqrt()


def score_law(
    on: Float[Tensor, "target unit"], off: Float[Tensor, "target unit"], steps: int, weight: float
) -> ScoreLaw:
    """Law of weight (ON bursts - OFF bursts) over a window.

    Args:
        on, off: burst probabilities of every unit in each step, the same in all steps.
        steps: of the window.
        weight: of one burst.
    """
    on, off = on.double(), off.double()
    busiest = steps * float(torch.maximum(on.sum(dim=-1), off.sum(dim=-1)).max())
    reach = busiest + TAIL * (busiest + 1) ** 0.5
    half = 1 << int(reach).bit_length()
    turn = torch.exp(-2j * torch.pi * torch.arange(2 * half, dtype=torch.float64) / (2 * half))

    def transform(p: Float[Tensor, "target unit"]) -> Tensor:
        return (1 + p[..., None] * (turn - 1)).prod(dim=1) ** steps

    cyclic = torch.fft.ifft(transform(on) * transform(off).conj()).real
    probability = cyclic.roll(half, dims=-1).clamp(min=0)
    return ScoreLaw(weight * torch.arange(-half, half, dtype=torch.float64), probability)
