"""A canonical network as the matrices of Xylo.

Stage 0 and all between it and the last are hidden neurons, joined by recurrent weights; the last stage are
the outputs. Every stage has a scale of its own, searched for its weights and made coarser where bias or
threshold need it; one shift for the whole chip makes currents as fine as all fit.

What differs from the canonical form: a spike is spread over several steps, since the shortest synapse halves
its current in each (dash 1; dash 0 would lose it before it arrives); its sum stays the same. A neuron
subtracts its threshold instead of falling to zero, may fire several times in a step, and without leak
(dash 15) still loses 1 of its whole numbers a step.
"""

import math

import numpy as np
from jaxtyping import Float64, Int64

from clapp_snn.export.canonical import Network, Stage
from clapp_snn.export.canonical_layers import LIF, Dense, Flatten
from clapp_snn.export.common_scale import HIGHEST, WEIGHT_BITS, common_scale
from clapp_snn.export.quantise import largest_level, round_to
from clapp_snn.export.xylo.simulation import Chip, Neurons

DASH_SYN = 1
LARGEST_DASH = 15
LARGEST_SHIFT = 7


def stages_of(network: Network) -> tuple[tuple[Dense, LIF], ...]:
    """Synapses and neurons, bottom up.

    Raises ValueError for what the chip does not have: convolutions, pools, recurrent outputs, fewer than two
    stages.
    """
    found = tuple(_plain(index, stage) for index, stage in enumerate(network.stages))
    if len(found) < 2:
        raise ValueError(
            "Xylo needs a hidden layer and outputs; this network has one layer of neurons only."
        )
    if found[-1][1].recurrent is not None:
        raise ValueError("Outputs of Xylo have no recurrent connections; only hidden layers do.")
    return found


def chip_of(network: Network) -> tuple[Chip, tuple[float, ...]]:
    """The configuration, and for every stage what 1 of its whole numbers stands for in the network.

    Raises ValueError as `stages_of`, and for weights that 8 bits cannot hold beside bias and threshold.
    """
    stages = stages_of(network)
    scales = [
        common_scale(index, _all_weights(*stage), _bias(*stage), stage[1].threshold)
        for index, stage in enumerate(stages)
    ]
    shift = min(_room(*stage, scale) for stage, scale in zip(stages, scales, strict=True))
    units = [scale / 2**shift for scale in scales]
    sizes = [math.prod(neurons.shape) for _, neurons in stages]
    starts = np.cumsum([0, *sizes])
    hidden = int(starts[-2])
    w_rec = np.zeros((hidden, hidden), np.int64)
    levels = [
        round_to(dense.weight, scale, WEIGHT_BITS).T
        for (dense, _), scale in zip(stages, scales, strict=True)
    ]
    for k, ((_, neurons), scale) in enumerate(zip(stages[:-1], scales, strict=False)):
        own = slice(starts[k], starts[k + 1])
        if k:
            w_rec[starts[k - 1] : starts[k], own] = levels[k]
        if neurons.recurrent is not None:
            w_rec[own, own] = round_to(neurons.recurrent.weight, scale, WEIGHT_BITS).T
    w_out = np.zeros((hidden, sizes[-1]), np.int64)
    w_out[starts[-3] :] = levels[-1]
    w_in = np.zeros((math.prod(network.input_shape), hidden), np.int64)
    w_in[:, : sizes[0]] = levels[0]
    each = [_neurons(*stage, unit) for stage, unit in zip(stages, units, strict=True)]
    together = Neurons(
        *(np.concatenate(part) for part in zip(*map(_parts, each[:-1]), strict=True))
    )
    return Chip(w_in, w_rec, w_out, together, each[-1], DASH_SYN, shift), tuple(units)


def nearest_dash(beta: float) -> int:
    """The shift k for which 1 - 2^-k is nearest to beta; 15 for no leak."""
    return min(range(LARGEST_DASH + 1), key=lambda dash: abs(1 - 2.0**-dash - beta))


def _plain(index: int, stage: Stage) -> tuple[Dense, LIF]:
    if not isinstance(stage.synapse, Dense):
        raise ValueError(f"Xylo has dense layers only; stage {index} is a convolution.")
    if not all(isinstance(layer, Flatten) for layer in stage.before):
        raise ValueError(f"Xylo cannot pool, as in front of stage {index}.")
    return stage.synapse, stage.neurons


def _all_weights(dense: Dense, neurons: LIF) -> Float64[np.ndarray, "post pre"]:
    own = [] if neurons.recurrent is None else [neurons.recurrent.weight]
    return np.concatenate([dense.weight, *own], axis=1)


def _bias(dense: Dense, neurons: LIF) -> Float64[np.ndarray, "post"]:
    return dense.bias + (0 if neurons.recurrent is None else neurons.recurrent.bias)


def _room(dense: Dense, neurons: LIF, scale: float) -> int:
    """The largest shift for which bias, threshold and the sum of one spike everywhere, twice, fit."""
    levels = np.abs(round_to(_all_weights(dense, neurons), scale, WEIGHT_BITS))
    bias = float(np.abs(_bias(dense, neurons)).max()) / scale
    for shift in range(LARGEST_SHIFT, 0, -1):
        grown = 2**shift
        if (
            bias * grown <= largest_level(WEIGHT_BITS)
            and neurons.threshold / scale * grown <= HIGHEST - 1
            and 2 * grown * int(levels.sum(1).max()) <= HIGHEST
        ):
            return shift
    return 0


def _neurons(dense: Dense, neurons: LIF, unit: float) -> Neurons:
    count = math.prod(neurons.shape)
    return Neurons(
        np.full(count, nearest_dash(neurons.beta)),
        np.full(count, math.floor(neurons.threshold / unit) + 1),
        round_to(_bias(dense, neurons), unit, WEIGHT_BITS),
    )


def _parts(neurons: Neurons) -> tuple[Int64[np.ndarray, "neuron"], ...]:
    return neurons.dash_mem, neurons.threshold, neurons.bias
