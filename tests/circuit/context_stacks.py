"""Small stacks of areas whose context comes from other areas, dense or on maps, and their glances."""

from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from clapp_snn.circuit.build_stream import build_stream
from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState
from clapp_snn.circuit.stream_context import (
    ContextHierarchy,
    StreamSource,
    area_with_context,
)
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy, StreamUpdate
from clapp_snn.circuit.two_contexts import TwoContexts
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.methods import Method, get_method
from clapp_snn.neurons.interface import Neuron
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.randomness import generator
from tests.circuit.small_maps import TABLE

UNITS = (9, 8, 7, 5)
SAMPLES = 6
SOURCES: tuple[StreamSource, ...] = ("above", "top", "both")
Y = torch.tensor([1.0, -1.0]).repeat(SAMPLES // 2)


def dense(
    context: StreamSource, neuron: Neuron | None = None, window: float = 1.0, **options
) -> ContextHierarchy:
    """Three areas of different sizes, with scores around the margin."""
    given = (neuron or Rate(),)
    options = {"window": window, "retro": "zero", **options}
    areas = [
        area_with_context(context, index, UNITS[1:], pre, post, *given, **options)
        for index, (pre, post) in enumerate(pairwise(UNITS))
    ]
    network = ContextHierarchy(areas, context)
    network.reset_parameters(seed=1)
    with torch.no_grad():
        for area in areas:
            area.weight.mul_(2)
            for matrix, _ in predictions(area):
                matrix.mul_(3)
    return network


def predictions(area: StreamArea) -> list[tuple[Tensor, bool]]:
    """Matrices with whether they predict from the area that is the source."""
    if isinstance(area, TwoContexts):
        return [(area.W_pred, False), (area.W_top, True)]
    return [(area.W_pred, True)]


def glance(index: int, samples: int = SAMPLES) -> Tensor:
    return 2 * torch.rand(samples, UNITS[0], generator=generator(index, "glance"))


def streams(seed: int = 0, areas: int = 3) -> list[Streams]:
    return [Streams.from_seed(seed, "area", index) for index in range(areas)]


def end_of_second(
    network: StreamHierarchy, xs: tuple[Tensor, Tensor], sources: list | None = None
) -> list[StreamAreaState]:
    sources = sources or [None] * len(network.areas)
    states = network.initial_state(len(xs[0]))
    states = network.latch(network.window(xs[0], states, sources))
    return network.window(xs[1], states, sources)


def assert_gradients(updates: list[StreamUpdate], losses: list[Tensor]) -> None:
    """Every change is minus the gradient of its area's loss, and every parameter has one."""
    for update, loss in zip(updates, losses, strict=True):
        gradients = torch.autograd.grad(loss, [p for p, _ in update.changes])
        for (_, change), gradient in zip(update.changes, gradients, strict=True):
            assert bool(change.any())
            assert float((change + gradient).norm() / gradient.norm()) < 1e-9


def on_maps(name: str) -> Method:
    """Three layers; windows of 4, 4 and 2 positions once they shrink with the patch of 16 pixels."""
    method = get_method(name)
    assert method.maps is not None
    windows = (None,) * 3 if None in method.maps.windows else (24, 24, 12)
    return replace(method, splits=(1, 1, 1), maps=replace(method.maps, windows=windows))


def small_encoder(gain: float = 4.0) -> Encoder:
    encoder = Encoder(TABLE)
    encoder.reset_parameters(generator(3, "init", "encoder"))
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.mul_(gain)
    return encoder


def map_stream(name: str, code="rate", gain: float = 4.0, **options) -> StreamHierarchy:
    """The network of `tests.circuit.small_maps.build` as a stream."""
    network = build_stream(small_encoder(gain), on_maps(name), 3, code, **options).double()
    with torch.no_grad():
        for index in range(3):
            for matrix, _ in predictions(network.area(index)):
                matrix.mul_(gain)
    return network


def images(index: int, samples: int = SAMPLES) -> Tensor:
    return torch.randn(samples, 16, 16, 1, generator=generator(index, "maps")).double()
