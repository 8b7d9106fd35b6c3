"""Areas of linear LIF neurons: the exported layer fires what the area fires."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from clapp_snn.export.convert import Conversion
from clapp_snn.export.interpreter import drive, fire, run
from clapp_snn.export.linear_lif import export_linear, is_linear
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import StreamConfig

CONFIG = StreamConfig(
    neuron="lif",
    soma="linear",
    simulation="stepped",
    rho=100.0,
    units=(24, 16),
    window=60.0,
    seed=3,
)


def test_same_spikes_as_the_areas() -> None:
    """Given the spikes of the lowest area, whose own input is current, the one above fires the same."""
    network = build_network(CONFIG).double()
    assert is_linear(network)
    exported = export_linear(network, Conversion(), name="x", metadata={})
    assert exported.scales == (10.0, 10.0)
    x = torch.rand(5, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    states = network.initial_state(5)
    fired: list[list[np.ndarray]] = [[], []]

    def watch(area: int, index: int, step: object, state: object) -> None:
        fired[area].append(step.outputs.spike[:, 0, 0].numpy() > 0)

    network.window(x, states, [None, None], watch)
    lower, upper = (np.stack(each) for each in fired)
    assert 0.02 < upper.mean() < 0.9
    first, second = exported.network.stages
    current = np.broadcast_to(drive(first.synapse, x.numpy()), lower.shape)
    assert (fire(first.neurons, current) != lower).sum() == 0
    assert (fire(second.neurons, drive(second.synapse, lower.astype(float))) != upper).sum() == 0


def test_input_in_spikes_changes_little() -> None:
    network = build_network(CONFIG)
    exported = export_linear(network, Conversion(), name="x", metadata={})
    x = np.random.default_rng(0).random((6, 64))
    counts = run(exported.network, exported.spikes(x, 400))[0].sum(0)
    first = exported.network.stages[0]
    current = np.broadcast_to(drive(first.synapse, x), (400, 6, 24))
    exact = fire(first.neurons, current).sum(0)
    assert np.corrcoef(counts.ravel(), exact.ravel())[0, 1] > 0.95


def test_what_is_not_linear() -> None:
    with pytest.raises(ValueError, match="Only areas of linear LIF"):
        export_linear(
            build_network(replace(CONFIG, soma="calibrated")), Conversion(), name="x", metadata={}
        )
    with pytest.raises(ValueError, match="no synaptic filter"):
        export_linear(
            build_network(replace(CONFIG, tau_basal=10.0)), Conversion(), name="x", metadata={}
        )


@pytest.mark.parametrize("factor", [-1.0, 3.0])
def test_input_of_any_range_keeps_its_current(factor: float) -> None:
    """Negative input comes on OFF lines; the largest input is one spike a step."""
    network = build_network(CONFIG)
    x = factor * np.random.default_rng(0).random((6, 64))
    exported = export_linear(network, Conversion(), x, name="x", metadata={})
    assert exported.signed == (factor < 0)
    assert exported.input_scale == max(1.0, np.abs(x).max())
    spikes = exported.spikes(x, 400)
    assert spikes.max() <= 1
    (first, *_), (plain, *_) = (
        each.network.stages
        for each in (exported, export_linear(network, Conversion(), name="x", metadata={}))
    )
    np.testing.assert_allclose(
        drive(first.synapse, spikes.mean(0).astype(float)),
        drive(plain.synapse, x),
        atol=0.01 * np.abs(drive(plain.synapse, x)).max(),
    )


def test_settings_of_a_conversion_are_refused() -> None:
    with pytest.raises(ValueError, match=r"trained as they are exported.*beta 0.9, peak 0.25"):
        export_linear(build_network(CONFIG), Conversion(beta=0.9, peak=0.25), name="x", metadata={})
