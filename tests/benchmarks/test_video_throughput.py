"""The peer of the video benchmark computes what the package computes."""

from dataclasses import replace
from typing import get_args

import pytest
import torch

from benchmarks.machine import Code
from benchmarks.video_throughput import (
    CODES,
    Cell,
    PlainVideo,
    gflop_of,
    memory_of,
    network_of,
    race,
)
from clapp_snn.circuit.clip_hierarchy import ClipHierarchy
from clapp_snn.encoders.video import VIDEO_ARCHITECTURES
from clapp_snn.functional.objective import Loss
from clapp_snn.randomness import generator

CELL = Cell("local", "hinge", "vgg5-frames", 1 / 32, 2, 5, 67, "cpu")


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


@pytest.mark.parametrize("code", CODES)
def test_memory_of_every_code_is_measured(code: Code) -> None:
    assert memory_of(replace(CELL, code=code)) >= 0


def test_every_code_takes_the_same_number_of_turns() -> None:
    found = race([replace(CELL, code=code) for code in CODES], 0.0)
    assert [len(times) for times in found] == [2, 2, 2]
    assert all(min(each) > 0 for times in found for each in times)


def test_arithmetic_is_that_of_the_layers() -> None:
    """One spatial layer by hand: 3 -> 3 channels, 2 clips of 5 frames, map 31 x 31, pooled 15 x 15."""
    table = VIDEO_ARCHITECTURES[CELL.table].scaled(CELL.width)
    first = replace(table, layers=table.layers[:1])
    convolution = 2 * 2 * (2 * 5 * 31**2) * 3 * 3 * 49
    products = 9 * 2 * 4 * 4 * 225 * 3 + 9 * 2 * 4 * 225 * 3 * 3
    assert gflop_of(CELL, first) == pytest.approx((convolution + products) / 1e9)
