"""Weights that were trained in rate code, as a canonical network of integrate-and-fire neurons.

A unit z = [W x + b]_+ becomes a neuron that fires z / s spikes a step, with one scale s a layer: the activity
that `percentile` percent of the layer's active units stay below on calibration inputs, divided by `peak`.
With weights

    W' = W s_below / s,   b' = b / s,   threshold 1

an integrate-and-fire neuron without leak fires in proportion to its drive from zero on, as the rectifier
does. A leak (beta < 1) silences weak drives, so beta = 1 is the default. Reset to zero, the only one that all
tools share, throws away what exceeds the threshold, and fluctuating input is rectified: both bend the rate.
`balance` therefore multiplies the weights of each layer by the factor with which it fires, on calibration
inputs, as many spikes as it should, with the layers below as they will be.

Input x becomes x / s_0 spikes a step (`clapp_snn.export.input_code`); where calibration inputs are negative
somewhere, every input channel has an ON and an OFF line. Max-pooling has no counterpart in spikes that chips
and NIR share: it is refused, or replaced by the average of the group (`pool="sum"`), which changes what the
network computes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float64

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense, Layer, Reshaping, SumPool, Synapse
from clapp_snn.export.input_code import Code, encode
from clapp_snn.export.interpreter import drive, fire, reshape
from clapp_snn.export.rate_layers import SIDE, RateLayer, flattening, respond

Pool = Literal["refuse", "sum"]


@dataclass(frozen=True)
class Conversion:
    """How weights become spikes.

    Attributes:
        beta: of all neurons.
        percentile: of the activity of active units that is fired at `peak`.
        peak: spikes a step there; less is more exact and needs more steps.
        balance: correct the rate of each layer on calibration inputs.
        steps: of every calibration input.
        pool: what to do about max-pooling.
        code: of the input.
        seed: of Bernoulli input.

    Raises ValueError for values that are out of range.
    """

    beta: float = 1.0
    percentile: float = 99.0
    peak: float = 0.5
    balance: bool = True
    steps: int = 64
    pool: Pool = "refuse"
    code: Code = "regular"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.beta <= 1:
            raise ValueError(f"beta must lie in (0, 1], not {self.beta}.")
        if not 0 < self.percentile <= 100:
            raise ValueError(f"The percentile must lie in (0, 100], not {self.percentile}.")
        if not 0 < self.peak <= 1:
            raise ValueError(f"The peak must lie in (0, 1] spikes a step, not {self.peak}.")
        if self.steps < 1:
            raise ValueError(f"Calibration needs at least one step, not {self.steps}.")


@dataclass(frozen=True, eq=False)
class Converted:
    """A network and what its spikes mean.

    Attributes:
        network: canonical.
        input_scale: input activity at one spike a step.
        scales: activity z of every layer at one spike a step.
        signed: whether input has ON and OFF lines.
        conversion: how it was made.
    """

    network: Network
    input_scale: float
    scales: tuple[float, ...]
    signed: bool
    conversion: Conversion

    def spikes(
        self, x: Float64[np.ndarray, "sample *input"], steps: int
    ) -> Bool[np.ndarray, "time sample *input"]:
        """Input as spikes; activity beyond the input scale is clipped to it."""
        lines = lines_of(x, self.signed)
        return encode(
            np.clip(lines / self.input_scale, 0, 1),
            steps,
            self.conversion.code,
            self.conversion.seed,
        )


def convert(
    layers: Sequence[RateLayer],
    inputs: Float64[np.ndarray, "sample *input"],
    conversion: Conversion | None = None,
    *,
    dt: float = 1.0,
    name: str = "network",
    metadata: dict[str, Any] | None = None,
) -> Converted:
    """Convert layer by layer, bottom up.

    Args:
        layers: rate-trained.
        inputs: for calibration, in the shape of the first layer's input.
        conversion: how.
        dt, name, metadata: of the network.

    Raises ValueError for inputs that do not fit or are not finite, for layers that are silent on all of them,
    and for max-pooling unless `pool` is "sum".
    """
    how = conversion or Conversion()
    if not layers:
        raise ValueError("There are no layers to convert.")
    if inputs.shape[1:] != layers[0].synapse.input_shape or not np.isfinite(inputs).all():
        raise ValueError(
            f"Calibration inputs of shape {inputs.shape[1:]} must be finite and fit the first layer, which "
            f"takes {layers[0].synapse.input_shape}."
        )
    if how.pool != "sum" and any(layer.pool for layer in layers):
        raise ValueError(
            "Max-pooling has no counterpart in spikes; pool='sum' averages instead, at a loss that has to be "
            "measured."
        )
    signed = bool((inputs < 0).any())
    x = lines_of(inputs, signed)
    scale = _scale(x, 0, 100.0)
    spikes = encode(np.clip(x / scale, 0, 1), how.steps, how.code, how.seed)
    below, scales, chain = scale, [], list[Layer]()
    share = 1.0
    for index, layer in enumerate(layers):
        synapse = with_off_lines(layer.synapse) if signed and index == 0 else layer.synapse
        flat = flattening(_shape(layers, index), synapse)
        for flatten in flat:
            x = reshape(flatten, x)
        z, x = respond(RateLayer(synapse, layer.pool), x, average=True)
        top = _scale(z, index + 1, how.percentile) / how.peak
        scaled = _times(synapse, share * below / top, 1 / top)
        before: tuple[Reshaping, ...] = (*_pools(layers, index), *flat)
        for each in before:
            spikes = reshape(each, spikes)
        summed = drive(scaled, spikes.astype(np.float64))
        wanted = float(np.minimum(z / top, 1).sum()) * how.steps
        neurons = LIF(synapse.output_shape, how.beta)
        factor = _balanced(neurons, summed, wanted) if how.balance else 1.0
        chain += [*before, _times(scaled, factor, factor), neurons]
        spikes = fire(neurons, summed * factor)
        scales.append(top)
        below, share = top, 1 / SIDE**2 if layer.pool else 1.0
    network = Network(
        layers_input(layers[0].synapse, signed), tuple(chain), dt, name, metadata or {}
    )
    return Converted(network, scale, tuple(scales), signed, how)


def lines_of(x: np.ndarray, signed: bool) -> Float64[np.ndarray, "sample *line"]:
    """Input activity on ON and OFF lines (along the first axis of a sample), or as it is.

    Raises ValueError for negative activity without OFF lines.
    """
    x = np.asarray(x, np.float64)
    if signed:
        return np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], 1)
    if (x < 0).any():
        raise ValueError(
            "Input activity is negative, but the network was made for inputs that are not: make it with "
            "inputs of both signs."
        )
    return x


def layers_input(synapse: Synapse, signed: bool) -> tuple[int, ...]:
    """Shape of the input lines of a first layer."""
    first, *rest = synapse.input_shape
    return (first * (2 if signed else 1), *rest)


def _pools(layers: Sequence[RateLayer], index: int) -> tuple[SumPool, ...]:
    if index == 0 or not layers[index - 1].pool:
        return ()
    return (SumPool(SIDE, layers[index - 1].synapse.output_shape),)


def _shape(layers: Sequence[RateLayer], index: int) -> tuple[int, ...]:
    if index == 0:
        return layers[0].synapse.input_shape
    pools = _pools(layers, index)
    return (pools[0] if pools else layers[index - 1].synapse).output_shape


def _scale(z: np.ndarray, layer: int, percentile: float) -> float:
    active = z[z > 0]
    if not active.size:
        what = f"Layer {layer} is" if layer else "The calibration inputs are"
        raise ValueError(f"{what} silent on all calibration inputs: nothing can be calibrated.")
    return float(np.percentile(active, percentile))


def with_off_lines(synapse: Synapse) -> Synapse:
    """The same on input of both signs, which comes on ON lines and, behind them, OFF lines."""
    weight = np.concatenate([synapse.weight, -synapse.weight], 1)
    if isinstance(synapse, Dense):
        return Dense(weight, synapse.bias)
    shape = layers_input(synapse, signed=True)
    return Conv2d(weight, synapse.bias, synapse.stride, synapse.padding, shape)


def _times(synapse: Synapse, weights: float, bias: float) -> Synapse:
    if isinstance(synapse, Dense):
        return Dense(synapse.weight * weights, synapse.bias * bias)
    return Conv2d(
        synapse.weight * weights,
        synapse.bias * bias,
        synapse.stride,
        synapse.padding,
        synapse.input_shape,
    )


def _balanced(neurons: LIF, summed: np.ndarray, wanted: float, halvings: int = 12) -> float:
    """The factor between 1/4 and 4 with which `summed` makes `wanted` spikes, by bisection."""
    low, high = -2.0, 2.0
    for _ in range(halvings):
        middle = (low + high) / 2
        if fire(neurons, summed * 2**middle).sum() < wanted:
            low = middle
        else:
            high = middle
    return float(2 ** ((low + high) / 2))
