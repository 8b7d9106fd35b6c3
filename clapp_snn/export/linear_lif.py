"""An area of linear LIF neurons as a canonical layer: nothing is converted, it has been one all along.

A neuron of `LinearLIFPort` is charged by theta (rho dt a + 1 - beta) a step, a = W x + b, where events of the
area below are worth x = 1 / (rho dt). In events, that is

    W' = theta W,   b' = theta (rho dt b + 1 - beta),   threshold theta,

and theta rho dt W for the lowest area, whose input x is one spike a step at x = 1. ON and OFF neurons, and
copies, fire the same spikes, so one of each is exported. The input is the only difference: training drives
the lowest area with constant current. Where sample inputs exceed 1, one spike a step stands for the largest
of them; where some are negative, every input has an ON and an OFF line.
"""

from dataclasses import fields

import numpy as np
from jaxtyping import Float64

from clapp_snn.circuit.ports import LinearLIFPort
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense, Layer, Synapse
from clapp_snn.export.convert import Conversion, Converted, layers_input, with_off_lines
from clapp_snn.export.rate_layers import flattening, layers_of_stream
from clapp_snn.neurons.parameters import MS_PER_S


def is_linear(network: StreamHierarchy) -> bool:
    """Whether all areas have linear LIF neurons."""
    return all(
        isinstance(network.area(index).port, LinearLIFPort) for index in range(len(network.areas))
    )


def export_linear(
    network: StreamHierarchy,
    conversion: Conversion,
    inputs: Float64[np.ndarray, "sample *input"] | None = None,
    *,
    name: str,
    metadata: dict[str, object],
) -> Converted:
    """The canonical network of linear LIF areas.

    Args:
        network: trained.
        conversion: only the code of the input and its seed; nothing else is left to choose.
        inputs: samples, for the range of the input; None takes it to lie between 0 and 1.
        name, metadata: of the exported network.

    Raises ValueError for other neurons, for synapses with a filter, for pooling, which inhibits by drives of
    the past, and for settings of a conversion from rates.
    """
    if not is_linear(network):
        raise ValueError("Only areas of linear LIF neurons are canonical as they are.")
    _require_no_conversion(conversion)
    signed = inputs is not None and bool((inputs < 0).any())
    scale = 1.0 if inputs is None else max(1.0, float(np.abs(inputs).max(initial=0)))
    chain: list[Layer] = []
    scales: list[float] = []
    shape: tuple[int, ...] | None = None
    for index, layer in enumerate(layers_of_stream(network)):
        area = network.area(index)
        port = area.port
        assert isinstance(port, LinearLIFPort)
        if layer.pool:
            raise ValueError("Max-pooling has no counterpart in the canonical form.")
        if area.basal_decay > 0:
            raise ValueError("The canonical form has no synaptic filter; train with tau_basal = 0.")
        step = port.rho * port.dt / MS_PER_S
        beta, threshold = port.constants.beta, port.constants.threshold
        synapse = _scaled(
            with_off_lines(layer.synapse) if signed and index == 0 else layer.synapse,
            threshold * (step * scale if index == 0 else 1.0),
            threshold * (step * layer.synapse.bias + 1 - beta),
        )
        before = () if shape is None else flattening(shape, synapse)
        chain += [*before, synapse, LIF(synapse.output_shape, beta, threshold)]
        shape = synapse.output_shape
        scales.append(1 / step)
    dt = network.area(0).neuron.dt
    first = layers_input(layers_of_stream(network)[0].synapse, signed)
    exported = Network(first, tuple(chain), dt, name, dict(metadata))
    return Converted(exported, scale, tuple(scales), signed, conversion)


def _require_no_conversion(conversion: Conversion) -> None:
    usual = Conversion()
    asked = [
        f"{field.name} {getattr(conversion, field.name)}"
        for field in fields(Conversion)
        if field.name not in ("code", "seed", "steps")
        and getattr(conversion, field.name) != getattr(usual, field.name)
    ]
    if asked:
        raise ValueError(
            f"These neurons were trained as they are exported, leak and all; {', '.join(asked)} is for "
            "networks that learned in rates. Leave it out."
        )


def _scaled(synapse: Synapse, factor: float, bias: np.ndarray) -> Synapse:
    if isinstance(synapse, Dense):
        return Dense(synapse.weight * factor, bias)
    return Conv2d(
        synapse.weight * factor, bias, synapse.stride, synapse.padding, synapse.input_shape
    )
