"""The two-compartment neuron with burst coincidence from three stock neurons of Loihi.

    soma      leaky, reset at a spike
    apical    leaky current with a threshold on it: du is the leak, dv = 4095 leaves the voltage no memory,
              so that it spikes in every step while the current is above threshold (a plateau)
    gate      no memory (du = dv = 4095); 100 from the soma plus 100 from the apical compartment exceed 150

The gate's spike is the burst, one step after the soma's. It is `clapp_snn.neurons.two_compartment_lif` in the
integers of the chip.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from clapp_snn.export.loihi2.arithmetic import DECAY_BITS, LARGEST_THRESHOLD
from clapp_snn.export.loihi2.layers import IntegerDense, IntegerLIF, LIFTrace, delayed, simulate
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIFParameters

NO_MEMORY = 2**DECAY_BITS - 1
GATE_WEIGHT = 100
GATE_THRESHOLD = 150


class BurstTrace(NamedTuple):
    """What the compartments did; bursts are the gate's spikes, one step after the soma's."""

    soma: LIFTrace
    apical: LIFTrace
    gate: LIFTrace

    @property
    def bursts(self) -> Bool[np.ndarray, "time *shape"]:
        """Spikes of the gate."""
        return self.gate.spikes


@dataclass(frozen=True, eq=False)
class IntegerTwoCompartment:
    """A layer of such neurons.

    Attributes:
        soma, apical: compartments of one shape.
    """

    soma: IntegerLIF
    apical: IntegerLIF

    @property
    def gate(self) -> IntegerLIF:
        """The neurons whose spikes are bursts."""
        return IntegerLIF(self.soma.shape, du=NO_MEMORY, dv=NO_MEMORY, vth=GATE_THRESHOLD)

    @property
    def gate_synapses(self) -> IntegerDense:
        """One to one, from the soma as from the apical compartment; the neurons flattened."""
        return IntegerDense(GATE_WEIGHT * np.eye(int(np.prod(self.soma.shape)), dtype=np.int64))

    def __post_init__(self) -> None:
        if self.soma.shape != self.apical.shape:
            raise ValueError(
                f"Soma {self.soma.shape} and apical compartment {self.apical.shape} differ in shape."
            )

    def run(
        self,
        basal: Int64[np.ndarray, "time *shape"],
        apical: Int64[np.ndarray, "time *shape"],
    ) -> BurstTrace:
        """Drive both compartments from rest, in units of weights, as input arrives at them."""
        soma, plateau = simulate(self.soma, basal), simulate(self.apical, apical)
        both = soma.spikes.astype(np.int64) + plateau.spikes
        return BurstTrace(soma, plateau, simulate(self.gate, delayed(GATE_WEIGHT * both)))


def two_compartment(
    params: TwoCompartmentLIFParameters, dt: float, shape: tuple[int, ...], unit: int
) -> IntegerTwoCompartment:
    """L0 with decays to 12 bits.

    Args:
        params: of L0.
        dt: time step, ms.
        shape: of the layer.
        unit: weight that stands for a drive of 1.

    Raises ValueError for thresholds that do not fit into 17 bits, such as negative ones.
    """
    constants = params.at(dt)
    thresholds = [round(each * unit) for each in (constants.threshold, constants.apical_threshold)]
    if not all(0 <= each <= LARGEST_THRESHOLD for each in thresholds):
        raise ValueError(
            f"Thresholds must lie between 0 and {LARGEST_THRESHOLD} / unit; they are "
            f"{constants.threshold} and {constants.apical_threshold} with unit {unit}."
        )
    return IntegerTwoCompartment(
        IntegerLIF(shape, du=NO_MEMORY, dv=decay_constant(constants.beta), vth=thresholds[0]),
        IntegerLIF(shape, du=decay_constant(constants.alpha) - 1, dv=NO_MEMORY, vth=thresholds[1]),
    )


def decay_constant(beta: float) -> int:
    """dv of a factor beta per step; du is one less.

    Raises ValueError for a beta that 12 bits cannot tell from 0, or from 1 if it is not 1.
    """
    constant = round((1 - beta) * 2**DECAY_BITS)
    if constant >= 2**DECAY_BITS or (constant == 0 and beta != 1):
        raise ValueError(
            f"A decay of {beta} a step needs more than {DECAY_BITS} bits; change the time step or the "
            "time constant."
        )
    return constant
