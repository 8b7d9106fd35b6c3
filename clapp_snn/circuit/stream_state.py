"""What a stream area remembers between steps, and what it tells at each step and at the end of a window."""

from typing import Any, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn

from clapp_snn.circuit.surprise import NucleusState
from clapp_snn.functional.window_plasticity import WindowTraces, WindowUpdate
from clapp_snn.neurons.interface import Inputs, Outputs


class WindowSums(NamedTuple):
    """Counted so far in this window: presynaptic activity, activity, basal drive before inhibition."""

    x: Float[Tensor, "sample *pre"]
    z: Float[Tensor, "sample *unit"]
    drive: Float[Tensor, "sample *drive"]


class StreamAreaState(NamedTuple):
    """All that an area remembers.

    Attributes:
        neuron: state of the neurons, shape (sample, pathway, copy, *unit).
        basal: filtered input of the basal synapses.
        sums: of the present window.
        detector, nucleus: membranes (with `SynapticReadout` also its synapses).
        memory: the context c (`MemoryState`; ablations remember more).
        apical: prediction A = W_pred c that the dendrites hold.
        x_prev, d_prev: presynaptic activity and postsynaptic factor of the window before.
        size: of predictions, from which the dendritic gain follows.
        elapsed: steps of the present window.
        share: of every unit in the score of this window; counted for burst variants of plasticity only.
    """

    neuron: Any
    basal: Float[Tensor, "sample *pre"]
    sums: WindowSums
    detector: Any
    nucleus: NucleusState
    memory: Any
    apical: Float[Tensor, "sample post"]
    x_prev: Float[Tensor, "sample *pre"]
    d_prev: Float[Tensor, "sample *drive"]
    size: Float[Tensor, "sample"]
    elapsed: Int[Tensor, ""]
    share: Float[Tensor, "sample *unit"]


class Step(NamedTuple):
    """What happened in one time step: activity for the next area, and what monitors want to see."""

    z: Float[Tensor, "sample *unit"]
    inputs: Inputs
    outputs: Outputs


class Reading(NamedTuple):
    """What an area knows at the end of a window.

    Attributes:
        gamma: broadcast factor, +1, 0 or -1.
        score: u_hat.
        traces: what the synapses hold.
        update: changes of the weights, summed over samples, in the direction of learning.
    """

    gamma: Float[Tensor, "sample"]
    score: Float[Tensor, "sample"]
    traces: WindowTraces
    update: WindowUpdate


class Learned(NamedTuple):
    """What one area learned from one window, as whoever applies and reports it needs it.

    Attributes:
        area: index from 0, bottom up.
        changes: parameter and change, of equal shape, summed over samples, in the direction of learning.
        gamma: broadcast factor, +1, 0 or -1.
        score: u_hat.
        z: mean activity of the window.
    """

    area: int
    changes: list[tuple[nn.Parameter, Tensor]]
    gamma: Float[Tensor, "sample"]
    score: Float[Tensor, "sample"]
    z: Float[Tensor, "sample post"]
