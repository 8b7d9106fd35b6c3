"""Scores of clips and their plasticity: every time of every clip against all others of the batch.

A context c at time t predicts the activity z at t + s, s = 1, 2, 3, with one matrix W_pred each. Activities
keep their place: prediction and target are compared as vectors over place and channel,

    u[i, j] = sum over places p of z_j(p)^T W_pred c_i(p),

for all contexts i and all targets j of a group of clips. The diagonal is the fixation, everything else,
other clips and other times of the same clip, are saccades (published video code of CLAPP; paper, Appendix).

    hinge     L = 1/2 (mean over the diagonal of max(0, 1 - u) + mean off the diagonal of max(0, 1 + u))
    infonce   L = cross entropy of the softmax along a row, with the diagonal as the right answer

both averaged over the three steps. The scores of a step are one M x M matrix a group, M = clips (T - 3),
summed up over slices of rows, so that the predictions of all places need not exist at once; where they fit,
plasticity uses those that made the scores.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.functional.losses import hinge_loss
from clapp_snn.functional.objective import Loss, Objective

BLOCK_BYTES = 64 << 20
"""Size of what one slice of rows takes, mostly predictions."""

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
        scores: (step, group, M, M) with the pairs of every context in the order of `pair_view`.
    """

    loss: Float[Tensor, ""]
    gate: Float[Tensor, ""]
    signal: Activity
    W_pred: Float[Tensor, "step post pre"]
    scores: Float[Tensor, "step group context pair"]


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
    own, every = hinge_loss(fixation, 1.0), hinge_loss(u, -1.0)
    others = every.sum() - every.diagonal(dim1=1, dim2=2).sum()
    # gamma = y H, where the loss of the pair is positive (functional.losses.broadcast_factor).
    gamma = (every.detach() > 0).to(u.dtype).mul_(-off)
    gamma.diagonal(dim1=1, dim2=2).copy_((own.detach() > 0).to(u.dtype).mul_(on))
    return on * own.sum() + off * others, gamma.abs().sum(), gamma


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
    m, steps = group * contexts, objective.distances
    targets = [slice(group * step, group * step + m) for step in steps]
    u = z.new_zeros(len(steps), len(grouped), m, m)
    blocks = _blocks(grouped, len(steps))
    for rows in blocks:
        part = _predict(grouped[:, :, :, rows], W_pred, m)
        for score, apical, target in zip(u, part.apical, targets, strict=True):
            score.baddbmm_(apical, part.cells[:, target].transpose(1, 2))
    # The mean over steps is one more mean over groups.
    loss, gate, factors = step_loss(u.flatten(0, 1), objective.loss)
    signal, dW = torch.empty_like(grouped), torch.zeros_like(W_pred)
    for rows in blocks:
        if len(blocks) > 1:
            part = _predict(grouped[:, :, :, rows], W_pred, m)
        felt = torch.zeros_like(part.cells)
        context, fed = _places(part.cells[:, :m], z), _places(felt[:, :m], z)
        for index, (gamma, target) in enumerate(zip(factors.view_as(u), targets, strict=True)):
            felt[:, target].baddbmm_(gamma.transpose(1, 2), part.apical[index])
            # Order of products: the M x M matrix first, so that W_pred acts on places one by one.
            seen = _places(torch.bmm(gamma, part.cells[:, target]), z)
            fed.baddbmm_(seen, W_pred[index].expand(len(seen), -1, -1))
            dW[index] += torch.bmm(seen.transpose(1, 2), context).sum(0)
        signal[:, :, :, rows] = felt.view(part.shape).transpose(1, 2)
    scores = pair_view(_clips_first(u, group).flatten(0, 1))
    return ContrastSignals(loss, gate, signal.flatten(0, 1), dW, scores.view(len(u), -1, m, m))


def pair_view(u: Scores) -> Float[Tensor, "group context pair"]:
    """The scores with the fixation of every context first and its saccades behind it."""
    groups, m, _ = u.shape
    # Row-major, the entries after each diagonal element and before the next are m in number.
    off = u.flatten(1)[:, 1:].unflatten(1, (m - 1, m + 1))[:, :, :-1] if m > 1 else u[:, :, :0]
    return torch.cat((u.diagonal(dim1=1, dim2=2).unsqueeze(2), off.reshape(groups, m, m - 1)), 2)


class _Part(NamedTuple):
    """Some rows of a group: activity as one vector a time and clip, in the order of times, so that contexts
    and targets of every step are stretches of it; its `shape` before that; what W_pred c is, a step each."""

    cells: Float[Tensor, "group cell value"]
    shape: torch.Size
    apical: list[Float[Tensor, "group context value"]]


def _predict(z: Tensor, W_pred: Tensor, contexts: int) -> _Part:
    ordered = z.transpose(1, 2).contiguous()
    cells = ordered.flatten(1, 2).flatten(2)
    c = _places(cells[:, :contexts], z)
    apical = [
        torch.bmm(c, matrix.t().expand(len(c), -1, -1)).view(len(c), contexts, -1)
        for matrix in W_pred
    ]
    return _Part(cells, ordered.shape, apical)


def _grouped(z: Activity, group: int) -> Float[Tensor, "group clip time row col channel"]:
    if z.shape[0] % group:
        raise ValueError(f"{z.shape[0]} clips do not split into groups of {group}.")
    return z.unflatten(0, (-1, group))


def _blocks(z: Tensor, steps: int) -> list[slice]:
    """Slices of rows whose activities, signals and predictions stay near `BLOCK_BYTES`."""
    row = z.numel() // z.shape[3] * z.element_size() * (steps + 3)
    size = max(1, BLOCK_BYTES // row)
    return [slice(start, start + size) for start in range(0, z.shape[3], size)]


def _places(cells: Tensor, z: Tensor) -> Float[Tensor, "group place channel"]:
    """Every place of every cell by itself; a view."""
    return cells.view(len(cells), -1, z.shape[-1])


def _clips_first(u: Tensor, group: int) -> Float[Tensor, "step group context target"]:
    """Scores in the order of clips."""
    times = u.shape[-1] // group
    by_time = u.view(*u.shape[:2], times, group, times, group)
    return by_time.permute(0, 1, 3, 2, 5, 4).reshape(u.shape)
