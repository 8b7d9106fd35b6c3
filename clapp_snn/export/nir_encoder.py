"""A canonical network as a NIR graph that importers agree on.

NIR (Pedersen et al. 2024, doi:10.1038/s41467-024-52259-9) writes neurons in continuous time and no time step.
With the Euler step dt of the file, k = 1 / (1 - beta) and nodes

    Affine or Conv2d (k W, k b)  ->  LIF (tau = k dt, r = 1, v_leak = 0, v_reset = 0, v_threshold),

a step of every importer is v <- beta v + W x + b, reset to zero. Without leak it is IF (r = 1 / dt) behind
the weights as they are. Parameters have the full shape of a layer and single precision, as importers expect.
One step of the graph is one step of the network, however long; importers take 0.1 ms for it, so files do, and
the length of a step on the biological clock is in the metadata (`dt_ms`). Metadata are provenance: graphs run
without them.
"""

import json
from collections.abc import Mapping
from typing import Any

import nir
import numpy as np

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Dense, Flatten, Reshaping, SumPool, Synapse

STEP = 1e-4
"""Euler step of our files, s; what importers take unless they are told."""


def encoder_graph(
    network: Network,
    learning: Mapping[str, Any] | None = None,
    step: float = STEP,
    *,
    average: bool = False,
) -> nir.NIRGraph:
    """The graph of a network; its values are rounded to single precision.

    Args:
        network: any.
        learning: record of the rule that made it (`Learning.record`), as provenance.
        step: Euler step of the file, s.
        average: write sums over groups as averages, with larger weights behind them, for tools that have no
            sums
            (SpikingJelly). The network is the same.

    Raises ValueError for a step that is not positive, for values beyond single precision, and for kernels
    whose output NIR 1.0.8 infers wrongly (its type inference takes kernels for square).
    """
    if not 0 < step < 1:
        raise ValueError(f"The Euler step of a file must lie between 0 and 1 s, not {step}.")
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array(network.input_shape))}
    edges: list[tuple[str, str]] = []
    last = "input"

    def append(name: str, node: nir.NIRNode) -> None:
        nonlocal last
        nodes[name] = node
        edges.append((last, name))
        last = name

    for index, stage in enumerate(network.stages):
        neurons = stage.neurons
        gain, pooled = gain_of(neurons.beta, step), 1
        for position, layer in enumerate(stage.before):
            if average and isinstance(layer, SumPool):
                append(f"avgpool_{index}_{position}", _average(layer))
                pooled *= layer.size**2
                continue
            append(f"{type(layer).__name__.lower()}_{index}_{position}", _reshaping(layer))
        kind = "affine" if isinstance(stage.synapse, Dense) else "conv"
        synapse, recurrent = _with_recurrent_bias(stage.synapse, neurons)
        append(f"{kind}_{index}", _synapse(synapse, pooled * gain, gain))
        append(f"lif_{index}", lif_node(neurons.shape, neurons.beta, neurons.threshold, step))
        if recurrent is not None:
            nodes[f"recurrent_{index}"] = _synapse(recurrent, gain, gain)
            edges += [(last, f"recurrent_{index}"), (f"recurrent_{index}", last)]
    append("output", nir.Output(np.array(network.output_shape)))
    return nir.NIRGraph(nodes, edges, metadata=metadata_of(network, learning, step))


def metadata_of(
    network: Network, learning: Mapping[str, Any] | None, step: float
) -> dict[str, Any]:
    """Steps, name and reset in the open, everything else as JSON text."""
    return {
        "dt": step,
        "dt_ms": network.dt,
        "name": network.name,
        "reset": "zero",
        "network": json.dumps(network.metadata, sort_keys=True),
        "learning": json.dumps(dict(learning or {}), sort_keys=True),
    }


def single(values: Any) -> np.ndarray:
    """In single precision; raises ValueError for values beyond it."""
    with np.errstate(over="ignore"):
        array = np.asarray(values, dtype=np.float32)
    if not np.isfinite(array).all():
        raise ValueError("Values of the network do not fit into single precision.")
    return array


def gain_of(beta: float, step: float) -> float:
    """Factor of weights and bias in a file, so that a step of its neurons adds what is meant."""
    if beta == 1:
        return 1 / (float(np.float32(1 / step)) * step)
    return 1 / (1 - beta)


def lif_node(shape: tuple[int, ...], beta: float, threshold: float, step: float) -> nir.NIRNode:
    """LIF, or IF for beta = 1, in canonical form."""
    ones, zeros = np.ones(shape, np.float32), np.zeros(shape, np.float32)
    level = single(np.full(shape, threshold))
    if beta == 1:
        return nir.IF(r=single(np.full(shape, 1 / step)), v_threshold=level, v_reset=zeros)
    tau = single(np.full(shape, step / (1 - beta)))
    return nir.LIF(tau=tau, r=ones, v_leak=zeros, v_threshold=level, v_reset=zeros.copy())


def _average(layer: SumPool) -> nir.AvgPool2d:
    size = np.array([layer.size, layer.size])
    return nir.AvgPool2d(kernel_size=size, stride=size.copy(), padding=np.array([0, 0]))


def _with_recurrent_bias(synapse: Synapse, neurons: LIF) -> tuple[Synapse, Dense | None]:
    """All bias in the synapse: importers disagree on what recurrent weights send in the first step."""
    if neurons.recurrent is None:
        return synapse, None
    if not isinstance(synapse, Dense):
        raise ValueError("NIR has recurrent connections between neurons of dense layers only.")
    recurrent = neurons.recurrent
    return (
        Dense(synapse.weight, synapse.bias + recurrent.bias),
        Dense(recurrent.weight, np.zeros_like(recurrent.bias)),
    )


def _reshaping(layer: Reshaping) -> nir.NIRNode:
    if isinstance(layer, Flatten):
        return nir.Flatten(np.array(layer.input_shape), start_dim=0, end_dim=-1)
    size = np.array([layer.size, layer.size])
    return nir.SumPool2d(kernel_size=size, stride=size.copy(), padding=np.array([0, 0]))


def _synapse(layer: Synapse, gain: float, bias_gain: float) -> nir.NIRNode:
    weight, bias = single(layer.weight * gain), single(layer.bias * bias_gain)
    if isinstance(layer, Dense):
        return nir.Affine(weight, bias)
    node = nir.Conv2d(
        input_shape=layer.input_shape[1:],
        weight=weight,
        stride=layer.stride,
        padding=layer.padding,
        dilation=(1, 1),
        groups=1,
        bias=bias,
    )
    inferred = tuple(int(side) for side in node.output_type["output"])
    if inferred != layer.output_shape:
        raise ValueError(
            f"NIR {nir.version} takes kernels for square: it would read the output of one of "
            f"{layer.weight.shape[2]} x {layer.weight.shape[3]} as {inferred}, not {layer.output_shape}. "
            "Use square kernels."
        )
    return node
