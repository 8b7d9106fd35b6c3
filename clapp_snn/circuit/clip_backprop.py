"""Losses of clips with an autograd graph, for the video methods that are not local."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.network import ModuleLoss
from clapp_snn.encoders.video import MOMENTUM, Block
from clapp_snn.functional.clip_contrast import context_times, pair_view, step_loss
from clapp_snn.functional.clip_convolution import NORM_EPSILON, POOL, POOL_STRIDE, convolve
from clapp_snn.functional.objective import Objective

if TYPE_CHECKING:
    from clapp_snn.circuit.clip_hierarchy import ClipHierarchy


def block_output(
    block: Block,
    x: Float[Tensor, "clip time row col channel"],
    precision: torch.dtype | None = None,
) -> Float[Tensor, "clip time row col channel"]:
    """Differentiable response of a block in training: normalised by its batch, running statistics moved."""
    y = convolve(x, block.weight, block.bias, block.shape, precision)
    if block.gain is None or block.order == "relu-norm":
        y = y.relu()
    if block.gain is not None:
        mean, variance = block.running_mean, block.running_variance
        flat = F.batch_norm(
            y.flatten(0, 3), mean, variance, block.gain, block.shift, True, MOMENTUM, NORM_EPSILON
        )
        y = flat.view_as(y)
        if block.order == "norm-relu":
            y = y.relu()
    if block.shape.pool:
        frames = y.flatten(0, 1).permute(0, 3, 1, 2)
        y = (
            F.max_pool2d(frames, POOL, POOL_STRIDE)
            .permute(0, 2, 3, 1)
            .unflatten(0, (*x.shape[:1], -1))
        )
    return y


def module_outputs(
    network: "ClipHierarchy", clips: Float[Tensor, "clip time row col 3"]
) -> Iterator[Float[Tensor, "clip time row col channel"]]:
    """Output of the top block of every module; gradients stop at module borders."""
    encoder = network.encoder
    x, first = clips, 0
    for top in network.method.tops:
        x = x.detach()
        for index in range(first, top + 1):
            x = block_output(encoder.layer(index), x, encoder.precision)
        first = top + 1
        yield x


def contrast_loss(
    objective: Objective,
    z: Float[Tensor, "clip time row col channel"],
    W_pred: Float[Tensor, "step channel channel"],
    group: int,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""], list[Tensor]]:
    """The objective as a differentiable scalar; share of open gates; scores of every step."""
    contexts = context_times(z.shape[1], objective)
    grouped = z.unflatten(0, (-1, group))
    loss, gate = z.new_zeros(()), z.new_zeros(())
    scores = []
    for matrix, step in zip(W_pred, objective.distances, strict=True):
        apical = F.linear(grouped[:, :, :contexts], matrix).flatten(1, 2).flatten(2)
        target = grouped[:, :, step : step + contexts].flatten(1, 2).flatten(2)
        lost, opened, _ = step_loss(apical @ target.transpose(1, 2), objective.loss)
        scores.append((apical @ target.transpose(1, 2)).detach())
        loss, gate = loss + lost, gate + opened
    count = len(objective.distances)
    return loss / count, gate.detach() / count, [pair_view(u) for u in scores]


def module_losses(
    network: "ClipHierarchy",
    clips: Float[Tensor, "clip time row col 3"],
    group: int,
    labels: Int64[Tensor, "clip"] | None = None,
) -> Iterator[ModuleLoss]:
    """Loss of every module, bottom up, each with a graph that ends at the module's lower border.

    Raises ValueError when a supervised method gets no labels, or for a method that does not learn.
    """
    method = network.method
    if method.task == "supervised" and labels is None:
        raise ValueError(f"Method {method.name!r} needs labelled clips.")
    if method.task == "none":
        raise ValueError(f"Method {method.name!r} does not learn.")
    for index, z in enumerate(module_outputs(network, clips)):
        if method.objective is not None:
            loss, gate, scores = contrast_loss(
                method.objective, z, network.area(index).W_pred, group
            )
            yield ModuleLoss(loss, gate, scores, None)
        elif labels is not None:
            logits = network.classify(index, z)
            wrong = (logits.argmax(1) != labels).float().mean()
            yield ModuleLoss(F.cross_entropy(logits, labels), wrong, [], None)
