"""Contrast of the frames of sequences: what comes next at the same place, or somewhere else.

The context c of frame t predicts the target z of frame t + k, k = 1, 2, ... (all steps at once, one matrix
each); the saccades land on frames of any sequence of the group. One draw serves all prediction steps, so the
frames it lands on are gathered once, and the scores of a target frame with all contexts that predict it are
one small product of matrices. Sequences with more frames than the window compare a random window of theirs;
saccades still land anywhere.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.functional.losses import broadcast_factor, hinge_loss
from clapp_snn.functional.objective import Objective

Frames = Float[Tensor, "sample frame channel"]


class SequenceDraw(NamedTuple):
    """Frames by their number in all sequences laid end to end.

    Attributes:
        own: (sample, window), the frames that are compared.
        landing: (sample, window, negative), where the saccades that belong to a target frame land.
    """

    own: Int64[Tensor, "sample window"]
    landing: Int64[Tensor, "sample window negative"]


class SequenceSignals(NamedTuple):
    """What an area derives from one comparison, as `plasticity.AreaSignals`.

    Attributes:
        loss: value of the objective.
        gate: share of open gates; for InfoNCE the mean probability that the fixation is not recognised.
        target: signal of every frame of z, sum of gamma W_pred c.
        context: signal of every frame of c, sum of gamma W_pred^T z.
        W_pred: update of the matrices.
        scores: per prediction step (1, cell, pair), pair 0 the fixation.
    """

    loss: Float[Tensor, ""]
    gate: Float[Tensor, ""]
    target: Frames
    context: Frames
    W_pred: Float[Tensor, "step z c"]
    scores: list[Float[Tensor, "1 cell pair"]]


def draw_frames(
    objective: Objective,
    generators: Sequence[torch.Generator],
    samples: int,
    frames: int,
    window: int,
    device: torch.device | str = "cpu",
) -> SequenceDraw:
    """Draw window and saccades for `len(generators)` groups of `samples` sequences each.

    Sampling as in the published code of Greedy InfoMax (its method 1): N permutations of all frames of the
    group; the i-th target takes the i-th entries, so a saccade may land on its own target.
    """
    width = min(window, frames)
    own, landing = [], []
    for number, stream in enumerate(generators):
        start = 0
        if frames > width:
            start = int(
                torch.randint(0, frames - width + 1, (), generator=stream, device=stream.device)
            )
        first = frames * (number * samples + torch.arange(samples))
        own.append(first[:, None] + start + torch.arange(width))
        drawn = torch.stack(
            [
                torch.randperm(frames * samples, generator=stream, device=stream.device)
                for _ in range(objective.negatives)
            ],
            1,
        )[: width * samples].view(width, samples, -1)
        landing.append(drawn.transpose(0, 1).cpu() + frames * samples * number)
    return SequenceDraw(torch.cat(own).to(device), torch.cat(landing).to(device))


def predictions(
    c: Float[Tensor, "sample window context"], W_pred: Float[Tensor, "step z c"]
) -> Float[Tensor, "sample window step z"]:
    """Apical inputs W_pred_k c of frame t - k, for every target frame t and step k; 0 before the window."""
    apical = (c @ W_pred.flatten(0, 1).t()).unflatten(2, W_pred.shape[:2])
    moved = torch.zeros_like(apical)
    for k in range(W_pred.shape[0]):
        moved[:, k + 1 :, k] = apical[:, : -k - 1, k]
    return moved


def pair_weights(
    objective: Objective, samples: int, window: int, like: Tensor
) -> Float[Tensor, "window step"]:
    """Weight of every fixation: 1 / (cells of its step * steps), 0 where the context is before the window.

    Raises ValueError when the window is not longer than the longest prediction step.
    """
    steps = len(objective.distances)
    if objective.distances != tuple(range(1, steps + 1)):
        raise ValueError(f"Sequences predict steps 1, 2, ...; not {objective.distances}.")
    if window <= steps:
        raise ValueError(
            f"Sequences of {window} frames are too short for predictions of up to {steps} frames."
        )
    at = torch.arange(window, device=like.device)[:, None]
    step = torch.arange(1, steps + 1, device=like.device)
    inside = (at >= step).to(like.dtype)
    return inside / ((window - step) * samples * steps)


def score_pairs(
    z: Frames, apical: Float[Tensor, "sample window step z"], draw: SequenceDraw
) -> tuple[Float[Tensor, "sample window pair step"], Float[Tensor, "sample window pair z"]]:
    """Scores of every target frame (pair 0) and its saccades with every context; and the frames scored."""
    flat = z.flatten(0, 1)
    places = torch.cat((draw.own[:, :, None], draw.landing), 2)
    seen = flat[places]
    return seen @ apical.transpose(2, 3), seen


def sequence_signals(
    objective: Objective,
    z: Frames,
    c: Frames,
    W_pred: Float[Tensor, "step z c"],
    draw: SequenceDraw,
) -> SequenceSignals:
    """Compare fixations with saccades and derive all local signals in closed form (Eqs. 6-8, W_retro tied).

    Raises ValueError when the sequences are too short.
    """
    samples, window = draw.own.shape
    context = c.flatten(0, 1)[draw.own]
    apical = predictions(context, W_pred)
    score, seen = score_pairs(z, apical, draw)
    weight = pair_weights(objective, samples, window, z)[:, None, :]
    loss, gamma, gate = compare_scores(objective, score, weight)

    felt = gamma @ apical
    target = torch.zeros_like(z).flatten(0, 1)
    places = torch.cat((draw.own[:, :, None], draw.landing), 2)
    target.index_add_(0, places.flatten(), felt.flatten(0, 2))

    # What a context was told about the frames it predicted, back at the frame of the context.
    told = gamma.transpose(2, 3) @ seen
    back = torch.zeros_like(told)
    for k in range(W_pred.shape[0]):
        back[:, : -k - 1, k] = told[:, k + 1 :, k]
    rows = back.flatten(2).flatten(0, 1)
    change = (rows.t() @ context.flatten(0, 1)).view_as(W_pred)
    signal = torch.zeros_like(c).flatten(0, 1)
    signal[draw.own.flatten()] = rows @ W_pred.flatten(0, 1)
    return SequenceSignals(
        loss,
        gate,
        target.view_as(z),
        signal.view_as(c),
        change,
        scores_by_step(score),
    )


def compare_scores(
    objective: Objective,
    score: Float[Tensor, "sample window pair step"],
    weight: Float[Tensor, "window 1 step"],
) -> tuple[Float[Tensor, ""], Float[Tensor, "sample window pair step"], Float[Tensor, ""]]:
    """Loss, weighted broadcast factor of every pair, and share of open gates."""
    if objective.loss == "infonce":
        log_p = score.log_softmax(2)
        gamma = -log_p.exp()
        gamma[:, :, 0] += 1
        gamma = weight * gamma
        return -(weight * log_p[:, :, :1]).sum(), gamma, gamma[:, :, 0].sum()
    y = score.new_full((score.shape[2], 1), -1)
    y[0] = 1
    each = torch.cat((weight, weight.expand(-1, objective.negatives, -1) / objective.negatives), 1)
    gamma = each * broadcast_factor(score, y)
    return (each * hinge_loss(score, y)).sum(), gamma, gamma.abs().sum() / 2


def scores_by_step(
    score: Float[Tensor, "sample window pair step"],
) -> list[Float[Tensor, "1 cell pair"]]:
    """Scores of every step without those whose context is before the window."""
    return [
        score[:, k + 1 :, :, k].detach().flatten(0, 1).unsqueeze(0) for k in range(score.shape[3])
    ]
