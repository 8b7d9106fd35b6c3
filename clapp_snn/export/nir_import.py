"""A NIR graph back as a canonical network, or one clear refusal.

Values are taken as the file has them: beta = 1 - dt / tau, and weights times r dt / tau (r dt for IF).
Average pooling becomes sum pooling with the weights behind it divided by the size of the groups. Whatever the
canonical form does not have (other resets, leak potentials, delays, groups, neurons that differ within a
layer) is refused by name.
"""

import json
import math
from itertools import pairwise
from typing import Any

import nir
import numpy as np

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense, Flatten, Layer, SumPool
from clapp_snn.export.nir_encoder import STEP

SAME_STEP = 1e-9
"""Relative difference of time steps that are the same."""
MOST_EDGES = 100_000
"""That one sub-graph adds when it is dissolved."""


def network_of(graph: nir.NIRGraph, step: float | None = None) -> Network:
    """The network that a graph describes.

    Args:
        graph: one input, one output, a chain in between; recurrent connections around layers of neurons, flat
            or in a sub-graph.
        step: Euler step, s; None takes the graph's own (metadata `dt`).

    Raises ValueError for a graph that is no canonical network, for a step that is not the graph's, and where
    neither names one.
    """
    metadata = graph.metadata
    step = step_of(graph, step)
    nodes, edges = inlined(graph)
    chain, loops = _chain(nodes, edges)
    shape = tuple(int(side) for side in nodes[chain[0]].output_type["output"])
    layers: list[Layer] = []
    factor = 1.0
    for name, after in pairwise(chain[1:]):
        node = nodes[name]
        gain = _gain(nodes[after], after, step) if _is_synapse(node) else 1.0
        if isinstance(node, nir.AvgPool2d):
            factor /= math.prod(_pair(node.kernel_size))
        layer = _layer(name, node, shape, gain, step, factor if _is_synapse(node) else 1.0)
        if _is_synapse(node):
            factor = 1.0
        if isinstance(layer, LIF) and name in loops:
            loop = nodes[loops[name]]
            again = _layer(loops[name], loop, layer.shape, _gain(node, name, step), step)
            assert isinstance(again, Dense)
            layer = LIF(layer.shape, layer.beta, layer.threshold, again)
        layers.append(layer)
        shape = layer.output_shape
    return Network(
        tuple(int(side) for side in nodes[chain[0]].output_type["output"]),
        tuple(layers),
        dt=_number("dt_ms", metadata.get("dt_ms", step * 1000)),
        name=str(_text(metadata.get("name", "network"))),
        metadata=_json(metadata.get("network", "{}")),
    )


def learning_of(graph: nir.NIRGraph) -> dict[str, Any]:
    """The record of the learning rule, {} if there is none; raises ValueError for one that is not JSON."""
    return _json(graph.metadata.get("learning", "{}"))


def inlined(graph: nir.NIRGraph) -> tuple[dict[str, nir.NIRNode], list[tuple[str, str]]]:
    """Nodes and edges with all sub-graphs dissolved; their names are joined by `_`.

    Raises ValueError for sub-graphs with more than one way in or out.
    """
    nodes, edges = dict(graph.nodes), list(graph.edges)
    for name, node in graph.nodes.items():
        if not isinstance(node, nir.NIRGraph):
            continue
        inner, links = inlined(node)
        ports = {
            kind: [key for key, each in inner.items() if isinstance(each, kind)]
            for kind in (nir.Input, nir.Output)
        }
        if any(len(found) != 1 for found in ports.values()):
            raise ValueError(f"Sub-graph {name!r} needs exactly one input and one output.")
        (way_in,), (way_out,) = ports.values()
        del nodes[name]
        nodes |= {
            f"{name}_{key}": each for key, each in inner.items() if key not in (way_in, way_out)
        }
        heads = [b for a, b in links if a == way_in]
        tails = [a for a, b in links if b == way_out]
        around = sum(1 for edge in edges if name in edge)
        if around * max(1, len(heads)) * max(1, len(tails)) > MOST_EDGES:
            raise ValueError(f"Sub-graph {name!r} would add more than {MOST_EDGES} edges.")
        edges = [
            (source, target)
            for a, b in edges
            for source in ([f"{name}_{tail}" for tail in tails] if a == name else [a])
            for target in ([f"{name}_{head}" for head in heads] if b == name else [b])
        ]
        edges += [(f"{name}_{a}", f"{name}_{b}") for a, b in links if a != way_in and b != way_out]
    return nodes, edges


def _chain(
    nodes: dict[str, nir.NIRNode], edges: list[tuple[str, str]]
) -> tuple[list[str], dict[str, str]]:
    """Names from input to output, and the recurrent weights of each layer that has any."""
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for a, b in edges:
        if a not in nodes or b not in nodes:
            raise ValueError(f"The graph has an edge {a!r} -> {b!r}, but not both nodes.")
        after[a].append(b)
    loops = {
        neuron: weights
        for neuron in nodes
        for weights in after[neuron]
        if after[weights] == [neuron] and isinstance(nodes[weights], nir.Affine | nir.Linear)
    }
    starts = [name for name, node in nodes.items() if isinstance(node, nir.Input)]
    if len(starts) != 1:
        raise ValueError(f"A network has one input, but the graph has {len(starts)}.")
    chain = starts
    while not isinstance(nodes[chain[-1]], nir.Output):
        onward = [name for name in after[chain[-1]] if name != loops.get(chain[-1])]
        if len(onward) != 1 or onward[0] in chain:
            raise ValueError(
                f"A network is a chain, but node {chain[-1]!r} of the graph leads to {onward or 'nothing'}."
            )
        chain = [*chain, onward[0]]
    left = set(nodes) - set(chain) - set(loops.values())
    if left:
        raise ValueError(f"Nodes beside the chain from input to output: {', '.join(sorted(left))}.")
    return chain, loops


def _layer(
    name: str,
    node: nir.NIRNode,
    shape: tuple[int, ...],
    gain: float,
    step: float,
    pooled: float = 1.0,
) -> Layer:
    if isinstance(node, nir.LIF | nir.IF):
        _require_canonical(name, node)
        beta = 1.0 if isinstance(node, nir.IF) else 1 - step / _uniform(name, "tau", node.tau)
        if not 0 < beta <= 1:
            raise ValueError(f"Node {name!r}: tau is not longer than the time step of {step:g} s.")
        return LIF(node.v_threshold.shape, beta, _uniform(name, "v_threshold", node.v_threshold))
    if isinstance(node, nir.Affine | nir.Linear):
        weight = np.asarray(node.weight, np.float64) * (gain * pooled)
        bias = np.asarray(getattr(node, "bias", np.zeros(len(weight))), np.float64) * gain
        return Dense(weight, bias)
    if isinstance(node, nir.Conv2d):
        if int(np.prod(node.groups)) != 1 or set(_pair(node.dilation)) != {1}:
            raise ValueError(f"Node {name!r}: groups and dilation are not supported.")
        if isinstance(node.padding, str | bytes):
            raise ValueError(
                f"Node {name!r}: padding must be given in numbers, not {node.padding!r}."
            )
        weight = np.asarray(node.weight, np.float64) * (gain * pooled)
        bias = np.asarray(node.bias, np.float64) * gain
        return Conv2d(weight, bias, _pair(node.stride), _pair(node.padding), shape)
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        return SumPool(pool_size(name, node), shape)
    if isinstance(node, nir.Flatten):
        flat = nir.ir.utils.calc_flatten_output(list(shape), int(node.start_dim), int(node.end_dim))
        if len(flat) != 1:
            raise ValueError(
                f"Node {name!r} leaves {len(flat)} axes; only flattening all is supported."
            )
        return Flatten(shape)
    raise ValueError(
        f"Node {name!r} is a {type(node).__name__}, which is no part of a canonical network "
        "(Affine, Linear, Conv2d, SumPool2d, AvgPool2d, Flatten, LIF, IF)."
    )


def pool_size(name: str, node: nir.SumPool2d | nir.AvgPool2d) -> int:
    """Side of the groups that a node pools; raises ValueError where they overlap or are not square."""
    size = _pair(node.kernel_size)
    if size[0] != size[1] or _pair(node.stride) != size or any(_pair(node.padding)):
        raise ValueError(
            f"Node {name!r}: pooling needs square groups side by side, without padding."
        )
    return size[0]


def _is_synapse(node: nir.NIRNode) -> bool:
    return isinstance(node, nir.Affine | nir.Linear | nir.Conv2d)


def _gain(neurons: nir.NIRNode, name: str, step: float) -> float:
    """What one unit of input current adds to the voltage in one step."""
    if isinstance(neurons, nir.IF):
        return _uniform(name, "r", neurons.r) * step
    if isinstance(neurons, nir.LIF):
        return _uniform(name, "r", neurons.r) * step / _uniform(name, "tau", neurons.tau)
    raise ValueError(
        f"A synapse leads to {name!r}, a {type(neurons).__name__}; only LIF or IF may follow."
    )


def _require_canonical(name: str, node: nir.LIF | nir.IF) -> None:
    for field in ("v_leak", "v_reset"):
        if np.any(np.asarray(getattr(node, field, 0.0)) != 0):
            raise ValueError(f"Node {name!r}: {field} must be 0 everywhere.")


def _uniform(name: str, field: str, values: Any) -> float:
    array = np.asarray(values, np.float64)
    if not array.size or not np.isfinite(array).all() or np.ptp(array) != 0:
        raise ValueError(f"Node {name!r}: {field} must be one finite number for the whole layer.")
    if array.flat[0] <= 0:
        raise ValueError(f"Node {name!r}: {field} must be positive.")
    return float(array.flat[0])


def _pair(values: Any) -> tuple[int, int]:
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or array.size not in (1, 2):
        raise ValueError(
            f"Strides, paddings and sizes are one or two whole numbers, not {values!r}."
        )
    flat = [int(value) for value in array.flat]
    return (flat[0], flat[-1])


def step_of(graph: nir.NIRGraph, asked: float | None) -> float:
    """Euler step of a graph, s.

    Raises ValueError where neither the graph nor `asked` names one, and where they differ.
    """
    own = graph.metadata.get("dt")
    given = asked if own is None else own
    if given is None:
        raise ValueError(
            f"The graph does not say its time step (metadata `dt`, in s); give one, for example {STEP:g}."
        )
    found = _number("dt", given)
    if not 0 < found < math.inf:
        raise ValueError(f"The time step of a graph must be positive, not {found} s.")
    if asked is not None and not math.isclose(asked, found, rel_tol=SAME_STEP):
        raise ValueError(
            f"The time step of the graph is {found:g} s, not the {asked:g} s that were asked for."
        )
    return found


def _number(name: str, value: Any) -> float:
    try:
        return float(_text(value))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name!r} in the metadata of the graph is no number.") from error


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _json(value: Any) -> dict[str, Any]:
    try:
        found = json.loads(_text(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"Metadata of the graph are not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise ValueError("Metadata of the graph must be a JSON object.")
    return found
