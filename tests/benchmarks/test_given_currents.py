"""Areas whose currents are given run through them once, and count what single steps count."""

import pytest
import torch

from benchmarks.given_currents import Given
from clapp_snn import native
from clapp_snn.circuit.fast_window import FastHierarchy
from clapp_snn.circuit.ports import LIFPort, LinearLIFPort
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.randomness import generator
from tests.circuit.fast_stacks import SAMPLES, glance

pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_unavailable())

LIF = TwoCompartmentLIF()


@pytest.mark.parametrize("neuron", ["L0", "L0 calibrated", "L3"])
def test_given_currents_are_summed_once(neuron: str) -> None:
    """The drive is the input: sums of both are those of the counted steps, in one block or in five."""
    if neuron == "L3":
        area = StreamArea(6, 6, EventBurst(), window=40.0, settle=6.0, basal=Given((6,)))
    else:
        port = (LIFPort if "calibrated" in neuron else LinearLIFPort)(LIF, rho=100.0)
        basal = Given((6,))
        area = StreamArea(6, 6, LIF, window=40.0, settle=6.0, port=port, basal=basal)
    area.reset_parameters(generator(0, "area"))
    hierarchy = StreamHierarchy([area])
    x = glance(hierarchy, True)
    for block in (None, 9):
        source = CounterStreams(0, samples=range(SAMPLES))
        fast = FastHierarchy(hierarchy, block)
        state = fast.window(x, hierarchy.initial_state(SAMPLES), [source])[0]
        assert fast.areas[0].one_sum == (neuron != "L0 calibrated")
        torch.testing.assert_close(state.sums.x, x[6:].sum(0))
        torch.testing.assert_close(state.sums.drive, x[6:].sum(0))
        assert state.sums.x.data_ptr() != state.sums.drive.data_ptr()
        if neuron != "L3":
            slow = hierarchy.window(x, hierarchy.initial_state(SAMPLES), [None])[0]
            assert torch.equal(slow.sums.z, state.sums.z)
            assert float(slow.sums.z.sum()) > 0
