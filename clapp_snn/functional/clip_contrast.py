"""Scores of clips and their plasticity: every time of every clip against all others of the batch.

A context c at time t predicts the activity z at t + s, s = 1, 2, 3, with one matrix W_pred each. Activities
keep their place: prediction and target are compared as vectors over place and channel,

    u[i, j] = sum over places p of z_j(p)^T W_pred c_i(p),

for all contexts i and all targets j of a group of clips. The diagonal is the fixation, everything else,
other clips and other times of the same clip, are saccades (published video code of CLAPP; paper, Appendix).

    hinge     L = 1/2 (mean over the diagonal of max(0, 1 - u) + mean off the diagonal of max(0, 1 + u))
    infonce   L = cross entropy of the softmax along a row, with the diagonal as the right answer

both averaged over the three steps. The scores of a step are one M x M matrix a group, M = clips (T - 3),
summed up place by place, so that the predictions of all places never exist at once.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.functional.losses import broadcast_factor, hinge_loss
from clapp_snn.functional.objective import Loss, Objective

BLOCK_BYTES = 64 << 20
"""Size of the predictions that exist at a time."""

Activity = Float[Tensor, "clip time row col channel"]
Scores = Float[Tensor, "group context target"]


class ContrastSignals(NamedTuple):
    """Everything an area derives from one comparison, in the direction of learning.

    Attributes:
        loss: value of the objective.
        gate: mean of the shares of open gates on fixations and on saccades; for InfoNCE the mean
            probability that the fixation is not recognised.
        signal: e of every neuron, as target and as context together (gamma W_pred c + gamma W_pred^T z).
        W_pred: (step, channel, channel), update of the matrices.
        scores: per step (group, M, M).
    """

    loss: Float[Tensor, ""]
    gate: Float[Tensor, ""]
    signal: Activity
    W_pred: Float[Tensor, "step post pre"]
    scores: list[Scores]


def context_times(times: int, objective: Objective) -> int:
    """Number of times of a clip that have all of their targets among the `times` of an area's output.

    Raises ValueError if there is none.
    """
    furthest = max(objective.distances)
    if times <= furthest:
        raise ValueError(
            f"An area with {times} times a clip cannot predict {furthest} steps ahead; take longer clips "
            "(more frames) or an encoder that keeps more of them."
        )
    return times - furthest


def step_loss(u: Scores, loss: Loss) -> tuple[Tensor, Tensor, Scores]:
    """Objective of one step, its share of open gates, and gamma = minus the derivative of every score.

    Differentiable in `u` through the first of the three. Groups are averaged.
    """
    groups, m, _ = u.shape
    fixation = u.diagonal(dim1=1, dim2=2)
    if loss == "infonce":
        log_p = u.log_softmax(2)
        lost = -log_p.diagonal(dim1=1, dim2=2).mean()
        gamma = log_p.detach().exp().neg_()
        gamma.diagonal(dim1=1, dim2=2).add_(1)
        gamma.div_(groups * m)
        return lost, gamma.diagonal(dim1=1, dim2=2).sum(), gamma
    if m < 2:
        raise ValueError("One context a group has no saccade; take more or longer clips.")
    on, off = 1 / (2 * groups * m), 1 / (2 * groups * m * (m - 1))
    own = hinge_loss(fixation, 1.0).sum()
    every = hinge_loss(u, -1.0).sum() - hinge_loss(fixation, -1.0).sum()
    gamma = broadcast_factor(u.detach(), -1.0).mul_(off)
    gamma.diagonal(dim1=1, dim2=2).copy_(broadcast_factor(fixation.detach(), 1.0).mul_(on))
    return on * own + off * every, gamma.abs().sum(), gamma


def area_signals(
    objective: Objective,
    z: Activity,
    W_pred: Float[Tensor, "step post pre"],
    group: int,
) -> ContrastSignals:
    """Compare predictions with targets in one area and derive all local signals in closed form.

    Args:
        objective: names the loss and the steps (`distances`).
        z: activity of the area, context and target at once.
        W_pred: one matrix a step; W_retro is its transpose.
        group: clips that contrast with each other; must divide the number of clips.

    Raises ValueError if clips are too short or groups do not fit.
    """
    contexts = context_times(z.shape[1], objective)
    grouped = _grouped(z, group)
    signal = torch.zeros_like(grouped)
    dW = torch.zeros_like(W_pred)
    total, gate = z.new_zeros(()), z.new_zeros(())
    scores = []
    for index, step in enumerate(objective.distances):
        matrix = W_pred[index]
        u = _gram(grouped, matrix, step, contexts)
        lost, opened, gamma = step_loss(u, objective.loss)
        scores.append(u)
        total += lost
        gate += opened
        gamma = gamma / len(objective.distances)
        back = gamma.transpose(1, 2)
        for rows in _blocks(grouped):
            c = _flat(grouped[:, :, :contexts, rows])
            target = _flat(grouped[:, :, step : step + contexts, rows])
            shape = grouped[:, :, :contexts, rows].shape
            # Order of products: the M x M matrix first, so that W_pred acts on places one by one.
            felt = torch.bmm(back, c).view(shape)
            seen = torch.bmm(gamma, target).view(shape)
            signal[:, :, step : step + contexts, rows] += felt @ matrix.transpose(0, 1)
            signal[:, :, :contexts, rows] += seen @ matrix
            dW[index] += _outer(seen, c.view(shape))
    count = len(objective.distances)
    return ContrastSignals(total / count, gate / count, signal.flatten(0, 1), dW, scores)


def pair_view(u: Scores) -> Float[Tensor, "group context pair"]:
    """The scores with the fixation of every context first and its saccades behind it."""
    groups, m, _ = u.shape
    # Row-major, the entries after each diagonal element and before the next are m in number.
    off = u.flatten(1)[:, 1:].unflatten(1, (m - 1, m + 1))[:, :, :-1] if m > 1 else u[:, :, :0]
    return torch.cat((u.diagonal(dim1=1, dim2=2).unsqueeze(2), off.reshape(groups, m, m - 1)), 2)


def _gram(z: Tensor, matrix: Tensor, step: int, contexts: int) -> Scores:
    u = z.new_zeros(z.shape[0], z.shape[1] * contexts, z.shape[1] * contexts)
    for rows in _blocks(z):
        apical = _flat(z[:, :, :contexts, rows] @ matrix.transpose(0, 1))
        target = _flat(z[:, :, step : step + contexts, rows])
        u.baddbmm_(apical, target.transpose(1, 2))
    return u


def _grouped(z: Activity, group: int) -> Float[Tensor, "group clip time row col channel"]:
    if z.shape[0] % group:
        raise ValueError(f"{z.shape[0]} clips do not split into groups of {group}.")
    return z.unflatten(0, (-1, group))


def _blocks(z: Tensor) -> Iterator[slice]:
    """Slices of rows whose predictions stay near `BLOCK_BYTES`."""
    row = z.numel() // z.shape[3] * z.element_size()
    size = max(1, BLOCK_BYTES // row)
    for start in range(0, z.shape[3], size):
        yield slice(start, start + size)


def _flat(block: Tensor) -> Float[Tensor, "group cell value"]:
    return block.flatten(1, 2).flatten(2)


def _outer(post: Tensor, pre: Tensor) -> Tensor:
    return post.flatten(0, -2).transpose(0, 1) @ pre.flatten(0, -2)
