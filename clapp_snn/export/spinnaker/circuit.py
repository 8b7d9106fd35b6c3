"""Areas that learn on SpiNNaker: somata, two apical populations, bursts, score, nucleus, modulators.

    layer      somata; what drives them learns
    apical     W_pred z of the window before, through a delay of one window and a synaptic filter: ON neurons
               fire while it exceeds a threshold, OFF neurons while it is below the negative one
    burst      soma and apical neuron together
    nucleus    two neurons without leak that count bursts down and up; the pulse at the end of a window lifts
               the first by 1 + P after a fixation, the second after a saccade, to a threshold of P: they fire
               for 1 - u > 0 and 1 + u > 0, as gamma does. A second pulse empties them, and holds modulators
    modulator  nucleus and apical neuron together: gamma (W_pred c)_j, as reward where it is positive and as
               punishment where it is negative, to neuron j alone
    synapse    traces of spike pairs times the modulator of the neuron

One projection has one sign and one modulator. A synapse therefore is W + W_0 with an excitatory weight that
learns, minus a fixed inhibitory W_0, so that it can have both signs.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from clapp_snn.circuit.ports import LIFPort
from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import Dense
from clapp_snn.export.learning import AreaLearning, Learning
from clapp_snn.export.spinnaker.arithmetic import ONE, buffer_shift, fixed, fraction
from clapp_snn.export.spinnaker.connections import Connections, dense_connections
from clapp_snn.export.spinnaker.encoder import (
    INPUT,
    ROOM,
    gain_of,
    membrane,
    signed,
    stage_name,
    starting,
)
from clapp_snn.export.spinnaker.limits import PLASTIC_NEURONS
from clapp_snn.export.spinnaker.netlist import (
    Cells,
    Netlist,
    Plasticity,
    Receptor,
    Source,
    Synapses,
)
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIFParameters

FIXATION, SACCADE, END = "fixation", "saccade", "end"
LARGEST_PULSE = 64.0
"""P in units of the score, whose size must stay below it."""
LONGEST_WINDOW = 128
GROWTH = 2.0
"""W_0 is so many times the largest weight at the beginning."""
BRIEF = 0.05
"""tau_m of neurons without memory, steps: exp(-20) is 0 in 15 bits."""
BOTH = 1.5
QUIET = 4.0
"""Inhibition that no two excitatory inputs of 1 overcome."""
PAIR, AMOUNT = 0.01, 0.05
"""To be tuned: eligibility of a pair of spikes, in parts of the largest weight; modulator of one spike."""

DIFFERENCES = (
    "presynaptic trace times postsynaptic spikes instead of x_i [a_j > 0]",
    "the modulator acts for some steps from the pulse on, not at one time",
    "only basal weights learn, as those of the glance that is predicted: W_pred, W_retro and biases stay",
    "weights of 16 bits with sign by a fixed inhibitory weight",
    "size of predictions fixed at export",
    "windows of at most 128 steps",
)
"""Between Eqs. 6-8 and what these synapses do."""


def learning_netlist(network: Network, learning: Learning, sizes: Sequence[float]) -> Netlist:
    """The circuit of all areas.

    Args:
        network: canonical, dense layers.
        learning: lateral weights of every area.
        sizes: of the predictions (`nir_circuit.prediction_sizes`).

    Raises ValueError for layers that are not dense or recurrent, and weights too large for the numbers.
    """
    steps = window_of(learning)
    found = Netlist([Source(INPUT, math.prod(network.input_shape))])
    found.sources += [Source(name, 1) for name in (FIXATION, SACCADE, END)]
    below = INPUT
    stages = zip(network.stages, learning.areas, sizes, strict=True)
    for index, (stage, area, size) in enumerate(stages):
        plain = isinstance(stage.synapse, Dense) and not stage.before
        if not plain or stage.neurons.recurrent is not None:
            raise ValueError(f"On SpiNNaker only plain dense layers learn; layer {index} is none.")
        _soma(found, network, index, below, steps)
        _apical(found, network.dt, index, area, size, steps)
        _nucleus(found, index, area, size, steps)
        _modulators(found, index)
        below = stage_name(index)
        found.recorded += [below, f"nucleus_{index}"]
    return found


def _soma(net: Netlist, network: Network, index: int, below: str, steps: int) -> None:
    stage, name = network.stages[index], stage_name(index)
    weight, bias, neurons = stage.synapse.weight, stage.synapse.bias, stage.neurons
    size, pre = weight.shape
    offset = GROWTH * float(np.abs(weight).max())
    most = ROOM * 2 * offset * pre
    tau_m, cm, unit = membrane(
        neurons.beta, neurons.threshold, most + float(np.abs(bias).max()), index
    )
    scale = unit / gain_of(tau_m, cm)
    threshold = (math.floor(neurons.threshold * unit * ONE) + 1) / ONE
    cells = Cells(
        name,
        size,
        tau_m,
        cm,
        threshold,
        (most * scale, most * scale / 2),
        fixed(bias * scale, "Biases") / ONE,
        starting(bias * unit, neurons.beta, threshold, index + 1),
    )
    net.cells.append(cells)
    rule = Plasticity(steps / 4, PAIR, float(steps), steps / 4, 2 * offset * scale)
    (learned,) = signed(below, cells, dense_connections(weight + offset), scale)
    (fixed_part,) = signed(below, cells, dense_connections(np.full_like(weight, -offset)), scale)
    net.synapses += [
        Synapses(below, name, "excitatory", learned.pre, learned.post, learned.weight, 1, rule),
        fixed_part,
    ]


def _apical(
    net: Netlist, dt: float, index: int, area: AreaLearning, size: float, steps: int
) -> None:
    """Apical neurons and bursts, ON and OFF."""
    soma, count = stage_name(index), len(area.W_pred)
    tau = TwoCompartmentLIFParameters().tau_apical / dt
    decay = math.exp(-1 / tau)
    weight = (1 - decay) * area.scale * area.W_pred
    level = LIFPort.THRESHOLD * size
    peak = float(np.abs(weight).sum(1).max()) / (1 - decay)
    _, _, unit = membrane(0.5, level, peak)
    init = fraction(tau * (1 - decay)) / 2**32
    for sign, path in ((1, "on"), (-1, "off")):
        cells = Cells(
            f"apical_{path}_{index}",
            count,
            BRIEF,
            BRIEF * init,
            level * unit,
            (ROOM * peak * (1 - decay) * unit,) * 2,
            np.zeros(count),
            np.zeros(count),
            tau,
        )
        net.cells.append(cells)
        net.synapses += signed(soma, cells, dense_connections(sign * weight), unit, steps)
        _coincidence(net, f"burst_{path}_{index}", np.arange(count), soma, cells.name)


def _nucleus(net: Netlist, index: int, area: AreaLearning, size: float, steps: int) -> None:
    count = len(area.W_pred)
    burst = area.scale * size / (steps * LIFPort.SLOPE)
    pulse = pulse_of(burst, count, steps)
    most = ROOM * (2 * pulse + burst * count)
    tau_m, cm, unit = membrane(1.0, pulse, most)
    # The weight of a burst, small beside the pulses, is a whole number; everything else follows it.
    largest = most * unit
    least = 2.0 ** buffer_shift(largest) / ONE
    if burst * unit < least:
        raise ValueError(
            f"One burst adds {burst:.2g} to the score of area {index}, less than weights of SpiNNaker can "
            f"tell beside a pulse of {pulse:g}: use fewer steps a window or fewer units."
        )
    unit = math.floor(burst * unit / least) * least / burst
    cells = Cells(
        f"nucleus_{index}",
        2,
        tau_m,
        cm,
        pulse * unit + 1 / ONE,
        (largest, largest),
        np.zeros(2),
        np.zeros(2),
    )
    net.cells.append(cells)
    for sign, path in ((1, "on"), (-1, "off")):
        down_up = np.repeat([[-sign * burst], [sign * burst]], count, axis=1)
        net.synapses += signed(f"burst_{path}_{index}", cells, dense_connections(down_up), unit)
    for source, weights in (
        (FIXATION, (1 + pulse, 0)),
        (SACCADE, (0, 1 + pulse)),
        (END, (2 * pulse,) * 2),
    ):
        net.synapses += signed(source, cells, dense_connections(np.array(weights)[:, None]), unit)


def pulse_of(burst: float, count: int, steps: int) -> float:
    """P: a score for which `count` neurons burst in every second of `steps` steps, or the largest."""
    return min(LARGEST_PULSE, 1 + burst * count * steps / 2)


def window_of(learning: Learning) -> int:
    """Steps of a window on the board: activity is an average, so that long windows can be cut short."""
    return min(learning.steps, LONGEST_WINDOW)


def _modulators(net: Netlist, index: int) -> None:
    """Populations of what reaches the somata, each for the neurons of one core: sPyNNaker 7.4.1 fails where a
    modulator has synapses on some cores of a population and none on others."""
    soma = net.cells_named(stage_name(index))
    rule = next(each.plasticity for each in net.synapses if each.after == soma.name)
    blocks = [
        np.arange(first, min(first + PLASTIC_NEURONS, soma.size))
        for first in range(0, soma.size, PLASTIC_NEURONS)
    ]
    for neuron, cause in enumerate((FIXATION, SACCADE)):
        for path in ("on", "off"):
            receptor: Receptor = "reward" if (cause == FIXATION) == (path == "on") else "punishment"
            for block, members in enumerate(blocks):
                name = f"{cause}_{path}_{index}" + (f"_{block}" if len(blocks) > 1 else "")
                cells = _coincidence(net, name, members, f"apical_{path}_{index}")
                size = len(members)
                told = np.zeros((size, 2))
                told[:, neuron] = 1
                net.synapses += signed(f"nucleus_{index}", cells, dense_connections(told), 1.0)
                hold = dense_connections(np.full((size, 1), -QUIET))
                net.synapses += signed(END, cells, hold, 1.0, delay=2)
                net.synapses.append(
                    Synapses(
                        name,
                        soma.name,
                        receptor,
                        np.arange(size),
                        members,
                        np.full(size, AMOUNT),
                        1,
                        rule,
                    )
                )


def _coincidence(
    net: Netlist, name: str, members: Int64[np.ndarray, "neuron"], *before: str
) -> Cells:
    """Neurons without memory that two inputs of 1 make fire, one to one from `members` of populations."""
    size = len(members)
    cells = Cells(name, size, BRIEF, BRIEF, BOTH, (4.0, 2 * QUIET), np.zeros(size), np.zeros(size))
    net.cells.append(cells)
    pairs = Connections(members, np.arange(size), np.ones(size))
    for each in before:
        net.synapses += signed(each, cells, pairs, 1.0)
    return cells
