"""A convolutional area learns, from its own gamma and traces, what differs in local structure alone."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.basal import Conv
from clapp_snn.circuit.drawn_window import drawn_window
from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.randomness import generator


def feature(area: StreamArea, x: Tensor) -> Tensor:
    """Mean over positions of the pooled and rectified convolution."""
    a = F.conv2d(x.permute(0, 3, 1, 2), area.weight, area.bias, padding=1)
    return F.max_pool2d(torch.relu(a), 2).mean((2, 3))


def textures(samples: int, stream: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Two glances: at one of four periodic textures, moved at random, with noise, or at two of them.

    Every texture has two bright pixels in each 4 x 4 period: they differ in local structure alone.
    """
    tiles = torch.zeros(4, 4, 4)
    for index, (row, col) in enumerate(((0, 1), (1, 0), (1, 1), (2, 2))):
        tiles[index, 0, 0] = tiles[index, row, col] = 3.0

    def view(which: Tensor) -> Tensor:
        moved = torch.randint(4, (samples, 2), generator=stream).tolist()
        maps = [
            torch.roll(tiles[index], shift, (0, 1)).repeat(2, 2)
            for index, shift in zip(which.tolist(), moved, strict=True)
        ]
        noise = 0.2 * torch.randn(samples, 8, 8, generator=stream)
        return (torch.stack(maps) + noise)[..., None]

    first = torch.randint(4, (samples,), generator=stream)
    y = 2.0 * torch.randint(2, (samples,), generator=stream) - 1
    other = (first + torch.randint(1, 4, (samples,), generator=stream)) % 4
    return view(first), view(torch.where(y > 0, first, other)), y


@pytest.mark.parametrize("code", ["rate", "spiking"])
def test_a_map_learns_to_tell_fixations_from_saccades(code: str) -> None:
    """Share of scores with the sign of y, in exact rates, before and after; windows of 40 ms drawn at once
    (n = rho T = 0.8 a unit, 16 positions). Both codes reach 0.79; standard error of a measurement 0.02."""
    neuron, window = (Rate(), 1.0) if code == "rate" else (EventBurst(), 40.0)
    area = StreamArea(1, 12, neuron, window, basal=Conv(8, 8, pool=True))
    area.reset_parameters(generator(3, "area"))
    with torch.no_grad():
        area.weight *= 2
    streams = Streams.from_seed(5)

    def look(x: Tensor, state: StreamAreaState) -> StreamAreaState:
        if code == "rate":
            return area.step(x, state)[1]
        return drawn_window(area, x, state, streams)

    def correct() -> float:
        x_prev, x, y = textures(600, generator(99, "test"))
        with torch.no_grad():
            u = ((feature(area, x) @ area.W_pred) * feature(area, x_prev)).sum(1)
        return float((u * y > 0).float().mean())

    before, stream = correct(), generator(1, "training")
    for _ in range(250):
        x_prev, x, y = textures(32, stream)
        state = look(x, area.latch(look(x_prev, area.initial_state(32))))
        with torch.no_grad():
            for parameter, change in area.changes(area.read(state, y).update):
                parameter.add_(change, alpha=0.2 / 32)
    assert before < 0.6
    assert correct() > 0.7
