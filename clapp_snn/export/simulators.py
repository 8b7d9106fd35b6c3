"""Our NIR graphs in other simulators: node maps of our own, as stock ones drop biases, resistances or time
steps.

Both maps rest on `nirtorch.nir_to_torch`, which executes the graph; neurons are those of the simulator.
Samples come first, one step a call. A graph must have one input and one output: with more, nirtorch fails, or
never ends.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal, get_args

import nir
import nirtorch
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from clapp_snn.export.interpreter import Input
from clapp_snn.export.nir_import import inlined, step_of

Simulator = Literal["snntorch", "norse"]
NodeMap = dict[type, Callable[[Any], nn.Module]]


def simulate(
    graph: nir.NIRGraph, spikes: Input, simulator: Simulator, step: float | None = None
) -> Bool[np.ndarray, "time sample *output"]:
    """Spikes of the last layer, computed by another simulator in single precision.

    Args:
        graph: as `encoder_graph` writes it, or `read_graph` reads it.
        spikes: (time, sample, *input).
        simulator: which.
        step: Euler step, s; None takes the graph's.

    Raises ValueError for an unknown simulator, a graph with more than one input or output, and where
    neither the graph nor `step` names a time step.
    """
    dt = step_of(graph, None) if step is None else step
    nodes, _ = inlined(graph)
    ends = [isinstance(node, nir.Input) for node in nodes.values()]
    exits = [isinstance(node, nir.Output) for node in nodes.values()]
    if (sum(ends), sum(exits)) != (1, 1):
        raise ValueError("Only graphs with one input and one output can be simulated.")
    if simulator not in get_args(Simulator):
        raise ValueError(
            f"The simulator is one of {', '.join(get_args(Simulator))}, not {simulator!r}."
        )
    neurons = import_module(f"clapp_snn.export.{simulator}_nodes")
    module = nirtorch.nir_to_torch(graph, node_map={**SYNAPSES, **neurons.node_map(dt)})
    state: Any = None
    found = []
    with torch.no_grad():
        for x in torch.from_numpy(np.asarray(spikes, dtype=np.float32)).unbind():
            z, state = module(x, state)
            found.append(z)
    return torch.stack(found).numpy() > 0


class _SumPool(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Float[Tensor, "sample channel row col"]) -> Tensor:
        return nn.functional.avg_pool2d(x, self.size) * self.size**2


def _affine(node: nir.Affine | nir.Linear) -> nn.Module:
    bias = getattr(node, "bias", None)
    layer = nn.Linear(node.weight.shape[1], node.weight.shape[0], bias=bias is not None)
    _fill(layer.weight, node.weight)
    if bias is not None:
        _fill(layer.bias, bias)
    return layer


def _conv(node: nir.Conv2d) -> nn.Module:
    post, pre, *kernel = node.weight.shape
    stride, padding = ((int(n[0]), int(n[1])) for n in (node.stride, node.padding))
    layer = nn.Conv2d(pre, post, (kernel[0], kernel[1]), stride, padding)
    assert layer.bias is not None
    _fill(layer.weight, node.weight)
    _fill(layer.bias, node.bias)
    return layer


def _fill(parameter: Tensor, values: np.ndarray) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.array(values, dtype=np.float32)))


SYNAPSES: NodeMap = {
    nir.Input: lambda node: nn.Identity(),
    nir.Output: lambda node: nn.Identity(),
    nir.Affine: _affine,
    nir.Linear: _affine,
    nir.Conv2d: _conv,
    nir.SumPool2d: lambda node: _SumPool(int(np.asarray(node.kernel_size).flat[0])),
    nir.Flatten: lambda node: nn.Flatten(1),
}
