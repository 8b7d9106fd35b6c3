import pytest
import torch

from clapp_snn.circuit.basal import Conv
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.stream_input import stream_input
from clapp_snn.neurons.event_burst import EventBurst

DENSE = StreamHierarchy([StreamArea(12, 3, EventBurst(), 5.0)])
MAPS = StreamHierarchy([StreamArea(2, 3, EventBurst(), 5.0, basal=Conv(2, 3))])


def test_constant_views() -> None:
    view = torch.randn(4, 2, 2, 3)
    assert torch.equal(stream_input(DENSE, view), view.reshape(4, 12))
    assert torch.equal(stream_input(MAPS, view), view.permute(0, 2, 3, 1))


def test_views_in_time() -> None:
    view = torch.randn(4, 5, 2, 2, 3)
    assert torch.equal(stream_input(DENSE, view), view.reshape(4, 5, 12).permute(1, 0, 2))
    assert torch.equal(stream_input(MAPS, view), view.permute(1, 0, 3, 4, 2))


def test_views_of_another_size_or_length_are_refused() -> None:
    with pytest.raises(ValueError, match="13 values does not fit a network of 12 inputs"):
        stream_input(DENSE, torch.zeros(2, 13))
    with pytest.raises(ValueError, match="24 values does not fit"):
        stream_input(DENSE, torch.zeros(2, 3, 8))
    with pytest.raises(ValueError, match="lasts 7 ms, but a window, settling included, 5 ms"):
        stream_input(MAPS, torch.zeros(2, 7, 2, 2, 3))
