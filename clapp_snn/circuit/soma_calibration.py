"""Which somatic current makes a biophysical neuron fire events at a wanted rate."""

from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from clapp_snn.neurons.interface import Inputs, Neuron
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.parameters import MS_PER_S


class SomaCalibration(NamedTuple):
    """A measured f-I curve, both columns rising.

    Attributes:
        current: pA.
        rate: events, Hz.
        dt: time step of the measurement, ms; the rates of a model depend on it.
    """

    current: tuple[float, ...]
    rate: tuple[float, ...]
    dt: float


# fmt: off
STRICT_BURST = SomaCalibration(
    (
        -300, -250, -200, -150, -100, -50, 0, 25, 50, 75, 100, 125, 150, 175, 200, 225, 250, 275,
        300, 325, 350, 375, 400, 500, 600, 700, 800, 900, 1000,
    ),
    (
        0, 0.003, 0.011, 0.04, 0.118, 0.313, 0.691, 0.97, 1.313, 1.716, 2.183, 2.675, 3.228, 3.799,
        4.424, 5.067, 5.733, 6.384, 7.092, 7.804, 8.529, 9.276, 10.014, 13.088, 16.254, 19.48,
        22.741, 25.989, 29.204,
    ),
    1.0,
)
"""Of `StrictBurstParameters()` at dt 1 ms; `measure_event_rates` with 2000 neurons, 8 s, seed 1."""

NAUD_SPREKELER = SomaCalibration(
    (
        -400, -350, -300, -250, -200, -150, -100, -50, 0, 25, 50, 75, 100, 125, 150, 175, 200, 225,
        250, 275, 300, 325, 350, 375, 400, 500, 600, 700, 800, 900, 1000,
    ),
    (
        0.055, 0.071, 0.085, 0.112, 0.141, 0.213, 0.346, 0.622, 1.081, 1.389, 1.763, 2.167, 2.633,
        3.097, 3.597, 4.112, 4.648, 5.193, 5.755, 6.294, 6.853, 7.404, 7.951, 8.494, 9.037, 11.167,
        13.199, 15.179, 16.978, 18.61, 19.989,
    ),
    1.0,
)
"""Of `NaudSprekelerParameters()` with 224 pA into the dendrite, measured in the same way."""
# fmt: on


def measure_event_rates(
    neuron: Neuron,
    currents: tuple[float, ...],
    apical: float = 0.0,
    neurons: int = 1000,
    seconds: float = 2.0,
    settle: float = 0.5,
    seed: int = 0,
    progress: bool = False,
) -> SomaCalibration:
    """Event rate of a neuron at constant somatic currents.

    Args:
        neuron: any model whose ports take currents.
        currents: pA, rising.
        apical: constant apical current, pA.
        neurons: simulated at each current.
        seconds: counted.
        settle: simulated before, s, for adaptation.
        seed: of the noise.
        progress: shown on a terminal.

    Rates that fall with current (by chance, where they are near zero) are lifted to their predecessor.
    """
    soma = torch.tensor(currents, dtype=torch.get_default_dtype())[:, None].expand(-1, neurons)
    inputs = Inputs(soma, torch.full_like(soma, apical))
    state = neuron.initial_state(soma.shape)
    source = Streams.from_seed(seed, "soma calibration")
    before = round(settle * MS_PER_S / neuron.dt)
    steps = round(seconds * MS_PER_S / neuron.dt)
    count = torch.zeros_like(soma)
    bar = tqdm(
        range(before + steps), desc=f"f-I curve of {type(neuron).__name__} at {neuron.dt:g} ms",
        unit="step", leave=False, disable=None if progress else True,
    )  # fmt: skip
    for index in bar:
        draws = neuron.draw(source, soma.shape, soma.dtype, soma.device)
        outputs, state = neuron.step(inputs, state, draws)
        if index >= before:
            count += outputs.event
    rates = (count.mean(1, dtype=torch.float64) / seconds).cummax(0).values
    return SomaCalibration(currents, tuple(rates.tolist()), neuron.dt)


_MEASURED: dict[tuple[str, float], SomaCalibration] = {}


def at_time_step(known: SomaCalibration, neuron: Neuron, apical: float = 0.0) -> SomaCalibration:
    """A known f-I curve, or its currents measured again where the neuron has another time step.

    Args:
        known: curve of the neuron's parameters at some time step.
        neuron: to be driven.
        apical: constant apical current, pA, as in the known curve.
    """
    if known.dt == neuron.dt:
        return known
    key = type(neuron).__name__, neuron.dt
    if key not in _MEASURED:
        _MEASURED[key] = measure_event_rates(neuron, known.current, apical, seed=1, progress=True)
    return _MEASURED[key]


def interpolate(x: Tensor, xs: Tensor, ys: Tensor) -> Tensor:
    """Piecewise linear function through the points (xs, ys), xs rising, constant beyond its ends."""
    right = torch.bucketize(x, xs).clamp(1, len(xs) - 1)
    x0, x1, y0, y1 = xs[right - 1], xs[right], ys[right - 1], ys[right]
    share = ((x - x0) / (x1 - x0).clamp(min=torch.finfo(xs.dtype).tiny)).clamp(0, 1)
    return torch.lerp(y0, y1, share)
