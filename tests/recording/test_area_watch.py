"""Monitors inside a hierarchy see what the areas did."""

import numpy as np
import pytest
import torch

from clapp_snn.circuit.stream_area import Step, StreamArea, StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.interface import Inputs, Outputs
from clapp_snn.neurons.noise import Streams
from clapp_snn.recording.area_watch import watch
from clapp_snn.recording.monitor import together
from clapp_snn.recording.spikes import SpikeMonitor
from clapp_snn.recording.states import StateMonitor


@pytest.mark.parametrize("area", [0, 1])
def test_a_monitor_sees_its_area_and_no_other(area: int) -> None:
    hierarchy = StreamHierarchy(
        [StreamArea(5, 4, EventBurst(), 40.0), StreamArea(4, 3, EventBurst(), 40.0)]
    )
    hierarchy.reset_parameters(seed=2)
    with torch.no_grad():
        for index in range(2):
            hierarchy.area(index).weight.abs_()
    states = hierarchy.initial_state(2)
    sources = [Streams.from_seed(1, "watch", index) for index in range(2)]
    spikes = SpikeMonitor(1.0)
    drive = StateMonitor(1.0, ["soma", "apical"])
    seen: list[tuple[int, torch.Tensor, torch.Tensor]] = []

    def keep(index: int, step: int, happened: Step, state: StreamAreaState) -> None:
        seen.append((index, happened.outputs.spike, happened.inputs.soma))

    watcher = together(watch(spikes, area), keep, watch(area=area, observer=drive))
    for _ in range(2):
        states = hierarchy.window(torch.full((2, 5), 2.0), states, sources, watcher)
        states = hierarchy.latch(states)
    mine = torch.stack([spike for index, spike, _ in seen if index == area])
    assert len(mine) == len(seen) / 2 == 80
    step, neuron = mine.flatten(1).nonzero().T.numpy()
    recorded = spikes.to_numpy()
    assert len(step) > 10
    np.testing.assert_array_equal(recorded["time_ms"], step + 1.0)
    np.testing.assert_array_equal(recorded["neuron"], neuron)
    somata = torch.stack([soma for index, _, soma in seen if index == area])
    np.testing.assert_array_equal(drive.to_numpy()["soma"], somata.flatten(1).numpy())


def test_an_area_below_the_first_is_refused() -> None:
    def never(step: int, inputs: Inputs, outputs: Outputs, state: object) -> None:
        raise AssertionError

    with pytest.raises(ValueError, match="there is no area -1"):
        watch(never, -1)
