"""The whole circuit of dense areas as a NIR graph: dendrites, bursts, score and surprise nucleus.

    input  = [x, context of every area, read-out pulse after a fixation, after a saccade]
    soma     Affine -> LIF, the same as in the encoder graph
    apical   +-W_pred c -> LI (leaky) -> Threshold: plateau of the ON and of the OFF population
    burst    Threshold(1.5) of spike + plateau: both at once
    score    J (bursts ON - bursts OFF) -> I: u grows over the window
    nucleus  1 - u and 1 + u, lifted by the pulse to Threshold: F and S, gamma = F - S
    output = [spikes of the top layer, u of every area, gamma of every area]

NIR has one input and one output that all its tools can run, so both are packed. The context of an area is its
activity in the window before, in spikes a step, and has to be held at the input. A graph runs one window from
rest: the pulse comes with the last step.
"""

import math
from collections.abc import Sequence

import nir
import numpy as np
from jaxtyping import Float64

from clapp_snn.circuit.ports import LIFPort
from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import Dense
from clapp_snn.export.interpreter import Spikes
from clapp_snn.export.learning import Learning
from clapp_snn.export.nir_encoder import STEP, gain_of, lif_node, metadata_of, single
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIFParameters

UNSUPPORTED = (
    "plasticity (Eqs. 6-8): the rule is provenance in `learning`",
    "the apical latch: the context of the window before is held at the input",
    "the gain that follows the size of predictions: plateau thresholds are fixed at export",
    "the end of a window, which empties score and membranes: a graph runs one window from rest",
    "gating synapses by gamma, a product: gamma is an output",
    "stochastic bursts and soft reset: neurons are deterministic two-compartment LIF (L0), reset to zero",
)
"""What NIR 1.0.8 has no node for; in the metadata of every circuit graph."""

PULSE = 256.0
"""Of the read-out; larger than any score, which keeps 3e-5 of the margin beside it in single precision."""

BOTH = 1.5
"""Between one and two inputs of 1."""


def prediction_sizes(learning: Learning, spikes: Sequence[Spikes]) -> tuple[float, ...]:
    """Root mean square of zhat = W_pred z for each area, on the activity of sample spikes (time, sample,
    unit).

    Raises ValueError for an area that predicts nothing on them.
    """
    sizes = []
    for index, (area, layer) in enumerate(zip(learning.areas, spikes, strict=True)):
        z = area.scale * layer.mean(0).reshape(layer.shape[1], -1)
        size = float(np.sqrt(np.square(z @ area.W_pred.T).mean()))
        if not size > 0:
            raise ValueError(
                f"Area {index + 1} predicts nothing on these samples: it is silent, or its W_pred is 0. "
                "Train it for longer, or sample for more --steps."
            )
        sizes.append(size)
    return tuple(sizes)


def circuit_graph(
    network: Network, learning: Learning, sizes: Sequence[float], step: float = STEP
) -> nir.NIRGraph:
    """The graph of a network of dense layers with the lateral weights of its areas.

    Args:
        network: canonical; its layers are the areas.
        learning: one area a layer.
        sizes: of the predictions, from which plateau thresholds follow (`prediction_sizes`).
        step: Euler step of the file, s.

    Raises ValueError for maps, recurrent layers, or another number of areas or sizes than layers.
    """
    stages = network.stages
    if any(
        stage.before or not isinstance(stage.synapse, Dense) or stage.neurons.recurrent is not None
        for stage in stages
    ):
        raise ValueError("The circuit graph is written for chains of dense layers.")
    if not len(stages) == len(learning.areas) == len(sizes):
        raise ValueError(f"{len(stages)} layers need as many areas and sizes of predictions.")
    layout = _Layout(network)
    build = _Builder(layout.inputs)
    alpha = math.exp(-network.dt / TwoCompartmentLIFParameters().tau_apical)
    below, first = "input", layout.x
    for index, (stage, area, size) in enumerate(zip(stages, learning.areas, sizes, strict=True)):
        neurons, units = stage.neurons, stage.neurons.shape[0]
        gain = gain_of(neurons.beta, step)
        weight = first(stage.synapse.weight) if below == "input" else stage.synapse.weight
        soma = f"soma_{index}"
        build.affine(f"basal_{index}", below, weight * gain, stage.synapse.bias * gain)
        build.add(soma, lif_node((units,), neurons.beta, neurons.threshold, step), f"basal_{index}")
        plateau = LIFPort.THRESHOLD * size
        for sign, path in ((1, "on"), (-1, "off")):
            apical = sign * area.scale * layout.context(index, area.W_pred)
            build.affine(f"pred_{path}_{index}", "input", apical)
            build.add(f"apical_{path}_{index}", _leaky(units, alpha, step), f"pred_{path}_{index}")
            build.add(
                f"plateau_{path}_{index}", _threshold(units, plateau), f"apical_{path}_{index}"
            )
            build.add(
                f"burst_{path}_{index}", _threshold(units, BOTH), soma, f"plateau_{path}_{index}"
            )
            J = sign * area.scale * size / (learning.steps * LIFPort.SLOPE)
            build.affine(
                f"count_{path}_{index}", f"burst_{path}_{index}", np.full((1, units), J / step)
            )
        build.add(
            f"score_{index}",
            nir.I(np.ones(1, np.float32)),
            f"count_on_{index}",
            f"count_off_{index}",
        )
        build.affine(f"margin_{index}", f"score_{index}", np.array([[-1.0], [1.0]]), np.ones(2))
        build.affine(f"pulse_{index}", "input", PULSE * layout.pulses)
        build.add(f"nucleus_{index}", _threshold(2, PULSE), f"margin_{index}", f"pulse_{index}")
        build.affine(f"out_score_{index}", f"score_{index}", layout.to_score(index))
        build.affine(f"out_gamma_{index}", f"nucleus_{index}", layout.to_gamma(index))
        below = soma
    build.affine("out_spikes", below, layout.to_spikes)
    outs = [f"out_{kind}_{index}" for kind in ("score", "gamma") for index in range(len(stages))]
    build.add("output", nir.Output(np.array([layout.outputs])), "out_spikes", *outs)
    metadata = metadata_of(network, learning.record(), step)
    metadata |= {"unsupported": "\n".join(UNSUPPORTED), "layout": layout.text}
    return nir.NIRGraph(build.nodes, build.edges, metadata=metadata)


def pack_inputs(
    network: Network,
    x: np.ndarray,
    contexts: Sequence[Float64[np.ndarray, "sample unit"]],
    y: Float64[np.ndarray, "sample"],
) -> Float64[np.ndarray, "time sample input"]:
    """Input of a circuit graph for one window.

    Args:
        network: of the graph.
        x: input spikes (time, sample, input).
        contexts: of each area, in spikes a step.
        y: +1 after a fixation, -1 after a saccade.
    """
    steps, samples = x.shape[:2]
    held = [np.broadcast_to(c, (steps, *c.shape)) for c in contexts]
    pulses = np.zeros((steps, samples, 2))
    pulses[-1, :, 0], pulses[-1, :, 1] = y > 0, y < 0
    return np.concatenate([x.astype(np.float64), *held, pulses], 2)


class _Layout:
    """Where in the packed input and output things are."""

    def __init__(self, network: Network) -> None:
        self.lines = network.input_shape[0]
        self.units = [stage.neurons.shape[0] for stage in network.stages]
        self.starts = [self.lines + sum(self.units[:index]) for index in range(len(self.units))]
        self.inputs = self.lines + sum(self.units) + 2
        self.outputs = self.units[-1] + 2 * len(self.units)

    @property
    def text(self) -> str:
        contexts = ", ".join(f"context of area {k + 1}: {n}" for k, n in enumerate(self.units))
        areas = len(self.units)
        return (
            f"input: {self.lines} lines, {contexts}, pulses: 2; output: spikes {self.units[-1]}, scores "
            f"{areas}, gamma {areas}"
        )

    def x(self, weight: np.ndarray) -> np.ndarray:
        return np.pad(weight, ((0, 0), (0, self.inputs - self.lines)))

    def context(self, area: int, weight: np.ndarray) -> np.ndarray:
        start = self.starts[area]
        after = self.inputs - start - self.units[area]
        return np.pad(weight, ((0, 0), (start, after)))

    @property
    def pulses(self) -> np.ndarray:
        return np.pad(np.eye(2), ((0, 0), (self.inputs - 2, 0)))

    @property
    def to_spikes(self) -> np.ndarray:
        return np.eye(self.outputs, self.units[-1])

    def to_score(self, area: int) -> np.ndarray:
        weight = np.zeros((self.outputs, 1))
        weight[self.units[-1] + area] = 1
        return weight

    def to_gamma(self, area: int) -> np.ndarray:
        weight = np.zeros((self.outputs, 2))
        weight[self.units[-1] + len(self.units) + area] = (1, -1)
        return weight


class _Builder:
    """Nodes and edges, in order."""

    def __init__(self, inputs: int) -> None:
        self.nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array([inputs]))}
        self.edges: list[tuple[str, str]] = []

    def add(self, name: str, node: nir.NIRNode, *before: str) -> None:
        self.nodes[name] = node
        self.edges += [(each, name) for each in before]

    def affine(
        self, name: str, before: str, weight: np.ndarray, bias: np.ndarray | None = None
    ) -> None:
        bias = np.zeros(len(weight)) if bias is None else bias
        self.add(name, nir.Affine(single(weight), single(bias)), before)


def _leaky(units: int, alpha: float, step: float) -> nir.LI:
    tau = single(np.full(units, step / (1 - alpha)))
    return nir.LI(tau=tau, r=np.ones(units, np.float32), v_leak=np.zeros(units, np.float32))


def _threshold(units: int, level: float) -> nir.Threshold:
    return nir.Threshold(single(np.full(units, level)))
