"""Graphs of encoders: what they hold, and the way back."""

import json
from itertools import pairwise
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest

from clapp_snn.export.canonical import Network, same_network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense
from clapp_snn.export.interpreter import run
from clapp_snn.export.nir_encoder import encoder_graph
from clapp_snn.export.nir_file import read_graph, write_graph
from clapp_snn.export.nir_import import learning_of, network_of
from clapp_snn.export.nir_interpreter import run_graph
from tests.export.networks import conv, dense, spikes

NETWORKS = {
    f"{make.__name__}, beta {beta:g}{', recurrent' * recurrent}": make(beta, recurrent)
    for make in (dense, conv)
    for beta in (0.9, 1.0)
    for recurrent in (False, True)
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_what_comes_back_is_what_was_written(network: Network, tmp_path: Path) -> None:
    path = write_graph(tmp_path / "network.nir", encoder_graph(network, {"name": "rule"}))
    graph = read_graph(path)
    once = network_of(graph)
    again = network_of(encoder_graph(once))
    assert same_network(once, again)
    assert learning_of(graph) == {"name": "rule"}
    assert (once.name, once.dt, once.metadata) == (network.name, network.dt, network.metadata)
    for ours, theirs in zip(network.stages, once.stages, strict=True):
        scale = np.abs(ours.synapse.weight).max()
        assert np.abs(ours.synapse.weight - theirs.synapse.weight).max() < 2e-7 * scale
        assert abs(ours.neurons.beta - theirs.neurons.beta) < 1e-7
        assert (ours.neurons.recurrent is None) == (theirs.neurons.recurrent is None)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_euler_steps_of_the_file_give_the_same_spikes(network: Network) -> None:
    graph = encoder_graph(network)
    x = spikes(network)
    judge = run(network_of(graph), x)
    names = [f"lif_{index}" for index in range(len(judge))]
    found = run_graph(graph, x, watch=names)
    for name, layer in zip(names, judge, strict=True):
        assert ((found[name] > 0) != layer).sum() == 0
        assert 0.02 < layer.mean() < 0.9


@pytest.mark.parametrize("beta", [0.9, 1.0])
@pytest.mark.parametrize("step", [1e-4, 3e-4, 1e-3])
def test_pools_written_as_averages_are_the_same_network(beta: float, step: float) -> None:
    network = network_of(encoder_graph(conv(beta), step=step))
    graph = encoder_graph(network, step=step, average=True)
    assert not any(isinstance(node, nir.SumPool2d) for node in graph.nodes.values())
    assert same_network(network_of(graph), network)


def test_canonical_form() -> None:
    graph = encoder_graph(dense(0.75), step=1e-3)
    lif, affine = graph.nodes["lif_0"], graph.nodes["affine_0"]
    assert isinstance(lif, nir.LIF)
    assert {lif.tau.dtype, lif.r.dtype, affine.weight.dtype} == {np.dtype(np.float32)}
    np.testing.assert_allclose(lif.tau, np.full(20, 4e-3), rtol=1e-6)
    np.testing.assert_allclose(affine.weight, 4 * dense().layers[0].weight, rtol=1e-6)
    assert (lif.r == 1).all()
    assert not lif.v_leak.any()
    assert not lif.v_reset.any()
    assert graph.metadata["dt"] == 1e-3
    assert graph.metadata["reset"] == "zero"
    assert json.loads(graph.metadata["network"]) == dense().metadata
    assert not any("." in name for name in graph.nodes)


def test_nir_itself_reads_the_file(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "network.nir", encoder_graph(conv(recurrent=True)))
    assert same_network(network_of(nir.read(path)), network_of(read_graph(path)))


def test_legacy_file_has_no_reset(tmp_path: Path) -> None:
    graph = encoder_graph(conv())
    path = write_graph(tmp_path / "old.nir", graph, legacy=True)
    with h5py.File(path) as file:
        assert file["version"][()] == b"1.0.4"
        assert "v_reset" not in file["node/nodes/lif_0"]
    assert same_network(network_of(read_graph(path)), network_of(graph))


def test_average_pools_and_linear_weights_of_others() -> None:
    r = np.random.default_rng(0)
    weight = r.normal(size=(3, 2, 2, 2)).astype(np.float32)
    ones = np.ones((3, 3, 3), np.float32)
    pair = np.array([2, 2])
    top = np.ones(3, np.float32)
    nodes = {
        "in": nir.Input(np.array([2, 8, 8])),
        "pool": nir.AvgPool2d(kernel_size=pair, stride=pair, padding=np.array([0, 0])),
        "conv": nir.Conv2d((4, 4), weight, 1, 0, 1, 1, np.zeros(3, np.float32)),
        "if": nir.IF(r=ones, v_threshold=ones),
        "flat": nir.Flatten(np.array([3, 3, 3]), 0, -1),
        "linear": nir.Linear(r.normal(size=(3, 27)).astype(np.float32)),
        "lif": nir.LIF(tau=top * 0.01, r=top * 5, v_leak=top * 0, v_threshold=top),
        "out": nir.Output(np.array([3])),
    }
    names = list(nodes)
    graph = nir.NIRGraph(nodes, list(pairwise(names)))
    network = network_of(graph, step=1e-3)
    synapses = [stage.synapse for stage in network.stages]
    np.testing.assert_allclose(synapses[0].weight, weight * 1e-3 / 4, rtol=1e-6)
    np.testing.assert_allclose(synapses[1].weight, nodes["linear"].weight * 0.5, rtol=1e-6)
    assert network.stages[1].neurons.beta == pytest.approx(0.9, rel=1e-7)
    assert network.stages[0].neurons.beta == 1


def test_recurrence_in_a_sub_graph() -> None:
    flat = encoder_graph(dense(recurrent=True))
    inner = nir.NIRGraph(
        {
            "input": nir.Input(np.array([8])),
            "lif": flat.nodes["lif_1"],
            "w_rec": flat.nodes["recurrent_1"],
            "output": nir.Output(np.array([8])),
        },
        [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )
    nodes = {name: node for name, node in flat.nodes.items() if not name.endswith("_1")}
    nodes |= {"affine_1": flat.nodes["affine_1"], "loop": inner}
    chain = ["input", "affine_0", "lif_0", "affine_1", "loop", "output"]
    edges = list(pairwise(chain))
    nested = nir.NIRGraph(nodes, edges, metadata=flat.metadata)
    assert same_network(network_of(nested), network_of(flat))


def test_kernels_that_are_not_square() -> None:
    def network(
        kernel: tuple[int, int], padding: tuple[int, int], shape: tuple[int, ...]
    ) -> Network:
        layer = Conv2d(np.ones((1, 1, *kernel)), np.zeros(1), (1, 1), padding, shape)
        return Network(shape, (layer, LIF(layer.output_shape)))

    with pytest.raises(ValueError, match=r"takes kernels for square.*\(1, 8, 8\), not \(1, 8, 6\)"):
        encoder_graph(network((1, 3), (0, 0), (1, 8, 8)))
    # A stride that hides the difference is no obstacle: then NIR infers the right shape.
    layer = Conv2d(np.ones((1, 1, 3, 2)), np.zeros(1), (1, 2), (0, 0), (1, 8, 9))
    graph = encoder_graph(Network((1, 8, 9), (layer, LIF(layer.output_shape))))
    assert tuple(graph.nodes["conv_0"].output_type["output"]) == layer.output_shape


def test_values_beyond_single_precision() -> None:
    huge = Network((1,), (Dense(np.array([[1e38]]), np.zeros(1)), LIF((1,), 0.9)))
    with pytest.raises(ValueError, match="single precision"):
        encoder_graph(huge)


def test_recurrent_maps_are_refused() -> None:
    layer = Conv2d(np.ones((1, 1, 1, 1)), np.zeros(1), (1, 1), (0, 0), (1, 2, 2))
    lif = LIF((1, 2, 2), recurrent=Dense(np.eye(4), np.zeros(4)))
    with pytest.raises(ValueError, match="dense layers only"):
        encoder_graph(Network((1, 2, 2), (layer, lif)))


def test_step_of_the_file() -> None:
    graph = encoder_graph(dense())
    assert same_network(network_of(graph, step=1e-4), network_of(graph))
    with pytest.raises(ValueError, match=r"0.0001 s, not the 0.001 s"):
        network_of(graph, step=1e-3)
    graph.metadata = {}
    with pytest.raises(ValueError, match="does not say its time step"):
        network_of(graph)
    with pytest.raises(ValueError, match="between 0 and 1 s"):
        encoder_graph(dense(), step=0.0)
