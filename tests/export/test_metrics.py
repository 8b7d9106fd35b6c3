"""Counts of operations by hand, and the page that shows them."""

import numpy as np
import pytest

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense
from clapp_snn.export.interpreter import run
from clapp_snn.export.metrics import energy_of, workload
from clapp_snn.export.page import Page, Section, Table, html, markdown
from clapp_snn.export.target import Energy, Limit, exceeded
from tests.export.networks import conv, dense, spikes


def test_dense_operations_by_loops() -> None:
    network = dense(recurrent=True)
    weight = network.stages[0].synapse.weight.copy()
    weight[np.abs(weight) < 0.3] = 0
    first = Dense(weight, network.stages[0].synapse.bias)
    network = Network(network.input_shape, (first, *network.layers[1:]))
    x = spikes(network, 40, samples=2)
    layers = run(network, x)
    found = workload(network, x, layers)
    by_hand = sum(int((weight[:, j] != 0).sum()) for t, s, j in np.argwhere(x)) / 2
    assert found[0].synaptic_operations == pytest.approx(by_hand)
    assert found[0].connection_sparsity == pytest.approx((weight == 0).mean())
    assert found[1].synaptic_operations == pytest.approx(
        (layers[0].sum() * 8 + layers[1].sum() * 8) / 2
    )
    assert found[1].synapses == 8 * 20 + 64
    assert found[1].dense_operations == 40 * (8 * 20 + 64)
    assert found[0].activation_sparsity == pytest.approx(1 - layers[0].mean())
    assert found[0].neuron_updates == 40 * 20
    assert found[0].footprint == 4 * (weight.size + 20 + 20)


def test_convolution_at_borders() -> None:
    """A spike in the corner of a padded 3 x 3 convolution reaches 4 positions, one inside 9."""
    layer = Conv2d(np.ones((5, 1, 3, 3)), np.zeros(5), (1, 1), (1, 1), (1, 4, 4))
    network = Network((1, 4, 4), (layer, LIF((5, 4, 4), 1.0, 1e6)))
    x = np.zeros((3, 1, 1, 4, 4), bool)
    x[0, 0, 0, 0, 0] = x[2, 0, 0, 1, 2] = True
    (found,) = workload(network, x, run(network, x))
    assert found.synaptic_operations == 5 * (4 + 9)
    assert found.synapses == 5 * (4 * 4 + 8 * 6 + 4 * 9)


def test_pooled_spikes_are_counted_behind_the_pool() -> None:
    network = conv()
    x = spikes(network, 20, samples=1)
    layers = run(network, x)
    found = workload(network, x, layers)
    assert found[2].synaptic_operations == pytest.approx(layers[1].sum() * 10)


def test_energy() -> None:
    network = dense()
    x = spikes(network, 20)
    found = workload(network, x, run(network, x))
    operations = sum(each.synaptic_operations for each in found)
    assert energy_of(found, Energy(10.0, None, "s")) == pytest.approx(operations / 100)
    assert energy_of(found, Energy(0.0, 50.0, "s")) == pytest.approx(28 * 20 * 50 / 1000)


def test_limits() -> None:
    kept, broken = Limit("a", 3, 4, "", "b"), Limit("c", 5, 4, "KiB", "d")
    counted = Limit("e", 5, np.inf, "", "")
    assert exceeded([kept, broken, counted]) == [broken]
    assert kept.utilisation == 0.75
    assert np.isnan(counted.utilisation)
    assert Limit("none there", 1, 0, "", "").utilisation == np.inf


def test_page_escapes_what_it_shows() -> None:
    page = Page("<a>", [Section("s & t", ["x < y", Table(("h|1", "h2"), [("a|b", 3)])])])
    text = html(page)
    assert "<a>" not in text
    assert "x &lt; y" in text
    assert "<td>a|b</td><td>3</td>" in text
    assert "http" not in text
    lines = markdown(page).splitlines()
    assert "| h\\|1 | h2 |" in lines
    assert "| a\\|b | 3 |" in lines
