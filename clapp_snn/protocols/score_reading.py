"""Scores read from bursts: a detector on a population with known activity and known prediction."""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.coincidence import CoincidenceDetector, Readout
from clapp_snn.circuit.ports import Port, port_of
from clapp_snn.circuit.surprise import NucleusState, SurpriseNucleus
from clapp_snn.neurons.interface import Inputs, Neuron
from clapp_snn.neurons.noise import Streams
from clapp_snn.randomness import generator

KAPPA_SHARE = 0.98
"""Largest burst probability of the half-wave read-out: kappa |zhat| stays below 1."""


class Population(NamedTuple):
    """Units with known activity and prediction; each row is one target score.

    Attributes:
        z: activity, the same in every row.
        zhat: prediction; sum_i z_i zhat_i is the row's score.
        u: scores.
    """

    z: Float[Tensor, "target unit"]
    zhat: Float[Tensor, "target unit"]
    u: Float[Tensor, "target"]


def population(units: int, scores: tuple[float, ...], seed: int, spread: float = 0.1) -> Population:
    """Half-normal activity with mean square 1, and random predictions of standard deviation `spread`.

    Predictions are shifted along z so that the scores come out exactly.
    """
    stream = generator(seed, "score population")
    z = torch.randn(units, generator=stream).abs()
    noise = spread * torch.randn(units, generator=stream)
    u = torch.tensor(scores)
    zhat = noise + (u[:, None] - noise @ z) * z / (z @ z)
    return Population(z.expand_as(zhat), zhat, u)


class Reader(NamedTuple):
    """A neuron model with its port and the detector that reads it.

    Attributes:
        neuron, port, detector: as in an area.
        kappa: slope of burst probability on zhat, the same in every row.
        settle: uncounted steps before the window.
    """

    neuron: Neuron[Any]
    port: Port
    detector: CoincidenceDetector
    kappa: float
    settle: int


def reader(
    neuron: Neuron[Any],
    people: Population,
    window: float,
    settle: float = 0.0,
    single: bool = False,
) -> Reader:
    """Port, detector, and a dendritic gain that suits the predictions (half-wave: no saturation;
    opponent: s = 1 / rms; rate neuron: 1).

    Args:
        neuron: any model with a port.
        people: whose score is read.
        window, settle: ms.
        single: read one population minus its baseline.
    """
    port = port_of(neuron)
    readout: Readout = "single" if single else port.readout
    if readout == "half_wave":
        kappa = KAPPA_SHARE / float(people.zhat.abs().max())
    elif port.p0 == 0:
        kappa = 1.0
    else:
        kappa = port.p0 * (1 - port.p0) / float(people.zhat.square().mean().sqrt())
    detector = CoincidenceDetector(readout, port.rho, window, neuron.dt, 1, port.p0)
    return Reader(neuron, port, detector, kappa, round(settle / neuron.dt))


class Scores(NamedTuple):
    """What detector and nucleus hold at the end of independent windows.

    Attributes:
        u_hat: scores.
        nucleus: membranes of the margin neurons, before the read-out pulse; one row, target by target.
    """

    u_hat: Float[Tensor, "target repeat"]
    nucleus: NucleusState


def read_scores(people: Population, how: Reader, repeats: int, seed: int, *key: str) -> Scores:
    """Scores of independent windows, read by spikes in time steps.

    Args:
        people: activity and prediction.
        how: neuron and detector.
        repeats: windows for every target.
        seed, key: of the random numbers.
    """
    neuron, port, detector, slope, settle = how
    signs = torch.tensor(detector.signs, dtype=people.z.dtype)[:, None, None]
    z, zhat = (each.repeat_interleave(repeats, dim=0)[:, None, None] for each in people[:2])
    shape = torch.Size([len(z), len(signs), 1, z.shape[-1]])
    kappa = torch.full((len(z),), slope)
    drive = Inputs(
        port.soma(z).expand(shape),
        port.apical(signs * zhat, kappa[:, None, None, None]).expand(shape).contiguous(),
    )
    source = Streams.from_seed(seed, "read scores", *key)
    state = neuron.initial_state(shape, dtype=z.dtype)
    summed = detector.initial_state(z)
    nucleus = SurpriseNucleus(leak=detector.leak)
    margin = nucleus.initial_state(z)
    weight = detector.weight(kappa)
    for step in range(settle + detector.steps):
        draws = neuron.draw(source, shape, z.dtype, z.device)
        outputs, state = neuron.step(drive, state, draws)
        if step >= settle:
            currents, summed = detector.step(outputs, summed, weight)
            margin = nucleus.step(currents, margin)
    return Scores(summed.u.unflatten(0, (-1, repeats)), margin)


def expected(
    people: Population, how: Reader, fano: Float[Tensor, "target unit"] | float = 1.0
) -> tuple[Float[Tensor, "target"], Float[Tensor, "target"]]:
    """Closed-form mean and standard deviation of u_hat (`CoincidenceDetector.moments`)."""
    kappa = torch.full((len(people.z),), how.kappa, dtype=torch.float64)
    fano = fano.double() if isinstance(fano, Tensor) else fano
    mean, variance = how.detector.moments(people.z.double(), people.zhat.double(), kappa, fano)
    return mean, variance.sqrt()


def standard_errors(sample: Float[Tensor, "target repeat"], mean: Float[Tensor, "target"]) -> float:
    """Largest distance between a row's average and `mean`, in standard errors of that average."""
    error = sample.double().std(dim=1) / math.sqrt(sample.shape[1])
    return float(((sample.double().mean(dim=1) - mean) / error).abs().max())
