"""A judge for any NIR graph of ours: forward Euler on the numbers of the file, node by node, in float64.

It shares nothing with `clapp_snn.export.interpreter` but convolution and pooling, and knows apical
compartments, thresholds and integrators. Edges into one node are summed. A node sees what others did in the
same step; around a cycle, what they did one step before (0 in the first).
"""

from collections.abc import Sequence
from typing import Any

import nir
import numpy as np
from jaxtyping import Float64

from clapp_snn.export.canonical_layers import Conv2d, SumPool
from clapp_snn.export.interpreter import correlate, reshape
from clapp_snn.export.nir_import import inlined, pool_size, step_of

Values = dict[str, Float64[np.ndarray, "time sample *shape"]]


def run_graph(
    graph: nir.NIRGraph,
    inputs: Float64[np.ndarray, "time sample *input"],
    step: float | None = None,
    watch: Sequence[str] = (),
) -> Values:
    """What the output, and the nodes in `watch`, give in every step, from rest.

    Args:
        graph: with one input and one output.
        inputs: of the input node.
        step: Euler step, s; None takes the graph's metadata.
        watch: names of nodes.

    Raises ValueError for a graph with more than one input or output, an unknown node in `watch`, node types
    that it does not know, and where neither the graph nor `step` names a time step.
    """
    dt = step_of(graph, None) if step is None else step
    nodes, edges = inlined(graph)
    ends = {
        kind: [name for name, node in nodes.items() if isinstance(node, kind)]
        for kind in (nir.Input, nir.Output)
    }
    if any(len(found) != 1 for found in ends.values()):
        raise ValueError("Only graphs with one input and one output can be run.")
    missing = set(watch) - nodes.keys()
    if missing:
        raise ValueError(f"The graph has no nodes {', '.join(sorted(missing))}.")
    (source,), (sink,) = ends.values()
    before: dict[str, list[str]] = {name: [a for a, b in edges if b == name] for name in nodes}
    order = _order(before)
    machines = {name: _Machine(name, node, dt) for name, node in nodes.items()}
    last: dict[str, np.ndarray] = {}
    kept: dict[str, list[np.ndarray]] = {name: [] for name in (sink, *watch)}
    for x in np.asarray(inputs, np.float64):
        now: dict[str, np.ndarray] = {source: x}
        for name in order:
            if name == source:
                continue
            arriving = [
                now[a] if a in now else last[a] for a in before[name] if a in now or a in last
            ]
            now[name] = machines[name].step(sum(arriving[1:], arriving[0]))
        last = now
        for name, values in kept.items():
            values.append(now[name])
    return {("output" if name == sink else name): np.stack(each) for name, each in kept.items()}


def _order(before: dict[str, list[str]]) -> list[str]:
    """Every node behind those it needs, as far as cycles allow; the input first, recurrent weights last."""
    order: list[str] = []
    left = dict(before)
    while left:
        ready = [name for name, needs in left.items() if not set(needs) & left.keys()]
        if not ready:
            ready = [name for name in left if any(each in order for each in left[name])][:1]
        if not ready:
            raise ValueError("Nodes of the graph are not connected to its input.")
        order += ready
        for name in ready:
            del left[name]
    return order


class _Machine:
    """One node with its state."""

    def __init__(self, name: str, node: nir.NIRNode, dt: float) -> None:
        self.name, self.node, self.dt = name, node, dt
        self.v: Any = 0.0

    def step(self, x: np.ndarray) -> np.ndarray:
        node = self.node
        if isinstance(node, nir.Output):
            return x
        if isinstance(node, nir.Affine):
            return x @ np.asarray(node.weight, np.float64).T + node.bias
        if isinstance(node, nir.Linear):
            return x @ np.asarray(node.weight, np.float64).T
        if isinstance(node, nir.Threshold):
            return (x > node.threshold).astype(np.float64)
        if isinstance(node, nir.I):
            self.v = self.v + self.dt * node.r * x
            return self.v
        if isinstance(node, nir.LI):
            self.v = self.v + self.dt / node.tau * (node.v_leak - self.v + node.r * x)
            return self.v
        if isinstance(node, nir.LIF | nir.IF):
            return self._fire(x)
        return self._map(x)

    def _fire(self, x: np.ndarray) -> np.ndarray:
        node = self.node
        if isinstance(node, nir.IF):
            v = self.v + self.dt * node.r * x
        else:
            v = self.v + self.dt / node.tau * (node.v_leak - self.v + node.r * x)
        z = v > node.v_threshold
        self.v = np.where(z, node.v_reset, v)
        return z.astype(np.float64)

    def _map(self, x: np.ndarray) -> np.ndarray:
        node = self.node
        if isinstance(node, nir.Flatten):
            return x.reshape(len(x), -1)
        if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
            size = pool_size(self.name, node)
            summed = reshape(SumPool(size, x.shape[1:]), x)
            return summed if isinstance(node, nir.SumPool2d) else summed / size**2
        if isinstance(node, nir.Conv2d):
            weight = np.asarray(node.weight, np.float64)
            stride = (int(node.stride[0]), int(node.stride[1]))
            padding = (int(node.padding[0]), int(node.padding[1]))
            layer = Conv2d(weight, node.bias, stride, padding, x.shape[1:])
            return correlate(x, weight, layer) + np.asarray(node.bias)[:, None, None]
        raise ValueError(
            f"Node {self.name!r} is a {type(node).__name__}, which cannot be run here."
        )
