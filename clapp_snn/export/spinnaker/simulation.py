"""Populations step by step, in the fixed-point numbers of the cores.

    ring buffer    w s summed in 16 bits a receptor and step, then shifted; stops at the largest
    exponential    i <- i + w s init;   drive with i;   i <- i decay
    membrane       alpha = I tau_m / cm;   v <- alpha - exp(-1 / tau_m) (alpha - v)
    spike          v >= threshold;   v <- 0;   arrives `delay` steps later

Modulators and plasticity are not in it.
"""

import math
from collections.abc import Mapping

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


def simulate(netlist: Netlist, inputs: Mapping[str, Trains]) -> dict[str, Trains]:
    """Spikes of all populations, sources included.

    Args:
        netlist: what runs.
        inputs: spikes of every source.
    """
    steps, samples = next(iter(inputs.values())).shape[:2]
    states = {each.name: Membranes(each, samples) for each in netlist.cells}
    trains = {name: np.asarray(each, bool) for name, each in inputs.items()}
    for cells in netlist.cells:
        trains[cells.name] = np.zeros((steps, samples, cells.size), bool)
    matrices = [(each, _matrix(each, netlist)) for each in netlist.synapses if _acts(each)]
    for t in range(steps):
        for cells in netlist.cells:
            buffers = np.zeros((2, samples, cells.size), np.int64)
            for synapses, matrix in matrices:
                if synapses.after == cells.name and t >= synapses.delay:
                    spikes = trains[synapses.before][t - synapses.delay]
                    if spikes.any():
                        receptor = int(synapses.receptor == "inhibitory")
                        buffers[receptor] += (matrix @ spikes.T.astype(np.int64)).T
            trains[cells.name][t] = states[cells.name].step(buffers)
    return trains


def _acts(synapses: Synapses) -> bool:
    return synapses.receptor in ("excitatory", "inhibitory")


def _matrix(synapses: Synapses, netlist: Netlist) -> csr_array:
    cells = netlist.cells_named(synapses.after)
    shift = cells.shifts[synapses.receptor == "inhibitory"]
    shape = (cells.size, netlist.size_of(synapses.before))
    weight = buffer_weights(synapses.weight, shift)
    return csr_array((weight, (synapses.post, synapses.pre)), shape=shape, dtype=np.int64)
