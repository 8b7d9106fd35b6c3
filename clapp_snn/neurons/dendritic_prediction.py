"""Learning by the dendritic prediction of somatic spiking, the rule of the Urbanczik-Senn neuron.

Spikes of input j leave two traces, s_j and d_j, that decay with the synaptic and the dendritic time constant,
tau_s and tau_d. They give the dendritic current I = sum_j w_j s_j and the potential of a unit weight,

    PSP_j = tau_s / (g_L (tau_d - tau_s)) (d_j - s_j)                                   in mV / pA
    PI_j  = (S dt - phi(V_w*) dt) h(V_w*) PSP_j                                         in 1 / pA
    Q_j  <- Q_j e^(-dt / tau_Delta) + PI_j;   w_j += eta (1 - e^(-dt / tau_Delta)) Q_j  in pA

so that a weight changes by eta PI_j in all, spread over tau_Delta. S is the somatic spike train, V_w* the
dendritic prediction, phi the rate and h its logarithmic slope: a weight comes to rest when the dendrite
predicts the spikes. What the dendrite sees is w clipped to 0 ... w_max; w itself keeps what it accumulated
beyond the bounds, as in NEST (reflecting it there would turn noise into growth).

Source: Urbanczik and Senn 2014, doi:10.1016/j.neuron.2013.11.030; values and units of NEST 3.10
(`urbanczik_synapse`, whose eta is in units of 225 mV^2 times the capacitance).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.parameters import MS_PER_S, NeuronParameters, quantity
from clapp_snn.neurons.urbanczik_senn import (
    UrbanczikSennParameters,
    dendritic_prediction,
    rate_gain,
    somatic_rate,
)

NEST = "example of NEST 3.10 after Urbanczik and Senn 2014, doi:10.1016/j.neuron.2013.11.030"


@dataclass(frozen=True)
class DendriticPredictionParameters(NeuronParameters):
    """Parameters of plastic synapses on the dendrite."""

    tau_synapse: float = quantity(
        3.0, "ms", 0.1, 1000.0, "decay of the dendritic synaptic current", NEST, constant=True
    )
    tau_delta: float = quantity(
        100.0, "ms", 0.1, 1e5, "low-pass filter of the weight change", NEST, constant=True
    )
    eta: float = quantity(
        11475.0, "pA^2", 0.0, 1e9, "learning rate", f"{NEST}: 0.17 * 225 mV^2 * 300 pF"
    )
    w_max: float = quantity(1350.0, "pA", 0.0, 1e6, "largest weight", f"{NEST}: 4.5 mV/ms * 300 pF")

    def at(self, dt: float) -> "DendriticPredictionConstants":
        """Decays of one step of `dt` ms."""
        return DendriticPredictionConstants(
            self, dt, math.exp(-dt / self.tau_synapse), math.exp(-dt / self.tau_delta)
        )


class DendriticPredictionConstants(NamedTuple):
    """Constants of one step: parameters, dt in ms, decays of synapse and of weight change."""

    params: DendriticPredictionParameters
    dt: float
    decay_synapse: float
    decay_delta: float


class InputTraces(NamedTuple):
    """Traces of input spikes: synaptic s (its sum with the weights is a current) and dendritic d."""

    s: Float[Tensor, "*shape inputs"]
    d: Float[Tensor, "*shape inputs"]


def trace_inputs(
    traces: InputTraces,
    spikes: Float[Tensor, "*shape inputs"],
    constants: DendriticPredictionConstants,
    neuron: UrbanczikSennParameters,
) -> InputTraces:
    """Traces after one more step, at whose end `spikes` arrive."""
    decay_dendrite = math.exp(-constants.dt / neuron.tau_dendrite)
    return InputTraces(
        traces.s * constants.decay_synapse + spikes, traces.d * decay_dendrite + spikes
    )


def dendritic_current(
    weights: Float[Tensor, "*shape inputs"],
    traces: InputTraces,
    constants: DendriticPredictionConstants,
) -> Float[Tensor, "*shape"]:
    """Current in pA into the dendrite, its mean over the coming step (it decays during the step)."""
    mean = (1 - constants.decay_synapse) * constants.params.tau_synapse / constants.dt
    return mean * (weights.clamp(0.0, constants.params.w_max) * traces.s).sum(-1)


def unit_potential(
    traces: InputTraces,
    constants: DendriticPredictionConstants,
    neuron: UrbanczikSennParameters,
) -> Float[Tensor, "*shape inputs"]:
    """Postsynaptic potential of each input per unit weight, in mV / pA.

    Raises ValueError if synapse and dendrite have the same time constant, where the formula divides by 0.
    """
    tau_s, tau_d = constants.params.tau_synapse, neuron.tau_dendrite
    if tau_s == tau_d:
        raise ValueError(
            f"tau_synapse must differ from the dendritic time constant {tau_d:g} ms; change either a little."
        )
    return tau_s / (neuron.g_leak * (tau_d - tau_s)) * (traces.d - traces.s)


def dendritic_prediction_step(
    weights: Float[Tensor, "*shape inputs"],
    pending: Float[Tensor, "*shape inputs"],
    spike: Float[Tensor, "*shape"],
    v_w: Float[Tensor, "*shape"],
    traces: InputTraces,
    constants: DendriticPredictionConstants,
    neuron: UrbanczikSennParameters,
) -> tuple[Float[Tensor, "*shape inputs"], Float[Tensor, "*shape inputs"]]:
    """One step of learning.

    Args:
        weights: pA, not clipped.
        pending: the low-pass state Q, in 1 / pA; zero at the start.
        spike: somatic spike of this step, 0 or 1.
        v_w: dendritic potential in mV.
        traces: of the inputs.
        constants, neuron: of the synapses and of the neuron.

    Returns:
        New weights and new pending changes.
    """
    predicted = dendritic_prediction(v_w, neuron)
    error = spike - somatic_rate(predicted, neuron) * (constants.dt / MS_PER_S)
    induced = (error * rate_gain(predicted, neuron)).unsqueeze(-1) * unit_potential(
        traces, constants, neuron
    )
    spread = constants.params.eta * (1 - constants.decay_delta)
    return weights + spread * pending, pending * constants.decay_delta + induced
