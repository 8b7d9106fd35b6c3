"""The circuit as a NIR graph computes what neurons, detector and nucleus of the package compute."""

from pathlib import Path

import numpy as np
import pytest
import torch

from clapp_snn.circuit.coincidence import CoincidenceDetector
from clapp_snn.circuit.ports import LIFPort
from clapp_snn.circuit.surprise import SurpriseNucleus
from clapp_snn.export.interpreter import run
from clapp_snn.export.learning import AreaLearning, Learning
from clapp_snn.export.nir_circuit import UNSUPPORTED, circuit_graph, pack_inputs, prediction_sizes
from clapp_snn.export.nir_encoder import encoder_graph
from clapp_snn.export.nir_file import read_graph, write_graph
from clapp_snn.export.nir_import import network_of
from clapp_snn.export.nir_interpreter import run_graph
from clapp_snn.neurons.interface import Inputs
from clapp_snn.neurons.parameters import MS_PER_S
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF, TwoCompartmentLIFParameters
from tests.export.networks import conv, dense, spikes

STEPS = 120


def parts(beta: float = 0.95):
    """A network whose values single precision holds, its learning, context and sizes."""
    network = network_of(encoder_graph(dense(beta)))
    r = np.random.default_rng(5)
    areas = tuple(
        AreaLearning(r.normal(size=(n, n)).astype(np.float32).astype(float), None, scale)
        for n, scale in ((20, 2.0), (8, 1.5))
    )
    learning = Learning(areas, "tied", "sgd", 1e-3, STEPS)
    x = spikes(network, STEPS, samples=6)
    contexts = [r.uniform(0, 0.4, (6, n)) for n in (20, 8)]
    return network, learning, x, contexts, prediction_sizes(learning, run(network, x))


def by_the_package(network, learning, x, contexts, sizes, y):
    """Bursts (pathway), score and gamma of every area, stepped through the package's own parts in float64."""
    found = []
    for index, layer in enumerate(run(network, x)):
        stage, area = network.stages[index], learning.areas[index]
        samples = layer.shape[1]
        params = TwoCompartmentLIFParameters(
            tau_soma=-network.dt / np.log(stage.neurons.beta), threshold=stage.neurons.threshold
        )
        neuron = TwoCompartmentLIF(params, network.dt)
        rho = MS_PER_S / (area.scale * network.dt)
        detector = CoincidenceDetector("half_wave", rho, STEPS * network.dt, network.dt)
        port = LIFPort(neuron, rho)
        kappa = torch.full((samples,), port.SLOPE / sizes[index], dtype=torch.float64)
        zhat = torch.from_numpy(area.scale * contexts[index] @ area.W_pred.T)
        signed = torch.stack([zhat, -zhat], 1)[:, :, None]
        apical = port.apical(signed, kappa.view(-1, 1, 1, 1))
        state = neuron.initial_state(apical.shape, dtype=torch.float64)
        collected = detector.initial_state(zhat)
        nucleus = SurpriseNucleus()
        membranes = nucleus.initial_state(zhat)
        below = x if index == 0 else found[-1]["spikes"]
        drive = below.astype(float) @ stage.synapse.weight.T + stage.synapse.bias
        bursts, fired = [], []
        for now in torch.from_numpy(drive):
            soma = now[:, None, None].expand(apical.shape)
            outputs, state = neuron.step(Inputs(soma, apical), state)
            currents, collected = detector.step(outputs, collected, detector.weight(kappa))
            membranes = nucleus.step(currents, membranes)
            bursts.append(outputs.burst[:, :, 0].numpy())
            fired.append(outputs.spike[:, 0, 0].numpy())
        gamma = nucleus.read(membranes, torch.from_numpy(y)).gamma.numpy()
        spikes_of = np.stack(fired)
        assert (spikes_of == layer).all()
        found.append(
            {"spikes": layer, "bursts": np.stack(bursts), "u": collected.u.numpy(), "gamma": gamma}
        )
    return found


@pytest.mark.parametrize("through_file", [False, True])
def test_spikes_bursts_score_and_gate(through_file: bool, tmp_path: Path) -> None:
    network, learning, x, contexts, sizes = parts()
    y = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    graph = circuit_graph(network, learning, sizes)
    if through_file:
        graph = read_graph(write_graph(tmp_path / "circuit.nir", graph))
    watch = [f"burst_{path}_{area}" for area in (0, 1) for path in ("on", "off")]
    found = run_graph(graph, pack_inputs(network, x, contexts, y), watch=watch)
    expected = by_the_package(network, learning, x, contexts, sizes, y)
    output = found["output"]
    assert (output[..., :8] != expected[1]["spikes"]).sum() == 0
    for area, theirs in enumerate(expected):
        ours = np.stack([found[f"burst_{path}_{area}"] for path in ("on", "off")], 2)
        assert (ours != theirs["bursts"]).sum() == 0
        assert theirs["bursts"].sum() > 50
        np.testing.assert_allclose(output[-1, :, 8 + area], theirs["u"], rtol=1e-5, atol=1e-6)
        assert (output[-1, :, 10 + area] == theirs["gamma"]).all()
        # Before the pulse nobody is told anything.
        assert not output[:-1, :, 10 + area].any()
    gammas = np.concatenate([each["gamma"] for each in expected])
    assert {-1.0, 1.0} <= set(gammas)


def test_what_nir_cannot_say_is_in_the_file(tmp_path: Path) -> None:
    network, learning, _, _, sizes = parts()
    path = write_graph(tmp_path / "circuit.nir", circuit_graph(network, learning, sizes))
    metadata = read_graph(path).metadata
    assert metadata["unsupported"].split("\n") == list(UNSUPPORTED)
    assert "context of area 2: 8" in metadata["layout"]
    assert '"name": "CLAPP"' in metadata["learning"]


def test_a_circuit_is_no_encoder() -> None:
    network, learning, _, _, sizes = parts()
    with pytest.raises(ValueError, match="chain"):
        network_of(circuit_graph(network, learning, sizes))


def test_what_has_no_circuit_graph() -> None:
    network, learning, _, _, sizes = parts()
    with pytest.raises(ValueError, match="chains of dense layers"):
        circuit_graph(conv(), learning, sizes)
    with pytest.raises(ValueError, match="as many areas"):
        circuit_graph(network, learning, sizes[:1])
    silent = [np.zeros((5, 2, units), bool) for units in (20, 8)]
    with pytest.raises(ValueError, match="Area 1 predicts nothing"):
        prediction_sizes(learning, silent)
