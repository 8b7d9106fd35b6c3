"""Intervals that respect that frames of one utterance are alike: the bootstrap over utterances."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from clapp_snn.randomness import generator

RESAMPLES = 2000


def hits_per_owner(
    right: Bool[Tensor, "row"], owner: Int64[Tensor, "row"], owners: int
) -> tuple[Float[Tensor, "owner"], Float[Tensor, "owner"]]:
    """Right answers and all answers of each utterance."""
    count = torch.bincount(owner, minlength=owners).double()
    return torch.bincount(owner, weights=right.double(), minlength=owners), count


def bootstrap_interval(
    hits: Float[Tensor, "owner"], count: Float[Tensor, "owner"], seed: int = 0
) -> tuple[float, float]:
    """95 % interval in percent of the share of right answers, over resampled utterances (percentiles).

    Efron 1979 (doi:10.1214/aos/1176344552). With few utterances it is somewhat too narrow.

    Raises:
        ValueError: if there is no utterance.
    """
    shares = _resampled(hits, count, seed)
    low, high = torch.quantile(shares, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return low, high


def bootstrap_difference(
    hits: Float[Tensor, "owner"],
    other: Float[Tensor, "owner"],
    count: Float[Tensor, "owner"],
    seed: int = 0,
) -> tuple[float, float, float]:
    """Difference of two shares of right answers to the same questions, in points, and its 95 % interval.

    Paired: both shares come from the same resampled utterances, so that what makes an utterance easy or hard
    for both cancels. Raises ValueError if there is no utterance.
    """
    apart = _resampled(hits, count, seed) - _resampled(other, count, seed)
    low, high = torch.quantile(apart, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return 100 * float((hits.sum() - other.sum()) / count.sum()), low, high


def _resampled(hits: Tensor, count: Tensor, seed: int) -> Float[Tensor, "resample"]:
    owners = len(count)
    if owners == 0 or not bool(count.sum() > 0):
        raise ValueError("There are no answers to resample.")
    stream = generator(seed, "bootstrap")
    chosen = torch.randint(0, owners, (RESAMPLES, owners), generator=stream)
    return 100 * hits.double()[chosen].sum(1) / count.double()[chosen].sum(1)
