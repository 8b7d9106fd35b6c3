"""Losses with an autograd graph, for the methods that are not local: the baselines of the paper.

Nothing here is used by a method whose modules are single layers and whose objective is contrastive.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from clapp_snn.circuit.network import ModuleLoss, SaccadeStream
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.functional.cells import context_cells, target_cells, to_cells
from clapp_snn.functional.losses import INFONCE_FLOOR, hinge_loss, pair_weights
from clapp_snn.functional.objective import Objective
from clapp_snn.functional.saccades import Draw
from clapp_snn.functional.score import pair_scores

if TYPE_CHECKING:
    from clapp_snn.circuit.hierarchy import Hierarchy


def layer_output(
    encoder: Encoder, index: int, x: Float[Tensor, "patch channel row col"]
) -> Float[Tensor, "patch channel row col"]:
    """Differentiable response of layer `index`, in the precision of `x`."""
    layer = encoder.layer(index)
    a = F.conv2d(x, layer.weight.to(x.dtype), layer.bias.to(x.dtype), padding=1)
    z = F.relu(a)
    return F.max_pool2d(z, 2) if layer.pool else z


def module_outputs(
    hierarchy: "Hierarchy", images: Float[Tensor, "image channel row col"]
) -> Iterator[Float[Tensor, "patch channel"]]:
    """Mean activity of the top layer of every module; gradients stop at module borders."""
    encoder = hierarchy.encoder
    x = encoder.patches(images).permute(0, 3, 1, 2)
    first = 0
    for top in hierarchy.method.tops:
        x = x.detach()
        for index in range(first, top + 1):
            x = layer_output(encoder, index, x)
        first = top + 1
        yield x.mean((2, 3), dtype=None if x.dtype == torch.float64 else torch.float32)


def contrast_loss(
    objective: Objective,
    z: Float[Tensor, "groups row image col channel"],
    c: Float[Tensor, "groups row image col context"],
    W: Float[Tensor, "step channel context"],
    draw: Draw,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""], list[Tensor]]:
    """The objective with one set of matrices, as a differentiable scalar; share of open gates; scores."""
    groups, grid, images, cols, _ = z.shape
    loss, gate = z.new_zeros(()), z.new_zeros(())
    scores = []
    weight = pair_weights(draw.fixation, groups, images, draw.landing[0].shape[2], z)
    for step, distance in enumerate(objective.distances):
        context, target = context_cells(c, distance), target_cells(z, distance)
        if objective.prediction:
            u = pair_scores(context @ W[step].transpose(0, 1), target, draw.landing[step])
        else:
            reached = (target @ W[step].sum(1)).unsqueeze(2)
            other = reached.transpose(1, 2).expand(-1, reached.shape[1], -1)
            u = torch.cat((reached, other.gather(2, draw.landing[step])), 2)
            u = u + context.sum(2, keepdim=True)
        scores.append(u.detach())
        rows = grid - distance
        u = u.view(groups, rows, images, cols, -1)
        each = weight / (rows * cols)
        if objective.loss == "infonce":
            p = u.softmax(4)[..., :1]
            loss = loss - (each[..., :1] * (p + INFONCE_FLOOR).log()).sum()
            gate = gate + (each[..., :1] * (1 - p.detach())).sum()
        elif objective.gate:
            hinge = torch.cat((hinge_loss(u[..., :1], 1.0), hinge_loss(u[..., 1:], -1.0)), 4)
            loss = loss + (each * hinge).sum()
            gate = gate + (each * (hinge > 0)).sum() / each.expand_as(u).sum()
        else:
            loss = loss + (each * (1 - u)).sum()
            gate = gate + 1
    steps = len(objective.distances)
    return loss / steps, gate.detach() / steps, scores


def _area_loss(
    hierarchy: "Hierarchy", index: int, z: Tensor, c: Tensor, draws: list[Draw]
) -> ModuleLoss:
    area = hierarchy.area(index)
    objective = area.objective
    if objective.retro == "tied":
        return ModuleLoss(*contrast_loss(objective, z, c, area.W_pred, draws[0]), draws[0])
    pred = contrast_loss(objective, z, c.detach(), area.W_pred, draws[0])
    if area.W_retro is None:
        return ModuleLoss(*pred, draws[0])
    back = area.W_retro.transpose(1, 2)
    retro = contrast_loss(objective, z.detach(), c, back, draws[-1])
    return ModuleLoss(pred[0] + retro[0], (pred[1] + retro[1]) / 2, pred[2], draws[0])


def module_losses(
    hierarchy: "Hierarchy",
    images: Float[Tensor, "image channel row col"],
    streams: SaccadeStream,
    group: int,
    labels: Int64[Tensor, "image"] | None = None,
) -> Iterator[ModuleLoss]:
    """Loss of every module, bottom up, each with a graph that ends at the module's lower border.

    Raises ValueError when a supervised method gets no labels, or for sharing="paper" with a free
    W_retro, whose single gate is not the derivative of any loss.
    """
    method = hierarchy.method
    outputs = module_outputs(hierarchy, images)
    if method.task == "supervised":
        if labels is None:
            raise ValueError(f"Method {method.name!r} needs labelled images.")
        for index, feature in enumerate(outputs):
            pooled = feature.view(images.shape[0], -1, feature.shape[1]).mean(1)
            logits = _classify(hierarchy.classifiers[index], pooled)
            wrong = (logits.argmax(1) != labels).float().mean()
            yield ModuleLoss(F.cross_entropy(logits, labels), wrong, [], None)
        return
    objective = method.objective
    if objective is None:
        raise ValueError(f"Method {method.name!r} does not learn.")
    if objective.sharing == "paper" and objective.retro == "free":
        raise ValueError(
            "One gate shared by W_pred and W_retro is a rule, not the gradient of a loss."
        )
    grid = hierarchy.encoder.architecture.grid
    cells = (to_cells(feature, images.shape[0], group, grid) for feature in outputs)
    draws = hierarchy.draws(streams, group, images.device)
    if method.context == "above":
        every = list(cells)
        for index, drawn in enumerate(draws):
            yield _area_loss(
                hierarchy, index, every[index], every[min(index + 1, len(every) - 1)], drawn
            )
        return
    for index, (z, drawn) in enumerate(zip(cells, draws, strict=True)):
        yield _area_loss(hierarchy, index, z, z, drawn)


def _classify(classifier: nn.Module, pooled: Tensor) -> Tensor:
    logits: Tensor = classifier(pooled)
    return logits
