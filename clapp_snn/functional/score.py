"""Scores u = z^T W_pred c, and sums over the pairs that were scored.

The pairs of one prediction step are the matrix Gamma (context cell x target cell) with one entry per
fixation (the diagonal) and one per saccade. With many saccades all scores are one Gram matrix, of which
the drawn pairs are gathered; with one saccade per cell the pairs are taken row by row. The native engine
computes the drawn pairs only.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn import native
from clapp_snn.functional.engine import Engine


def pair_scores(
    prediction: Float[Tensor, "groups cell channel"],
    target: Float[Tensor, "groups cell channel"],
    landing: Int64[Tensor, "groups cell negative"],
    engine: Engine = "torch",
) -> Float[Tensor, "groups cell pair"]:
    """Scores of every context cell with its own target (pair 0) and with its saccades (pairs 1..N).

    Args:
        prediction: apical input `W_pred c` of the neurons that hold `z`.
        target: present activity `z`.
        landing: target cell each saccade lands on.
        engine: "native" needs float32 on the CPU.
    """
    if engine == "native":
        return native.sparse_scores(landing, prediction, target)
    if landing.shape[2] == 1:
        index = landing.expand(-1, -1, target.shape[2])
        fixation = torch.linalg.vecdot(prediction, target)
        saccade = torch.linalg.vecdot(prediction, target.gather(1, index))
        return torch.stack((fixation, saccade), dim=2)
    gram = torch.bmm(prediction, target.transpose(1, 2))
    fixation = gram.diagonal(dim1=1, dim2=2).unsqueeze(2)
    return torch.cat((fixation, gram.gather(2, landing)), dim=2)


def _pair_matrix(
    gamma: Float[Tensor, "groups cell pair"], landing: Int64[Tensor, "groups cell negative"]
) -> Float[Tensor, "groups cell target"]:
    groups, cells, _ = landing.shape
    matrix = gamma.new_zeros(groups, cells, cells)
    matrix.scatter_add_(2, landing, gamma[:, :, 1:])
    matrix.diagonal(dim1=1, dim2=2).add_(gamma[:, :, 0])
    return matrix


def sum_over_pairs(
    gamma: Float[Tensor, "groups cell pair"],
    landing: Int64[Tensor, "groups cell negative"],
    target: Float[Tensor, "groups cell channel"] | None,
    prediction: Float[Tensor, "groups cell channel"] | None,
    engine: Engine = "torch",
) -> tuple[
    Float[Tensor, "groups cell channel"] | None, Float[Tensor, "groups cell channel"] | None
]:
    """Sums weighted by gamma, for the context cells over targets and for the target cells over contexts.

    Returns (Gamma target, Gamma^T prediction); either input may be None when its sum is not needed.
    """
    if engine == "native":
        return (
            None if target is None else native.sparse_apply(landing, gamma, target),
            None
            if prediction is None
            else native.sparse_apply_transposed(landing, gamma, prediction),
        )
    if landing.shape[2] == 1:
        own, other = gamma[:, :, 0:1], gamma[:, :, 1:2]
        over_targets = over_contexts = None
        if target is not None:
            index = landing.expand(-1, -1, target.shape[2])
            over_targets = own * target + other * target.gather(1, index)
        if prediction is not None:
            index = landing.expand(-1, -1, prediction.shape[2])
            over_contexts = (own * prediction).scatter_add_(1, index, other * prediction)
        return over_targets, over_contexts
    matrix = _pair_matrix(gamma, landing)
    return (
        None if target is None else torch.bmm(matrix, target),
        None if prediction is None else torch.bmm(matrix.transpose(1, 2), prediction),
    )
