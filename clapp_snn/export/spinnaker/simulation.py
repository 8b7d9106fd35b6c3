"""Populations step by step, in the fixed-point numbers of the cores.

    ring buffer    w s summed in 16 bits a receptor and step, then shifted; stops at the largest
    exponential    i <- i + w s init;   drive with i;   i <- i decay
    membrane       alpha = I tau_m / cm;   v <- alpha - exp(-1 / tau_m) (alpha - v)
    spike          v >= threshold;   v <- 0;   arrives `delay` steps later

Weights stay as they are, unless a `LearningCircuit` changes them.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Int64
from scipy.sparse import csr_array

from clapp_snn.export.spinnaker.arithmetic import (
    BUFFER_BITS,
    ONE,
    decayed,
    exponential,
    fixed,
    fraction,
    quotient,
    times,
)
from clapp_snn.export.spinnaker.netlist import Cells, Netlist, Synapses, buffer_weights
from clapp_snn.export.spinnaker.plasticity import UNIT, PlasticProjection

Trains = Bool[np.ndarray, "time sample neuron"]


class Membranes:
    """State of one population.

    Args:
        cells: what they are.
        samples: side by side.
    """

    def __init__(self, cells: Cells, samples: int) -> None:
        tau, cm = (int(fixed(each, "Time constants")) for each in (cells.tau_m, cells.cm))
        self.resistance = quotient(tau, cm)
        self.left = exponential(quotient(ONE, tau))
        self.offset = fixed(cells.offset, "Biases")
        self.threshold = int(fixed(cells.threshold, "A threshold"))
        self.v = np.tile(fixed(cells.start, "Initial voltages"), (samples, 1))
        self.i = np.zeros((2, samples, cells.size), np.int64)
        self.shifts = cells.shifts
        self.tau_syn = cells.tau_syn
        if cells.tau_syn is not None:
            self.decay = fraction(math.exp(-1 / cells.tau_syn))
            self.init = fraction(cells.tau_syn * (1 - math.exp(-1 / cells.tau_syn)))

    def step(self, buffers: Int64[np.ndarray, "receptor sample neuron"]) -> np.ndarray:
        """One step with what the ring buffers hold; where neurons fire."""
        arrived = np.minimum(buffers, 2**BUFFER_BITS - 1)
        arrived = np.stack(
            [each << shift for each, shift in zip(arrived, self.shifts, strict=True)]
        )
        if self.tau_syn is None:
            self.i = arrived
        else:
            self.i = self.i + decayed(arrived, self.init)
        alpha = times(self.i[0] - self.i[1] + self.offset, self.resistance)
        v = alpha - times(alpha - self.v, self.left)
        z: np.ndarray = v >= self.threshold
        self.v = np.where(z, 0, v)
        if self.tau_syn is not None:
            self.i = decayed(self.i, self.decay)
        return z


class LearningCircuit:
    """Plastic synapses of a netlist, and what modulates them.

    Args:
        netlist: with synapses from every input to every neuron where they learn.

    Attributes:
        projections: by the name of the neurons.

    Raises ValueError for numbers that do not fit.
    """

    def __init__(self, netlist: Netlist) -> None:
        self.projections: dict[str, PlasticProjection] = {}
        self._before: dict[str, str] = {}
        self._modulators: list[tuple[Synapses, Int64[np.ndarray, "post pre"]]] = []
        for each in netlist.synapses:
            shape = (netlist.cells_named(each.after).size, netlist.size_of(each.before))
            dense = np.zeros(shape)
            dense[each.post, each.pre] = each.weight
            if each.receptor in ("reward", "punishment"):
                sign = 1 if each.receptor == "reward" else -1
                self._modulators.append((each, sign * np.rint(dense * UNIT).astype(np.int64)))
            elif each.plasticity is not None:
                shift = netlist.cells_named(each.after).shifts[0]
                self.projections[each.after] = PlasticProjection(dense, each.plasticity, shift)
                self._before[each.after] = each.before

    def step(self, t: int, trains: Mapping[str, Trains]) -> None:
        """Learn from what spiked in step t of the first sample."""
        for name, projection in self.projections.items():
            arrived = [
                amounts @ trains[each.before][t, 0].astype(np.int64)
                for each, amounts in self._modulators
                if each.after == name
            ]
            projection.step(t, trains[self._before[name]][t, 0], trains[name][t, 0], arrived)


def simulate(
    netlist: Netlist, inputs: Mapping[str, Trains], learning: LearningCircuit | None = None
) -> dict[str, Trains]:
    """Spikes of all populations, sources included.

    Args:
        netlist: what runs.
        inputs: spikes of every source.
        learning: its plastic synapses, which learn; None for weights that stay.

    Raises ValueError for several samples that learn side by side, which a board does not do.
    """
    steps, samples = next(iter(inputs.values())).shape[:2]
    if learning is not None and samples != 1:
        raise ValueError(f"Synapses learn from one sample at a time, not from {samples}.")
    states = {each.name: Membranes(each, samples) for each in netlist.cells}
    trains = {name: np.asarray(each, bool) for name, each in inputs.items()}
    for cells in netlist.cells:
        trains[cells.name] = np.zeros((steps, samples, cells.size), bool)
    matrices = [
        (each, _weights(each, netlist, learning)) for each in netlist.synapses if _acts(each)
    ]
    for t in range(steps):
        for cells in netlist.cells:
            buffers = np.zeros((2, samples, cells.size), np.int64)
            for synapses, matrix in matrices:
                if synapses.after == cells.name and t >= synapses.delay:
                    spikes = trains[synapses.before][t - synapses.delay]
                    if spikes.any():
                        receptor = int(synapses.receptor == "inhibitory")
                        buffers[receptor] += (matrix() @ spikes.T.astype(np.int64)).T
            trains[cells.name][t] = states[cells.name].step(buffers)
        if learning is not None:
            learning.step(t, trains)
    return trains


def _acts(synapses: Synapses) -> bool:
    return synapses.receptor in ("excitatory", "inhibitory")


def _weights(
    synapses: Synapses, netlist: Netlist, learning: LearningCircuit | None
) -> Callable[[], csr_array | Int64[np.ndarray, "post pre"]]:
    """Weights as they are now."""
    if learning is not None and synapses.plasticity is not None:
        projection = learning.projections[synapses.after]
        return lambda: projection.stored
    matrix = _matrix(synapses, netlist)
    return lambda: matrix


def _matrix(synapses: Synapses, netlist: Netlist) -> csr_array:
    cells = netlist.cells_named(synapses.after)
    shift = cells.shifts[synapses.receptor == "inhibitory"]
    shape = (cells.size, netlist.size_of(synapses.before))
    weight = buffer_weights(synapses.weight, shift)
    return csr_array((weight, (synapses.post, synapses.pre)), shape=shape, dtype=np.int64)
