"""Losses on scores, and the broadcast factor each of them sends to the synapses of an area."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

INFONCE_FLOOR = 1e-11


def hinge_loss(
    score: Float[Tensor, "..."], y: Float[Tensor, "..."] | float
) -> Float[Tensor, "..."]:
    """Hinge loss max(0, 1 - y u), y = +1 for a fixation and -1 for a saccade (paper Eq. 3)."""
    return torch.clamp_min(1 - y * score, 0)


def broadcast_factor(
    score: Float[Tensor, "..."], y: Float[Tensor, "..."] | float
) -> Float[Tensor, "..."]:
    """gamma = y H, with H = 1 where the hinge loss is positive and 0 elsewhere (paper, below Eq. 8)."""
    return y * (1 - y * score > 0).to(score.dtype)


def pair_weights(
    fixation: Bool[Tensor, "groups image"] | None,
    groups: int,
    rows: int,
    images: int,
    cols: int,
    negatives: int,
    like: Float[Tensor, "..."],
) -> tuple[Float[Tensor, "groups cell"], Float[Tensor, "groups cell"]]:
    """Weights that turn sums over pairs into the published means, for fixations and for saccades.

    Synchronous: the mean over all cells of a group. Time-local: the mean over the cells of the images
    drawn as fixations, and of those drawn as saccades; an empty set weighs nothing. Groups are averaged.
    """
    if fixation is None:
        each = 1 / (groups * rows * images * cols)
        weight = like.new_full((groups, rows * images * cols), each)
        return weight, weight / negatives

    def spread(chosen: Bool[Tensor, "groups image"]) -> Float[Tensor, "groups cell"]:
        share = chosen.to(like.dtype)
        count = share.sum(1, keepdim=True).clamp_min(1) * (groups * rows * cols)
        per_image = (share / count).view(groups, 1, images, 1)
        return per_image.expand(groups, rows, images, cols).reshape(groups, -1)

    return spread(fixation), spread(~fixation) / negatives


def hinge_signal(
    score: Float[Tensor, "groups cell pair"],
    weight_fixation: Float[Tensor, "groups cell"],
    weight_saccade: Float[Tensor, "groups cell"],
    gate: bool = True,
) -> tuple[Float[Tensor, ""], Float[Tensor, "groups cell pair"]]:
    """Weighted hinge loss and weighted broadcast factor gamma of every pair.

    With `gate=False` (ablation) the losses are 1 - u for both and gamma is +1 everywhere.
    """
    weight = torch.cat(
        (
            weight_fixation.unsqueeze(2),
            weight_saccade.unsqueeze(2).expand(-1, -1, score.shape[2] - 1),
        ),
        dim=2,
    )
    if not gate:
        return (weight * (1 - score)).sum(), weight
    y = torch.ones_like(score)
    y[:, :, 1:] = -1
    return (weight * hinge_loss(score, y)).sum(), weight * broadcast_factor(score, y)


def infonce_signal(
    score: Float[Tensor, "groups cell pair"], weight: Float[Tensor, "groups cell"]
) -> tuple[Float[Tensor, ""], Float[Tensor, "groups cell pair"]]:
    """InfoNCE loss -log(p_fixation + 1e-11) of the softmax over pairs, and minus its score derivative.

    van den Oord et al. 2018 (arXiv:1807.03748), as in the published layer-wise GIM. The derivative plays
    the part of gamma: graded instead of gated, and dependent on all saccades at once.
    """
    p = score.softmax(dim=2)
    fixation = p[:, :, :1]
    signal = -p * (fixation / (fixation + INFONCE_FLOOR))
    signal[:, :, :1] += fixation / (fixation + INFONCE_FLOOR)
    loss = -(weight * (fixation.squeeze(2) + INFONCE_FLOOR).log()).sum()
    return loss, signal * weight.unsqueeze(2)
