"""Losses with an autograd graph on speech, for the methods that are not local, and BPTT inside the GRU."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.network import ModuleLoss, SaccadeStream
from clapp_snn.functional.gru import GRUWeights, gru_states
from clapp_snn.functional.objective import Objective
from clapp_snn.functional.sequence_contrast import (
    SequenceDraw,
    compare_scores,
    pair_weights,
    predictions,
    score_pairs,
    scores_by_step,
)

if TYPE_CHECKING:
    from clapp_snn.circuit.speech_hierarchy import SpeechHierarchy


def through_time(
    x: Float[Tensor, "sample frame pre"],
    weights: GRUWeights,
    signal: Float[Tensor, "sample frame unit"],
) -> GRUWeights:
    """Change of every weight of a GRU by back-propagation through time, in the direction of `signal`."""
    with torch.enable_grad():
        wanted = [weight.detach().requires_grad_() for weight in weights]
        start = x.new_zeros(1, x.shape[0], weights.weight_hh.shape[1])
        states = torch.gru(x, start, wanted, True, 1, 0.0, True, False, True)[0]
        return GRUWeights(*torch.autograd.grad(states, wanted, signal))


def contrast_loss(
    objective: Objective,
    z: Float[Tensor, "sample frame z"],
    c: Float[Tensor, "sample frame c"],
    W_pred: Float[Tensor, "step z c"],
    draw: SequenceDraw,
) -> ModuleLoss:
    """The objective of one module as a differentiable scalar."""
    apical = predictions(c.flatten(0, 1)[draw.own], W_pred)
    score, _ = score_pairs(z, apical, draw)
    samples, window = draw.own.shape
    weight = pair_weights(objective, samples, window, z)[:, None, :]
    loss, _, gate = compare_scores(objective, score, weight)
    return ModuleLoss(loss, gate.detach(), scores_by_step(score), None)


def module_losses(
    network: "SpeechHierarchy",
    stimulus: Float[Tensor, "sample time"],
    streams: SaccadeStream,
    group: int,
    labels: Int64[Tensor, "sample frame"] | None,
) -> Iterator[ModuleLoss]:
    """Loss of every module, bottom up, each with a graph that ends at the module's lower border.

    The GRU of a module of its own, or of one that it shares with the last convolution, sends nothing into its
    input; end to end it does. Raises ValueError when a supervised method gets no labels.
    """
    method, objective = network.method, network.method.objective
    if method.task == "supervised" and labels is None:
        raise ValueError(f"Method {method.name!r} needs labelled utterances.")
    if method.task == "none":
        raise ValueError(f"Method {method.name!r} does not learn.")
    for module, (z, c) in enumerate(_activities(network, stimulus)):
        if objective is None:
            assert labels is not None
            yield _classify(network, module, c, labels)
            continue
        draw = network.draw(module, streams, z.shape[0], z.shape[1], group)
        yield contrast_loss(objective, z, c, network.area(module).W_pred, draw)


def _activities(
    network: "SpeechHierarchy", stimulus: Tensor
) -> Iterator[tuple[Float[Tensor, "sample frame z"], Float[Tensor, "sample frame c"]]]:
    """Target and context of every module."""
    encoder, convolutions = network.encoder, len(network.encoder.convolutions)
    x, first = stimulus[:, None], 0
    for top in network.method.tops:
        x = x.detach()
        for index in range(first, min(top + 1, convolutions)):
            x = encoder.respond(index, x)
        first = top + 1
        z = x.transpose(1, 2)
        if top < convolutions:
            yield z, z
            continue
        heard = z if len(network.method.splits) == 1 else z.detach()
        if network.recurrence == "bptt":
            yield z, encoder.gru(heard)[0]
        else:
            yield z, gru_states(heard, network.gru_weights(), network.recurrence)


def _classify(
    network: "SpeechHierarchy", module: int, c: Tensor, labels: Int64[Tensor, "sample frame"]
) -> ModuleLoss:
    """Cross entropy of a linear read-out of every 10 ms; layers that are faster are averaged."""
    pooled = F.adaptive_avg_pool1d(c.transpose(1, 2), labels.shape[1]).transpose(1, 2)
    logits = network.classifiers[module](pooled).flatten(0, 1)
    wrong = (logits.argmax(1) != labels.flatten()).float().mean()
    return ModuleLoss(F.cross_entropy(logits, labels.flatten()), wrong, [], None)
