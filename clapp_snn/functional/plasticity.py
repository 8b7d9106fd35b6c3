"""Eqs. 6-8: what every synapse of an area needs from the area's activities and its broadcast factor.

For one prediction step with context cells `c`, target cells `z` and the broadcast factor gamma of every
scored pair, the updates of the feedforward weights factor into a signal per cell and neuron,

    target side   e_j   = sum over pairs of gamma (W_pred c)_j     (Eq. 6)
    context side  e^c_k = sum over pairs of gamma (W_retro z)_k    (Eq. 7)

which `convolution.update` spreads over the positions of the patch (times rho'(a) and the input x), and

    dW_pred = dW_retro^T = sum over pairs of gamma z c^T           (Eq. 8).

All signs point in the direction of the weight change (the loss falls).
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.functional.cells import context_cells, target_cells
from clapp_snn.functional.engine import Engine
from clapp_snn.functional.losses import hinge_signal, infonce_signal, pair_weights
from clapp_snn.functional.objective import Objective
from clapp_snn.functional.saccades import Draw
from clapp_snn.functional.score import pair_scores, sum_over_pairs

Cells = Float[Tensor, "groups row image col channel"]
Matrices = Float[Tensor, "step post pre"]


class AreaSignals(NamedTuple):
    """Everything an area derives from one comparison of fixations and saccades.

    Attributes:
        loss: value of the objective (scalar).
        gate: share of pairs with H = 1 among the pairs that were evaluated (scalar; for InfoNCE the mean
            probability that the fixation is *not* recognised).
        target: (groups, row, image, col, C_z), the sum gamma W_pred c of every cell as target.
        context: (groups, row, image, col, C_c), the sum gamma W_retro z as context; None for
            retro="zero".
        W_pred: (step, C_z, C_c), update of the prediction matrices.
        W_retro: (step, C_c, C_z), update of the retrodiction matrices, None unless retro="free".
        scores: per step (groups, cell, pair), pair 0 the fixation; of the W_pred loss.
    """

    loss: Float[Tensor, ""]
    gate: Float[Tensor, ""]
    target: Cells
    context: Cells | None
    W_pred: Matrices
    W_retro: Matrices | None
    scores: list[Float[Tensor, "groups cell pair"]]


class _Comparison:
    """One loss: its saccades, the weights of its pairs and how many of its two sets are not empty."""

    def __init__(self, objective: Objective, draw: Draw, z: Cells) -> None:
        groups, _, images, _, _ = z.shape
        self.objective = objective
        self.landing = draw.landing
        negatives = draw.landing[0].shape[2]
        self.weight = pair_weights(draw.fixation, groups, images, negatives, z)
        self.sides: Tensor | int = 1 if objective.loss == "infonce" else 2
        if draw.fixation is not None:
            some = torch.stack((draw.fixation.any(1), ~draw.fixation.all(1)))
            self.sides = some.to(z.dtype).sum() / groups

    def signal(
        self, score: Tensor, rows: int, images: int, cols: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Loss, gamma of every pair, and share of open gates, of one prediction step."""
        steps = len(self.objective.distances)
        placed = score.view(-1, rows, images, cols, score.shape[2])
        weight = self.weight / (steps * rows * cols)
        if self.objective.loss == "infonce":
            loss, gamma = infonce_signal(placed, weight)
            open_gates = gamma[..., 0].sum()
        else:
            loss, gamma = hinge_signal(placed, weight, self.objective.gate)
            open_gates = gamma.abs().sum()
        return loss, gamma.view_as(score), open_gates / self.sides


def _flat_sum(matrix: Tensor) -> Tensor:
    return matrix.reshape(-1, matrix.shape[-1])


def _outer(post: Tensor, pre: Tensor) -> Tensor:
    """Sum over groups and cells of the outer product post pre^T."""
    return _flat_sum(post).transpose(0, 1) @ _flat_sum(pre)


def area_signals(
    objective: Objective,
    z: Cells,
    c: Cells,
    W_pred: Matrices,
    W_retro: Matrices | None,
    draw: Draw,
    retro_draw: Draw | None = None,
    engine: Engine = "torch",
) -> AreaSignals:
    """Compare fixations with saccades in one area and derive all local signals in closed form.

    Args:
        objective: what is compared; must name as many distances as there are matrices.
        z: present activity, the target.
        c: context activity; the same tensor as `z`, or that of the area above (same grid).
        W_pred: one matrix a prediction step, from context to target space.
        W_retro: one matrix a step, from target to context space; only with retro="free".
        draw: saccades of the W_pred loss.
        retro_draw: saccades of the W_retro loss; only with retro="free" and sharing="code", where the two
            losses see different saccades and have two gates.
        engine: who sums over pairs; "native" needs float32 on the CPU.

    Raises ValueError when matrices or draws do not fit the objective.
    """
    _check(objective, W_pred, W_retro, draw, retro_draw)
    if not objective.prediction:
        return _signals_without_prediction(objective, z, c, W_pred, draw)
    groups, grid, images, cols, _ = z.shape
    target_signal = torch.zeros_like(z)
    context_signal = None if objective.retro == "zero" else torch.zeros_like(c)
    dW_pred = torch.empty_like(W_pred)
    dW_retro = None if W_retro is None else torch.empty_like(W_retro)
    loss, gate = z.new_zeros(()), z.new_zeros(())
    scores = []
    forward = _Comparison(objective, draw, z)
    backward = None if retro_draw is None else _Comparison(objective, retro_draw, z)
    for step, distance in enumerate(objective.distances):
        rows = grid - distance
        context, target = context_cells(c, distance), target_cells(z, distance)
        landing = forward.landing[step]
        apical = torch.matmul(context, W_pred[step].transpose(0, 1))
        score = pair_scores(apical, target, landing, engine)
        scores.append(score)
        lost, gamma, opened = forward.signal(score, rows, images, cols)
        seen, felt = sum_over_pairs(gamma, landing, target, apical, engine)
        assert seen is not None
        assert felt is not None
        target_signal[:, distance:] += felt.view(groups, rows, images, cols, -1)
        dW_pred[step] = _outer(seen, context)
        loss += lost
        gate += opened
        if W_retro is not None and dW_retro is not None:
            if backward is not None:
                landing = backward.landing[step]
                projected = torch.matmul(context, W_retro[step])
                score = pair_scores(projected, target, landing, engine)
                lost, gamma, opened = backward.signal(score, rows, images, cols)
                loss += lost
                gate += opened
                seen, _ = sum_over_pairs(gamma, landing, target, None, engine)
                assert seen is not None
            dW_retro[step] = _outer(context, seen)
        if context_signal is not None:
            to_context = W_pred[step] if W_retro is None else W_retro[step].transpose(0, 1)
            felt = torch.matmul(seen, to_context)
            context_signal[:, : grid - distance] += felt.view(groups, rows, images, cols, -1)
    if backward is not None:
        gate = gate / 2
    return AreaSignals(loss, gate, target_signal, context_signal, dW_pred, dW_retro, scores)


def _signals_without_prediction(
    objective: Objective, z: Cells, c: Cells, W_pred: Matrices, draw: Draw
) -> AreaSignals:
    """Ablation: u = sum_k (W_pred^T z)_k + sum_k c_k, so pairs no longer interact."""
    groups, grid, images, cols, _ = z.shape
    target_signal, context_signal = torch.zeros_like(z), torch.zeros_like(c)
    dW_pred = torch.empty_like(W_pred)
    loss, gate = z.new_zeros(()), z.new_zeros(())
    scores = []
    comparison = _Comparison(objective, draw, z)
    for step, distance in enumerate(objective.distances):
        rows = grid - distance
        context, target = context_cells(c, distance), target_cells(z, distance)
        landing = comparison.landing[step]
        readout = W_pred[step].sum(1)
        from_target = target @ readout
        reached = torch.cat(
            (
                from_target.unsqueeze(2),
                from_target.unsqueeze(1).expand(-1, landing.shape[1], -1).gather(2, landing),
            ),
            dim=2,
        )
        score = reached + context.sum(2, keepdim=True)
        scores.append(score)
        lost, gamma, opened = comparison.signal(score, rows, images, cols)
        per_context = gamma.sum(2)
        per_target = gamma[:, :, 0].scatter_add(1, landing.flatten(1), gamma[:, :, 1:].flatten(1))
        target_signal[:, distance:] += (per_target.unsqueeze(2) * readout).view(
            groups, rows, images, cols, -1
        )
        context_signal[:, :rows] += per_context.view(groups, rows, images, cols, 1)
        total = (per_target.unsqueeze(2) * target).sum((0, 1))
        dW_pred[step] = total.unsqueeze(1)
        loss += lost
        gate += opened
    return AreaSignals(loss, gate, target_signal, context_signal, dW_pred, None, scores)


def _check(
    objective: Objective,
    W_pred: Tensor,
    W_retro: Tensor | None,
    draw: Draw,
    retro_draw: Draw | None,
) -> None:
    steps = len(objective.distances)
    if W_pred.shape[0] != steps or len(draw.landing) != steps:
        raise ValueError(
            f"The objective names {steps} prediction steps, but there are {W_pred.shape[0]} matrices "
            f"W_pred and saccades for {len(draw.landing)} steps."
        )
    if (W_retro is not None) != (objective.retro == "free"):
        raise ValueError("Pass W_retro exactly when the objective has retro='free'.")
    two_losses = objective.retro == "free" and objective.sharing == "code"
    if (retro_draw is not None) != two_losses:
        raise ValueError(
            "Pass retro_draw exactly when retro='free' and sharing='code' (two losses, two draws)."
        )
