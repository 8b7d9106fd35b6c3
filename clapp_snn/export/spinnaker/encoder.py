"""A canonical network as populations of leaky neurons.

    alpha = I tau_m / cm;   v <- alpha - exp(-1 / tau_m) (alpha - v);   fires where v >= threshold, v <- 0

is the exact solution of a step, so that tau_m = -1 / ln beta and cm = tau_m (1 - beta) give v <- beta v +
I. A neuron without leak does not exist: beta = 1 becomes 1 - 2^-13, or a stronger leak where the sum of
weights is so large that alpha would leave the number format. One unit a stage, a power of 2 in mV, makes
weights and voltages as fine as the format allows. Weights have 16 bits; those of both signs go to receptors
of their own.

A spike needs one step to the layer above. Until the first input arrives only biases act, so that voltages
start where the biases lead them to 0.
"""

import math

import numpy as np
from jaxtyping import Float64

from clapp_snn.export.canonical import Network, Stage
from clapp_snn.export.spinnaker.arithmetic import (
    LARGEST_DRIVE,
    ONE,
    exponential,
    fixed,
    quotient,
)
from clapp_snn.export.spinnaker.connections import (
    Connections,
    dense_connections,
    stage_connections,
)
from clapp_snn.export.spinnaker.netlist import Cells, Netlist, Source, Synapses, buffer_weights

LEAST_LEAK_BITS, MOST_LEAK_BITS = 8, 13
"""A neuron without leak loses between 2^-8 and 2^-13 of its voltage in a step."""
FINE = 2.0**-5
"""A threshold of at least this many mV, 1024 multiples of 2^-15, is fine enough."""
ROOM = 1 + 2.0**-8
"""For what rounding adds to sums of weights."""

INPUT = "input"


def stage_name(index: int) -> str:
    """Of the population of a stage."""
    return f"layer_{index}"


def netlist_of(network: Network) -> Netlist:
    """Sources, populations and projections of a network.

    Raises ValueError for weights too large beside the threshold, and stages with too many synapses.
    """
    found = Netlist([Source(INPUT, math.prod(network.input_shape))])
    shape, below = network.input_shape, INPUT
    for index, stage in enumerate(network.stages):
        cells, synapses = encoded_stage(index, stage, below, stage_connections(stage, shape))
        found.cells.append(cells)
        found.synapses += synapses
        found.recorded.append(cells.name)
        shape, below = stage.neurons.shape, cells.name
    return found


def encoded_stage(
    index: int, stage: Stage, below: str, basal: Connections
) -> tuple[Cells, list[Synapses]]:
    """One population and the projections to it; raises as `netlist_of`."""
    neurons, name = stage.neurons, stage_name(index)
    size = math.prod(neurons.shape)
    joined = [(below, basal)]
    bias = np.repeat(stage.synapse.bias, size // len(stage.synapse.bias))
    if neurons.recurrent is not None:
        joined.append((name, dense_connections(neurons.recurrent.weight)))
        bias = bias + neurons.recurrent.bias
    sums = [
        ROOM * sum(_sums(each, sign, size) for _, each in joined) + np.maximum(sign * bias, 0)
        for sign in (1, -1)
    ]
    tau_m, cm, unit = membrane(neurons.beta, neurons.threshold, float(np.max(sums)), index)
    gain = gain_of(tau_m, cm)
    scale = unit / gain
    largest = [
        ROOM * scale * float(np.max(sum(_sums(each, sign, size) for _, each in joined)))
        for sign in (1, -1)
    ]
    threshold = (math.floor(neurons.threshold * unit * ONE) + 1) / ONE
    cells = Cells(
        name,
        size,
        tau_m,
        cm,
        threshold,
        (largest[0], largest[1]),
        fixed(bias * scale, "Biases") / ONE,
        starting(bias * unit, neurons.beta, threshold, index + 1),
    )
    synapses = [
        each for before, connections in joined for each in signed(before, cells, connections, scale)
    ]
    return cells, synapses


def membrane(
    beta: float, threshold: float, largest: float, index: int = 0
) -> tuple[float, float, float]:
    """tau_m, cm and the unit (mV for 1) of a stage whose drive reaches `largest` in one step.

    Raises ValueError if no unit makes both the drive fit and the threshold fine.
    """
    if beta < 1:
        tau = -1 / math.log(beta)
        options = [(tau, tau * (1 - beta))]
    else:
        options = [(2.0**bits, 1.0) for bits in range(MOST_LEAK_BITS, LEAST_LEAK_BITS - 1, -1)]
    for tau_m, cm in options:
        unit = 2.0 ** math.floor(math.log2(LARGEST_DRIVE * cm / tau_m / max(largest, threshold)))
        if threshold * unit >= FINE:
            return tau_m, cm, unit
    raise ValueError(
        f"The weights of stage {index} sum to {largest:.3g} beside a threshold of {threshold:.3g}: numbers "
        "of SpiNNaker cannot hold both. Use fewer inputs or smaller weights."
    )


def gain_of(tau_m: float, cm: float) -> float:
    """What an input of 1 adds to the voltage in one step, in the numbers of the chip."""
    tau, capacity = (int(fixed(each, "Time constants")) for each in (tau_m, cm))
    left = exponential(quotient(ONE, tau))
    return quotient(tau, capacity) * (ONE - left) / ONE**2


def signed(
    before: str, cells: Cells, connections: Connections, scale: float, delay: int = 1
) -> list[Synapses]:
    """Excitatory and inhibitory synapses, with weights as ring buffers add them; those of 0 are left out."""
    found = []
    for sign, receptor, shift in zip(
        (1, -1), ("excitatory", "inhibitory"), cells.shifts, strict=True
    ):
        weight = np.maximum(sign * scale * connections.weight, 0)
        whole = buffer_weights(weight, shift)
        kept = whole > 0
        found.append(
            Synapses(
                before,
                cells.name,
                "excitatory" if receptor == "excitatory" else "inhibitory",
                connections.pre[kept],
                connections.post[kept],
                whole[kept] * 2.0**shift / ONE,
                delay,
            )
        )
    return [each for each in found if each.weight.size]


def _sums(connections: Connections, sign: int, size: int) -> np.ndarray:
    weight = np.maximum(sign * connections.weight, 0)
    return np.bincount(connections.post, weight, minlength=size)


def starting(
    bias: Float64[np.ndarray, "neuron"], beta: float, threshold: float, steps: int
) -> Float64[np.ndarray, "neuron"]:
    """The voltage from which `steps` steps of bias lead to 0, or as near to it as thresholds allow."""
    v = np.zeros_like(bias)
    for _ in range(steps):
        v = (v - bias) / beta
    return fixed(np.clip(v, -LARGEST_DRIVE, threshold - 1 / ONE), "Initial voltages") / ONE
