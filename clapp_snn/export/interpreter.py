"""The judge: runs a canonical network step by step in numpy.

Whatever other tools compute from our files is compared with what is computed here. Float64 is the reference;
float32 shows what tools that compute in single precision may do.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Integer

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense, Flatten, Reshaping, Synapse

Precision = Literal["float64", "float32"]
Spikes = Bool[np.ndarray, "time *shape"]
Input = Bool[np.ndarray, "time *shape"] | Integer[np.ndarray, "time *shape"]
Voltages = Float[np.ndarray, "time *shape"]

LARGEST_COPY = 2**24
"""Numbers in the largest copy of input that a convolution makes at a time."""


class Trace(NamedTuple):
    """What all layers did, bottom up.

    Attributes:
        spikes: of every layer of neurons.
        voltages: after integration and before reset, in units of the thresholds.
    """

    spikes: list[Spikes]
    voltages: list[Voltages]


def run(network: Network, spikes: Input, precision: Precision = "float64") -> list[Spikes]:
    """Spikes of every layer of neurons, bottom up.

    Args:
        network: what is run, from rest.
        spikes: time, then the network's input shape; between them there may be an axis of samples. Whole
            numbers count spikes of one step.
        precision: of all arithmetic.

    Raises ValueError for an input of another shape or type.
    """
    return _run(network, spikes, precision, keep_voltages=False).spikes


def run_on_current(
    network: Network, current: Float[np.ndarray, "sample *input"], steps: int
) -> list[Spikes]:
    """Spikes of every layer for a constant input of `current` "spikes" a step, which need not be whole."""
    held = np.broadcast_to(np.asarray(current, np.float64), (steps, *np.shape(current)))
    return _through(network, held, "float32").spikes


def trace(network: Network, spikes: Input, precision: Precision = "float64") -> Trace:
    """`run` with voltages."""
    return _run(network, spikes, precision, keep_voltages=True)


def drive(
    synapse: Synapse, spikes: Float[np.ndarray, "time *pre"]
) -> Float[np.ndarray, "time *post"]:
    """Summed input of one step, bias included, in the precision of `spikes`; any leading axes."""
    weight, bias = synapse.weight.astype(spikes.dtype), synapse.bias.astype(spikes.dtype)
    if isinstance(synapse, Dense):
        return spikes @ weight.T + bias
    lead, shape = spikes.shape[:-3], spikes.shape[-3:]
    convolve = _convolve_fast if spikes.dtype == np.float32 else correlate
    maps = convolve(spikes.reshape(-1, *shape), weight, synapse) + bias[:, None, None]
    return maps.reshape(*lead, *synapse.output_shape)


def correlate(
    maps: Float[np.ndarray, "map pre row col"], kernels: np.ndarray, layer: Conv2d
) -> Float[np.ndarray, "map post row col"]:
    """Convolve `maps` with `kernels` in the geometry of `layer`, in any numeric type."""
    rows, cols = layer.padding
    padded = np.pad(maps, ((0, 0), (0, 0), (rows, rows), (cols, cols)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernels.shape[2:], (2, 3))
    windows = windows[:, :, :: layer.stride[0], :: layer.stride[1]]
    found = np.empty((len(maps), len(kernels), *windows.shape[2:4]), np.result_type(maps, kernels))
    block = max(1, LARGEST_COPY // max(1, windows[:1].size))
    for first in range(0, len(maps), block):
        some = np.tensordot(windows[first : first + block], kernels, ((1, 4, 5), (1, 2, 3)))
        found[first : first + block] = np.moveaxis(some, -1, 1)
    return found


def _convolve_fast(
    maps: Float32[np.ndarray, "map pre row col"], kernels: np.ndarray, layer: Conv2d
) -> Float32[np.ndarray, "map post row col"]:
    """`correlate` in single precision, by the library that other tools call, too."""
    x, weight = (torch.from_numpy(np.ascontiguousarray(each)) for each in (maps, kernels))
    found = torch.nn.functional.conv2d(x, weight, None, layer.stride, layer.padding)
    return np.asarray(found.numpy())


def reshape(layer: Reshaping, x: np.ndarray) -> np.ndarray:
    """Pool or flatten the last axes of an array of any type; any leading axes."""
    lead = x.shape[: x.ndim - len(layer.input_shape)]
    if isinstance(layer, Flatten):
        return x.reshape(*lead, -1)
    channels, rows, cols = layer.output_shape
    return x.reshape(*lead, channels, rows, layer.size, cols, layer.size).sum((-3, -1))


def as_input(network: Network, spikes: Any) -> np.ndarray:
    """Spikes as an array of time, samples and input, whole numbers.

    Raises ValueError for another shape or type.
    """
    array = np.asarray(spikes)
    if array.dtype.kind not in "bui":
        raise ValueError(f"Spikes are whole numbers or booleans, not {array.dtype}.")
    axes = len(network.input_shape)
    if array.ndim not in (axes + 1, axes + 2) or array.shape[array.ndim - axes :] != (
        network.input_shape
    ):
        raise ValueError(
            f"The input must have time, perhaps samples, and {network.input_shape}; not shape {array.shape}."
        )
    return array if array.ndim == axes + 2 else array[:, None]


def fire(
    layer: LIF,
    drive: Float[np.ndarray, "time sample *shape"],
    voltages: Voltages | None = None,
) -> Spikes:
    """Spikes of a layer from rest, in the precision of `drive`; voltages go into `voltages`."""
    kind = drive.dtype.type
    beta, threshold = kind(layer.beta), kind(layer.threshold)
    v = np.zeros(drive.shape[1:], drive.dtype)
    z = np.zeros(drive.shape, bool)
    last = np.zeros(drive.shape[1:], bool)
    for step, now in enumerate(drive):
        if layer.recurrent is not None:
            now = now + _fed_back(layer.recurrent, last.astype(drive.dtype))
        v = beta * v + now
        if voltages is not None:
            voltages[step] = v
        last = v > threshold
        v[last] = 0
        z[step] = last
    return z


def _run(network: Network, spikes: Input, precision: Precision, keep_voltages: bool) -> Trace:
    if precision not in ("float64", "float32"):
        raise ValueError(f"The precision is float64 or float32, not {precision!r}.")
    found = _through(network, as_input(network, spikes), precision, keep_voltages)
    if np.ndim(spikes) == len(network.input_shape) + 1:
        return Trace(*([each[:, 0] for each in kind] for kind in found))
    return found


def _through(
    network: Network, x: np.ndarray, precision: Precision, keep_voltages: bool = False
) -> Trace:
    found = Trace([], [])
    for stage in network.stages:
        for layer in stage.before:
            x = reshape(layer, x)
        summed = drive(stage.synapse, x.astype(precision))
        voltages = np.empty_like(summed) if keep_voltages else None
        x = fire(stage.neurons, summed, voltages)
        found.spikes.append(x)
        if voltages is not None:
            found.voltages.append(voltages)
    return found


def _fed_back(
    recurrent: Dense, spikes: Float[np.ndarray, "sample *shape"]
) -> Float[np.ndarray, "sample *shape"]:
    return drive(recurrent, spikes.reshape(len(spikes), -1)).reshape(spikes.shape)
