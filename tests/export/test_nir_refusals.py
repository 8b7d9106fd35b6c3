"""Graphs that are no canonical network: each refused by name."""

from collections.abc import Callable

import nir
import numpy as np
import pytest

from clapp_snn.export.interpreter import run
from clapp_snn.export.nir_encoder import encoder_graph
from clapp_snn.export.nir_import import network_of
from clapp_snn.export.nir_interpreter import run_graph
from clapp_snn.export.simulators import simulate
from tests.export.networks import conv, dense


def changed(node: str, field: str, value: object) -> nir.NIRGraph:
    graph = encoder_graph(conv())
    setattr(graph.nodes[node], field, value)
    return graph


SHAPE = (4, 8, 8)
PER_NEURON = np.linspace(1, 2, 256).reshape(SHAPE)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (changed("lif_0", "v_reset", np.full(SHAPE, 0.1)), "'lif_0': v_reset must be 0"),
        (changed("lif_0", "v_leak", np.full(SHAPE, 0.1)), "'lif_0': v_leak must be 0"),
        (changed("lif_0", "tau", PER_NEURON), "'lif_0': tau must be one finite number"),
        (changed("lif_0", "v_threshold", PER_NEURON), "v_threshold must be one"),
        (changed("lif_0", "r", np.full(SHAPE, np.nan)), "r must be one finite number"),
        (changed("lif_0", "r", np.full(SHAPE, -1.0)), "r must be positive"),
        (changed("lif_0", "tau", np.full(SHAPE, 1e-5)), "tau is not longer than the time step"),
        (changed("conv_0", "groups", 2), "groups and dilation"),
        (changed("conv_0", "dilation", (2, 2)), "groups and dilation"),
        (changed("conv_0", "padding", "same"), "padding must be given in numbers"),
        (changed("conv_0", "stride", (1.5, 1)), "whole numbers"),
        (changed("conv_0", "weight", np.full((4, 2, 3, 3), np.nan)), "not finite"),
        (changed("sumpool_1_0", "stride", np.array([1, 1])), "side by side"),
        (changed("flatten_2_0", "start_dim", 1), "leaves 2 axes"),
    ],
)
def test_nodes(graph: nir.NIRGraph, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network_of(graph)


def with_node(name: str, node: nir.NIRNode, *edges: tuple[str, str]) -> nir.NIRGraph:
    graph = encoder_graph(dense())
    graph.nodes[name] = node
    graph.edges = [*graph.edges, *edges]
    return graph


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (with_node("second", nir.Input(np.array([8])), ("second", "lif_1")), "the graph has 2"),
        (
            with_node("side", nir.Scale(np.ones(20)), ("lif_0", "side")),
            r"leads to \['affine_1', 'side'\]",
        ),
        (with_node("alone", nir.Scale(np.ones(20))), "beside the chain.*alone"),
        (with_node("x", nir.Scale(np.ones(20)), ("x", "nowhere")), "not both nodes"),
    ],
)
def test_wirings(graph: nir.NIRGraph, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network_of(graph)


def replaced(name: str, node: nir.NIRNode) -> nir.NIRGraph:
    graph = encoder_graph(dense())
    graph.nodes[name] = node
    return graph


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (replaced("lif_0", nir.Threshold(np.ones(20))), "a Threshold; only LIF or IF"),
        (replaced("lif_0", nir.LI(np.ones(20), np.ones(20), np.zeros(20))), "a LI; only LIF or IF"),
        (replaced("affine_0", nir.Delay(np.ones(12))), "'affine_0' is a Delay"),
    ],
)
def test_types(graph: nir.NIRGraph, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network_of(graph)


@pytest.mark.parametrize(
    "run", [lambda g, x: run_graph(g, x), lambda g, x: simulate(g, x, "norse")]
)
def test_two_outputs_are_not_run(run: Callable[[nir.NIRGraph, np.ndarray], object]) -> None:
    """nirtorch would never end."""
    graph = with_node("second", nir.Output(np.array([20])), ("lif_0", "second"))
    with pytest.raises(ValueError, match="one input and one output"):
        run(graph, np.zeros((2, 1, 12), bool))


def test_unknown_simulator() -> None:
    with pytest.raises(ValueError, match="snntorch, norse"):
        simulate(encoder_graph(dense()), np.zeros((2, 1, 12), bool), "other")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("dt", "soon", "'dt' in the metadata of the graph is no number"),
        ("dt", np.ones(3), "'dt' in the metadata of the graph is no number"),
        ("dt_ms", [1.0, 2.0], "'dt_ms' in the metadata of the graph is no number"),
        ("network", "[" * 100_000, "are not JSON"),
        ("network", "[1]", "must be a JSON object"),
    ],
    ids=["text", "several", "list", "deep", "no object"],
)
def test_metadata(entry: str, value: object, message: str) -> None:
    graph = encoder_graph(dense())
    graph.metadata[entry] = value
    with pytest.raises(ValueError, match=message):
        network_of(graph)


def test_a_sub_graph_that_multiplies_edges() -> None:
    """400 ways in times 400 out are 160 000 edges for each that leads through."""
    ways = 400
    units = {f"unit_{k}": nir.Scale(np.ones(8)) for k in range(ways)}
    ports = {"in": nir.Input(np.array([8])), "out": nir.Output(np.array([8]))}
    edges = [pair for name in units for pair in (("in", name), (name, "out"))]
    inner = nir.NIRGraph({**ports, **units}, edges, type_check=False)
    graph = with_node("inner", inner, ("lif_1", "inner"), ("inner", "output"))
    with pytest.raises(ValueError, match="'inner' would add more than 100000 edges"):
        network_of(graph)


def test_a_graph_without_a_time_step() -> None:
    """As `nir` writes it: the step has to be given, and then everything runs."""
    network = dense()
    graph = encoder_graph(network)
    step = float(graph.metadata.pop("dt"))
    x = np.random.default_rng(0).random((20, 2, *network.input_shape)) < 0.3
    with pytest.raises(ValueError, match="does not say its time step"):
        run_graph(graph, x)
    with pytest.raises(ValueError, match="does not say its time step"):
        simulate(graph, x, "snntorch")
    judge = run(network, x)[-1]
    assert ((run_graph(graph, x, step)["output"] > 0) == judge).all()
    assert (simulate(graph, x, "snntorch", step) == judge).all()
    assert network_of(graph, step).stages


def test_averages_run_as_sums_do() -> None:
    network = conv()
    x = np.random.default_rng(0).random((20, 2, *network.input_shape)) < 0.3
    output = run_graph(encoder_graph(network, average=True), x)["output"] > 0
    assert (output == run(network, x)[-1]).all()


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [((2, 2), (1, 1), (0, 0)), ((2, 1), (2, 1), (0, 0)), ((2, 2), (2, 2), (1, 1))],
)
def test_pools_that_cannot_be_run_are_refused(kernel, stride, padding) -> None:
    for kind in (nir.SumPool2d, nir.AvgPool2d):
        nodes = {
            "in": nir.Input(np.array([1, 4, 4])),
            "pool": kind(np.array(kernel), np.array(stride), np.array(padding)),
            "out": nir.Output(np.array([1, 2, 2])),
        }
        graph = nir.NIRGraph(nodes, [("in", "pool"), ("pool", "out")], type_check=False)
        with pytest.raises(ValueError, match="'pool': pooling needs square groups side by side"):
            run_graph(graph, np.ones((1, 1, 1, 4, 4)), 1e-3)
