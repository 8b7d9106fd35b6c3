"""Four dense areas, area by area: activity from spikes against the rate code, at n = rho T = 20.

n counts the events of one neuron; activity is the mean of an ON and an OFF neuron, which sees 2 n.
"""

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.drawn_window import drawn_windows
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.interface import Source
from clapp_snn.neurons.noise import Streams
from clapp_snn.randomness import generator

SIZES = (64, 128, 128, 128, 128)
SAMPLES = 24
CORRELATION = 0.85
ACTIVITY = (0.8, 1.25)


class InputEvents:
    """Bernoulli events of 20 Hz per unit of x, in units of x."""

    def __init__(self, rates: Tensor) -> None:
        self.rates, self.stream = rates, generator(4, "input events")

    def __call__(self) -> Tensor:
        fired = torch.rand(self.rates.shape, generator=self.stream) < 0.02 * self.rates
        return fired.float() / 0.02


def stack(window: float, settle: float, tau_basal: float) -> StreamHierarchy:
    """Weights of He et al. (variance 2 / pre) and no bias keep the activity from area to area."""
    hierarchy = StreamHierarchy(
        [
            StreamArea(a, b, EventBurst(), window, settle, tau_basal=tau_basal)
            for a, b in pairwise(SIZES)
        ]
    )
    hierarchy.reset_parameters(3)
    with torch.no_grad():
        for area in hierarchy.areas:
            area.weight *= 6**0.5
            area.bias.zero_()
    return hierarchy


def inputs() -> Tensor:
    return 2 * torch.rand(SAMPLES, SIZES[0], generator=generator(1, "forward"))


def sources() -> list[Source]:
    return [Streams.from_seed(2, "area", index) for index in range(4)]


def rates(hierarchy: StreamHierarchy, x: Tensor) -> list[Tensor]:
    result = []
    for index in range(4):
        area = hierarchy.area(index)
        x = torch.relu(F.linear(x, area.weight, area.bias)).detach()
        result.append(x)
    return result


def compared(
    hierarchy: StreamHierarchy, x: Tensor, counted: list[Tensor]
) -> list[tuple[float, float]]:
    """Correlation over samples and units, and relative activity, of every area."""
    return [
        (
            float(torch.corrcoef(torch.stack([z.flatten(), rate.flatten()]))[0, 1]),
            float(z.mean() / rate.mean()),
        )
        for z, rate in zip(counted, rates(hierarchy, x), strict=True)
    ]


def stepped(hierarchy: StreamHierarchy, x: Tensor, events: bool) -> list[Tensor]:
    states, streams, input_events = hierarchy.initial_state(SAMPLES), sources(), InputEvents(x)
    for _ in range(hierarchy.steps):
        _, states = hierarchy.step(input_events() if events else x, states, streams)
    return [state.sums.z / hierarchy.area(0).detector.steps for state in states]


@pytest.mark.slow
@pytest.mark.parametrize("events", [False, True])
def test_every_area_follows_the_rates(events: bool) -> None:
    """Windows of 1 s after 0.5 s of settling, synaptic filters of 100 ms, one neuron a pathway.

    The input is a constant current, or events of 20 Hz per unit as those of the areas.
    """
    hierarchy, x = stack(1000.0, 500.0, 100.0), inputs()
    found = compared(hierarchy, x, stepped(hierarchy, x, events))
    for correlation, activity in found:
        assert correlation >= CORRELATION
        assert ACTIVITY[0] <= activity <= ACTIVITY[1]


def test_without_a_synaptic_filter_noise_is_rectified_into_activity() -> None:
    """The negative control: unfiltered windows of 0.2 s make upper areas several times too active."""
    hierarchy, x = stack(200.0, 0.0, 0.0), inputs()
    found = compared(hierarchy, x, stepped(hierarchy, x, events=False))
    assert found[0][1] == pytest.approx(1, abs=0.05)
    assert found[1][1] > 2
    assert found[3][1] > 4


def test_drawn_windows_follow_the_rates() -> None:
    """Areas that work on the counts of the window that the one below has ended."""
    hierarchy, x = stack(1000.0, 0.0, 0.0), inputs()
    states = drawn_windows(hierarchy, x, hierarchy.initial_state(SAMPLES), sources())
    found = compared(hierarchy, x, [state.sums.z / 1000 for state in states])
    for correlation, activity in found:
        assert correlation >= CORRELATION
        assert ACTIVITY[0] <= activity <= ACTIVITY[1]
