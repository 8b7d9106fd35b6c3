"""Accuracy of one layer and its 95 % interval."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor


@dataclass(frozen=True)
class LayerScore:
    """Test accuracy of one layer, in percent; layer 0 stands for the raw stimulus.

    `low` and `high` bound the 95 % interval; `top3` and `top5` are None where a probe has no ranking.
    """

    layer: int
    accuracy: float
    low: float
    high: float
    n_test: int
    top5: float | None = None
    note: str = ""
    top3: float | None = None


def wilson_interval(correct: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval in percent of a share `correct / total` (Wilson 1927, 10.2307/2276774).

    Raises:
        ValueError: if the counts are impossible.
    """
    if not 0 <= correct <= total or total == 0:
        raise ValueError(f"{correct} right answers out of {total} is no share.")
    share = correct / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    norm = 1 + z * z / total
    return 100 * max(0.0, (centre - spread) / norm), 100 * min(1.0, (centre + spread) / norm)


def score_logits(
    layer: int,
    logits: Float[Tensor, "image class"],
    labels: Int64[Tensor, "image"],
    note: str = "",
) -> LayerScore:
    """Top-1, top-3 and top-5 accuracy over all samples (not a mean of batch means)."""
    ranked = logits.topk(min(5, logits.shape[1]), dim=1).indices
    hits = ranked == labels.to(logits.device)[:, None]
    total = len(labels)
    correct = int(hits[:, 0].sum())
    low, high = wilson_interval(correct, total)
    return LayerScore(
        layer=layer,
        accuracy=100 * correct / total,
        low=low,
        high=high,
        n_test=total,
        top5=100 * int(hits.any(dim=1).sum()) / total,
        note=note,
        top3=100 * int(hits[:, :3].any(dim=1).sum()) / total,
    )


def require_finite(values: Tensor, what: str) -> None:
    """Stop on NaN or infinity.

    Raises:
        ValueError: naming `what` if any entry is not finite.
    """
    if not bool(torch.isfinite(values).all()):
        raise ValueError(f"{what} hold NaN or infinity: the encoder has diverged or is damaged.")
