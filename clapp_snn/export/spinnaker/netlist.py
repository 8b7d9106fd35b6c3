"""Populations and projections of a SpiNNaker program, as data.

A projection is a list of synapses with weights that are not negative; the receptor says what they do. All
of a population's synapses of one receptor share the shift of its ring buffers, which follows from
`largest`.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from clapp_snn.export.spinnaker.arithmetic import BUFFER_BITS, FRACTION_BITS, buffer_shift

Receptor = Literal["excitatory", "inhibitory", "reward", "punishment"]


@dataclass(frozen=True, eq=False)
class Cells:
    """A population of `IF_curr_delta`, or with `tau_syn` of `IF_curr_exp`; resting and reset at 0 mV, no
    refractory time.

    Attributes:
        name: unique.
        size: number of neurons.
        tau_m: of the membrane, steps.
        cm: capacitance; a constant input I leads to I tau_m / cm.
        threshold: the least voltage that fires.
        largest: sums of excitatory and of inhibitory weights that may arrive in one step.
        offset: input in every step, one a neuron.
        start: voltages before the first step.
        tau_syn: of the synaptic current, steps; None for input of one step.
    """

    name: str
    size: int
    tau_m: float
    cm: float
    threshold: float
    largest: tuple[float, float]
    offset: Float64[np.ndarray, "neuron"]
    start: Float64[np.ndarray, "neuron"]
    tau_syn: float | None = None

    @property
    def shifts(self) -> tuple[int, int]:
        """Of the ring buffers of both receptors."""
        return buffer_shift(self.largest[0]), buffer_shift(self.largest[1])


class Source(NamedTuple):
    """A population whose spikes are given."""

    name: str
    size: int


class Plasticity(NamedTuple):
    """Spike pairs that mark synapses, and neuromodulation that changes the marked ones (Izhikevich 2007,
    doi:10.1093/cercor/bhl152, as `sPyNNaker` has it).

    Attributes:
        tau_plus: of the trace of presynaptic spikes, steps.
        a_plus: eligibility that a postsynaptic spike adds for a trace of 1.
        tau_c, tau_d: of eligibility and of the modulator, steps.
        w_max: largest weight; the smallest is 0.
    """

    tau_plus: float
    a_plus: float
    tau_c: float
    tau_d: float
    w_max: float


@dataclass(frozen=True, eq=False)
class Synapses:
    """A projection.

    Attributes:
        before, after: names of populations.
        receptor: what the weights do.
        pre, post, weight: one entry a synapse.
        delay: steps, at least 1.
        plasticity: None for weights that stay.
    """

    before: str
    after: str
    receptor: Receptor
    pre: Int64[np.ndarray, "synapse"]
    post: Int64[np.ndarray, "synapse"]
    weight: Float64[np.ndarray, "synapse"]
    delay: int = 1
    plasticity: Plasticity | None = None


@dataclass
class Netlist:
    """A program: sources, neurons and what joins them, in the order in which PyNN has to make them.

    Attributes:
        recorded: names of populations whose spikes are the result, bottom up.
    """

    sources: list[Source] = field(default_factory=list)
    cells: list[Cells] = field(default_factory=list)
    synapses: list[Synapses] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)

    def cells_named(self, name: str) -> Cells:
        """A population of neurons by name; raises KeyError if there is none."""
        return {each.name: each for each in self.cells}[name]

    def size_of(self, name: str) -> int:
        """Size of a source or a population of neurons."""
        sizes = {each.name: each.size for each in self.sources}
        return (sizes | {each.name: each.size for each in self.cells})[name]


def buffer_weights(
    weight: Float64[np.ndarray, "synapse"], shift: int
) -> Int64[np.ndarray, "synapse"]:
    """Weights in 16 bits, rounded to the nearest, as a ring buffer with that shift adds them."""
    return np.rint(weight * 2.0 ** (FRACTION_BITS - shift)).astype(np.int64) % 2**BUFFER_BITS
