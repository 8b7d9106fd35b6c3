"""The peer of the video benchmark computes what the package computes."""

from dataclasses import replace
from typing import get_args

import pytest
import torch

from benchmarks.video_throughput import Cell, PlainVideo, measure, network_of
from clapp_snn.circuit.clip_hierarchy import ClipHierarchy
from clapp_snn.functional.objective import Loss
from clapp_snn.randomness import generator

CELL = Cell("local", "hinge", "vgg5-frames", 1 / 32, 2, 5, 67, "cpu", 0.0)


def twin(network: ClipHierarchy) -> PlainVideo:
    """The plain network with the weights of the package's."""
    plain = PlainVideo(network).double()
    for index, parts in enumerate(plain.blocks):
        own = network.encoder.layer(index)
        convolution, norm = parts[0], parts[2]
        convolution.load_state_dict({"weight": own.weight.detach(), "bias": own.bias.detach()})
        assert own.gain is not None
        norm.weight.data.copy_(own.gain)
    for index, heads in enumerate(plain.heads):
        for head, matrix in zip(heads, network.area(index).W_pred, strict=True):
            head.weight.data.copy_(matrix)
    return plain


@pytest.mark.parametrize("loss", get_args(Loss))
def test_losses_and_gradients_are_the_same(loss: Loss) -> None:
    network = network_of(replace(CELL, loss=loss)).double()
    plain = twin(network)
    clips = torch.randn(2, 5, 67, 67, 3, generator=generator(0, "clips")).double()
    total = plain.loss(clips, loss)
    total.backward()
    updates = list(network.learn(clips, lambda module, number: [], 2))
    torch.testing.assert_close(total.detach(), torch.stack([u.loss for u in updates]).sum())
    for index, update in enumerate(updates):
        gradient = plain.blocks[index][0].weight.grad
        torch.testing.assert_close(update.changes[0][1], -gradient, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("code", ["local", "autograd", "backprop"])
def test_every_code_is_measured(code) -> None:
    speed, cpu, memory = measure(replace(CELL, code=code))
    assert min(speed, cpu) > 0
    assert memory >= 0
