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
    return y * (hinge_loss(score, y) > 0).to(score.dtype)


def pair_weights(
    fixation: Bool[Tensor, "groups image"] | None,
    groups: int,
    images: int,
    negatives: int,
    like: Float[Tensor, "..."],
) -> Float[Tensor, "groups 1 image 1 pair"]:
    """Weights of pairs (0 the fixation, 1..N the saccades) whose sums over images are the published means.

    Synchronous: the mean over all images of a group. Time-local: the mean over the images drawn as
    fixations, and over those drawn as saccades; an empty set weighs nothing. Groups are averaged. Divide by
    the cells of an image to average over cells. Dimensions on which the weights do not depend have size 1.
    """
    if fixation is None:
        weight = like.new_full((1, 1, 1, 1, 1 + negatives), 1 / (groups * images * negatives))
        weight[..., 0] *= negatives
        return weight
    chosen = torch.stack((fixation, ~fixation), dim=2).to(like.dtype)
    share = chosen / (chosen.sum(1, keepdim=True).clamp_min(1) * groups)
    share[..., 1] /= negatives
    spread = torch.cat((share[..., :1], share[..., 1:].expand(-1, -1, negatives)), dim=2)
    return spread[:, None, :, None, :]


def hinge_signal(
    score: Float[Tensor, "groups row image col pair"],
    weight: Float[Tensor, "groups 1 image 1 pair"],
    gate: bool = True,
) -> tuple[Float[Tensor, ""], Float[Tensor, "groups row image col pair"]]:
    """Weighted hinge loss and weighted broadcast factor gamma = y H of every pair.

    With `gate=False` (ablation) the losses are 1 - u for both and gamma is +1 everywhere.
    """
    if not gate:
        return (weight * (1 - score)).sum(), weight.expand_as(score).contiguous()
    y = score.new_full((score.shape[-1],), -1)
    y[0] = 1
    loss = (weight * hinge_loss(score, y)).sum()
    return loss, weight * broadcast_factor(score, y)


def infonce_signal(
    score: Float[Tensor, "groups row image col pair"],
    weight: Float[Tensor, "groups 1 image 1 pair"],
) -> tuple[Float[Tensor, ""], Float[Tensor, "groups row image col pair"]]:
    """InfoNCE loss -log(p_fixation + 1e-11) of the softmax over pairs, and minus its score derivative.

    van den Oord et al. 2018 (arXiv:1807.03748), as in the published layer-wise GIM. The derivative plays
    the part of gamma: graded instead of gated, and dependent on all saccades at once. Only the weight of
    the fixation counts.
    """
    each = weight[..., :1]
    p = score.softmax(dim=-1)
    fixation = p[..., :1]
    certainty = fixation / (fixation + INFONCE_FLOOR)
    signal = -p * certainty
    signal[..., :1] += certainty
    return -(each * (fixation + INFONCE_FLOOR).log()).sum(), signal * each
