"""The arithmetic of Xylo's core with biases (`xylosim.v2` 0.1.3), in whole numbers.

    decay:    d(x, k) = x >> k, but at least 1 towards zero
    synapse:  i <- i + 2^shift w s;   i <- i - d(i, dash_syn)
    neuron:   v <- v - d(v, dash_mem) + i + bias
              fires while v >= threshold, which is subtracted each time: 31 times a step at most, outputs once

Everything saturates at 16 bits, sums spike by spike. An input counts up to 15 spikes a step. Hidden spikes
reach hidden neurons and outputs in the next step.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from clapp_snn.export.common_scale import HIGHEST, LOWEST

Whole = Int64[np.ndarray, "*shape"]

INPUT_SPIKES, HIDDEN_SPIKES, OUTPUT_SPIKES = 15, 31, 1
"""The most that count in one step."""


@dataclass(frozen=True, eq=False)
class Neurons:
    """Parameters of hidden neurons or outputs, one each.

    Attributes:
        dash_mem: shift of the voltage's decay, 0 to 15.
        threshold: up to 2^15 - 1.
        bias: added in every step.
    """

    dash_mem: Int64[np.ndarray, "neuron"]
    threshold: Int64[np.ndarray, "neuron"]
    bias: Int64[np.ndarray, "neuron"]


@dataclass(frozen=True, eq=False)
class Chip:
    """All that the core is configured with.

    Attributes:
        w_in, w_rec, w_out: of 8 bits, from inputs, hidden neurons and hidden neurons.
        hidden, outputs: neurons.
        dash_syn: shift of the decay of all synaptic currents.
        shift: of all weights.
    """

    w_in: Int64[np.ndarray, "input hidden"]
    w_rec: Int64[np.ndarray, "hidden hidden"]
    w_out: Int64[np.ndarray, "hidden output"]
    hidden: Neurons
    outputs: Neurons
    dash_syn: int
    shift: int


class ChipTrace(NamedTuple):
    """Spike counts and voltages (after spikes) of all steps."""

    hidden: Int64[np.ndarray, "time sample hidden"]
    outputs: Int64[np.ndarray, "time sample output"]
    v_hidden: Int64[np.ndarray, "time sample hidden"]
    v_outputs: Int64[np.ndarray, "time sample output"]


def simulate(chip: Chip, spikes: Int64[np.ndarray, "time sample input"]) -> ChipTrace:
    """Run from rest."""
    lead, hidden, outputs = spikes.shape[:2], len(chip.w_rec), chip.w_out.shape[1]
    sizes = (hidden, outputs, hidden, outputs)
    trace = ChipTrace(*(np.zeros((*lead, size), np.int64) for size in sizes))
    i, v = (np.zeros((lead[1], hidden), np.int64) for _ in range(2))
    i_out, v_out = (np.zeros((lead[1], outputs), np.int64) for _ in range(2))
    last = np.zeros((lead[1], hidden), np.int64)
    for t, now in enumerate(np.minimum(spikes, INPUT_SPIKES)):
        i = deliver(i, now, chip.w_in << chip.shift)
        i = deliver(i, last, chip.w_rec << chip.shift)
        i_out = deliver(i_out, last, chip.w_out << chip.shift)
        i, v, last = evolve(chip.hidden, chip.dash_syn, i, v, HIDDEN_SPIKES)
        i_out, v_out, fired = evolve(chip.outputs, chip.dash_syn, i_out, v_out, OUTPUT_SPIKES)
        for kept, values in zip(trace, (last, fired, v, v_out), strict=True):
            kept[t] = values
    return trace


def decay(x: Whole, shift: Whole | int) -> Whole:
    """What a state loses in a step."""
    lost = x >> shift
    return np.where(lost == 0, np.sign(x), lost)


def saturated(x: Whole) -> Whole:
    """x in 16 bits."""
    return np.clip(x, LOWEST, HIGHEST)


def deliver(
    current: Int64[np.ndarray, "sample post"],
    spikes: Int64[np.ndarray, "sample pre"],
    weight: Int64[np.ndarray, "pre post"],
) -> Int64[np.ndarray, "sample post"]:
    """Add all spikes; where a sum might leave 16 bits on the way, one input after another."""
    counts = spikes.astype(np.float64)
    largest = np.abs(current) + counts @ np.abs(weight).astype(np.float64)
    if largest.max(initial=0) <= HIGHEST:
        return current + (counts @ weight.astype(np.float64)).astype(np.int64)
    for pre in range(spikes.shape[1]):
        current = saturated(current + spikes[:, pre, None] * weight[pre])
    return current


def evolve(
    neurons: Neurons,
    dash_syn: int,
    i: Int64[np.ndarray, "sample neuron"],
    v: Int64[np.ndarray, "sample neuron"],
    most: int,
) -> tuple[
    Int64[np.ndarray, "sample neuron"],
    Int64[np.ndarray, "sample neuron"],
    Int64[np.ndarray, "sample neuron"],
]:
    """One step: currents, voltages and spike counts, at most `most` a neuron."""
    i = i - decay(i, dash_syn)
    change = saturated(saturated(i - decay(v, neurons.dash_mem)) + neurons.bias)
    v = saturated(v + change)
    fired = np.clip(v // neurons.threshold, 0, most)
    return i, v - fired * neurons.threshold, fired
