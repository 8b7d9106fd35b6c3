"""What a spiking network costs, counted: the workload metrics of NeuroBench (Yik et al., arXiv:2304.04640).

    synaptic operations     spikes that arrive at synapses whose weight is not 0 (effective accumulates)
    dense operations        what a machine without events computes: all synapses in all steps
    activation sparsity     share of neuron updates without a spike
    connection sparsity     share of weights that are 0
    footprint               bytes of weights, biases and membrane potentials
    neuron updates          neurons times steps

All are means over samples, for one sample of the given number of steps.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import Conv2d, Dense, Synapse
from clapp_snn.export.interpreter import Input, Spikes, as_input, correlate, reshape
from clapp_snn.export.target import Energy

BYTES = 4
"""Of a number in single precision."""


class Workload(NamedTuple):
    """Of one stage; see the top of this file."""

    stage: int
    neurons: int
    synapses: int
    spikes: float
    synaptic_operations: float
    dense_operations: float
    neuron_updates: float
    activation_sparsity: float
    connection_sparsity: float
    footprint: int


def workload(network: Network, inputs: Input, spikes: Sequence[Spikes]) -> list[Workload]:
    """Of every stage, bottom up.

    Args:
        network: what ran.
        inputs: its input spikes, (time, sample, *input).
        spikes: of every layer of neurons.
    """
    x = as_input(network, inputs)
    steps, samples = x.shape[:2]
    arriving = x.sum(0).astype(np.float64)
    found = []
    for index, (stage, own) in enumerate(zip(network.stages, spikes, strict=True)):
        for layer in stage.before:
            arriving = reshape(layer, arriving)
        counts = own.reshape(steps, samples, *stage.neurons.shape).sum(0).astype(np.float64)
        operations = _operations(stage.synapse, arriving)
        weights = [stage.synapse.weight]
        synapses = _synapses(stage.synapse)
        if stage.neurons.recurrent is not None:
            recurrent = stage.neurons.recurrent
            operations += _operations(recurrent, counts.reshape(samples, -1))
            weights.append(recurrent.weight)
            synapses += recurrent.weight.size
        neurons = math.prod(stage.neurons.shape)
        stored = sum(each.size for each in weights)
        found.append(
            Workload(
                index,
                neurons,
                synapses,
                float(counts.sum() / samples),
                operations / samples,
                float(synapses * steps),
                float(neurons * steps),
                float(1 - counts.sum() / (samples * steps * neurons)) if samples * steps else 1.0,
                float(sum((each == 0).sum() for each in weights) / stored),
                BYTES * (stored + stage.synapse.bias.size + neurons),
            )
        )
        arriving = counts
    return found


def energy_of(stages: Sequence[Workload], energy: Energy) -> float:
    """Estimate for one sample in nJ: operations times published energies of single ones.

    Routing, input and idle power are not in it.
    """
    operations = sum(each.synaptic_operations for each in stages)
    updates = sum(each.neuron_updates for each in stages)
    per_update = energy.neuron_update or 0.0
    return (operations * energy.synaptic_operation + updates * per_update) / 1000


def _operations(synapse: Synapse, arriving: Float64[np.ndarray, "sample *pre"]) -> float:
    mask = (synapse.weight != 0).astype(np.float64)
    if isinstance(synapse, Dense):
        return float((arriving @ mask.sum(0)).sum())
    return float(correlate(arriving, mask, synapse).sum())


def _synapses(synapse: Synapse) -> int:
    """Connections between neurons, those of shared kernels counted for every pair."""
    if isinstance(synapse, Conv2d):
        ones = np.ones((1, *synapse.input_shape))
        mask = np.ones_like(synapse.weight)
        return int(correlate(ones, mask, synapse).sum())
    return synapse.weight.size
