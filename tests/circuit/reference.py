"""The published losses written out pair by pair, to be differentiated by autograd in float64.

Deliberately naive: every pair is gathered and multiplied on its own (no Gram matrix), with the means taken
exactly as the formulas of the published code read. Shares no code with the package.
"""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def encode(
    patches: Tensor, layers: Sequence[tuple[Tensor, Tensor, bool]], tops: Collection[int]
) -> list[Tensor]:
    """Features (patch, channel) of every layer; patches are (patch, channel, row, col).

    `tops`: index of the last layer of every module; no gradient enters a module from above.
    """
    x, features = patches, []
    for index, (weight, bias, pool) in enumerate(layers):
        x = F.relu(F.conv2d(x, weight, bias, padding=1))
        if pool:
            x = F.max_pool2d(x, 2, 2)
        features.append(x.mean((2, 3)))
        if index in tops:
            x = x.detach()
    return features


def grid_of(feature: Tensor, images: int, grid: int = 7) -> Tensor:
    return feature.view(images, grid, grid, -1)


def loss(
    z: Tensor,
    c: Tensor,
    W: Tensor,
    landing: list[Tensor],
    fixation: Tensor | None,
    distances: tuple[int, ...],
    kind: str = "hinge",
) -> Tensor:
    """z, c: (image, row, col, channel), one group. W: (step, z, c). landing: (cell, negative) with cells
    numbered (row, image, col). Score u = z^T W c."""
    images, grid = z.shape[0], z.shape[1]
    total = z.new_zeros(())
    for k, d in enumerate(distances):
        places = [(r, b, q) for r in range(grid - d) for b in range(images) for q in range(grid)]
        r, b, q = (torch.tensor(each) for each in zip(*places, strict=True))
        target = z[b, r + d, q]
        apical = torch.einsum("jk,ik->ij", W[k], c[b, r, q])
        u = (target * apical).sum(1)
        others = torch.einsum("inj,ij->in", target[landing[k]], apical)
        if kind == "infonce":
            every = torch.cat((u[:, None], others), 1)
            total = total - torch.log(torch.softmax(every, 1)[:, 0] + 1e-11).mean()
            continue
        plus, minus = (
            (1 - u, 1 - others) if kind == "ungated" else (F.relu(1 - u), F.relu(1 + others))
        )
        if fixation is None:
            total = total + plus.mean() + minus.mean()
            continue
        if bool(fixation.any()):
            total = total + plus[fixation[b]].mean()
        if not bool(fixation.all()):
            total = total + minus[~fixation[b]].mean()
    return total / len(distances)


def area_loss(
    z: Tensor,
    c: Tensor,
    W_pred: Tensor,
    W_retro: Tensor | None,
    pairs: list[tuple[list[Tensor], Tensor | None]],
    distances: tuple[int, ...],
    retro: str,
    kind: str = "hinge",
) -> Tensor:
    """One loss through W_pred that both sides feel (retro "tied") or the target side only ("zero"); or
    besides it one through W_retro (step, c, z) that the context side feels ("free").

    pairs: (landing, fixation) of each of these losses.
    """
    if retro == "tied":
        return loss(z, c, W_pred, *pairs[0], distances, kind)
    total = loss(z, c.detach(), W_pred, *pairs[0], distances, kind)
    if W_retro is not None:
        total = total + loss(z.detach(), c, W_retro.transpose(1, 2), *pairs[1], distances, kind)
    return total
