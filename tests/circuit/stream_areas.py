"""Areas of a few units and their glances, for tests of `clapp_snn.circuit.stream_area`."""

import torch
from torch import Tensor

from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState
from clapp_snn.neurons.interface import Source
from clapp_snn.randomness import generator

PRE, POST = 12, 15


def build(neuron, pre: int = PRE, post: int = POST, scale: float = 3.0, **options) -> StreamArea:
    area = StreamArea(pre, post, neuron, **options)
    area.reset_parameters(generator(2, "area"))
    with torch.no_grad():
        area.weight *= scale
    return area


def glance(samples: int, index: int, pre: int = PRE) -> Tensor:
    return 2 * torch.rand(samples, pre, generator=generator(index, "glance"))


def window(
    area: StreamArea, x: Tensor, state: StreamAreaState, source: Source | None = None
) -> StreamAreaState:
    for _ in range(area.steps):
        _, state = area.step(x, state, source)
    return state


def two_glances(area: StreamArea, x_prev: Tensor, x: Tensor, source: Source | None = None):
    state = area.latch(window(area, x_prev, area.initial_state(len(x)), source))
    return window(area, x, state, source)
