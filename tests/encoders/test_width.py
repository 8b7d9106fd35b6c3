"""Multiples of the published networks."""

import pytest

from clapp_snn.encoders.speech import SPEECH6
from clapp_snn.encoders.vgg import VGG6
from clapp_snn.encoders.video import VGG5
from clapp_snn.encoders.width import LARGEST, scaled_channels

INF = float("inf")


@pytest.mark.parametrize("table", [VGG6, SPEECH6, VGG5])
def test_every_table_is_scaled_within_what_kernels_count(table):
    published = [layer.channels for layer in table.layers]
    assert [layer.channels for layer in table.scaled(1.0).layers] == published
    assert {layer.channels for layer in table.scaled(1e-9).layers} == {1}
    for bad, message in (
        (0.0, "positive"),
        (float("nan"), "positive"),
        (1e18, "too"),
        (INF, "too"),
    ):
        with pytest.raises(ValueError, match=message):
            table.scaled(bad)


def test_the_largest_layer():
    assert scaled_channels(1, float(LARGEST)) == LARGEST
    with pytest.raises(
        ValueError, match=r"width 2\.14748e\+09 is too large: it asks for 4\.29e\+09"
    ):
        scaled_channels(2, float(LARGEST))
