"""What all comparisons share: random parameters and currents, our side of a run, labels and statistics."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from clapp_snn.neurons.interface import Draws, Inputs, Neuron, Outputs, simulate
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.parameters import NeuronParameters

Array = npt.NDArray[np.float64]

STANDARD_ERRORS = 4.5
"""Tolerance of a statistical comparison: two correct simulators fail it once in 150 000 comparisons."""


def neighbours(default: NeuronParameters, rng: np.random.Generator, **fixed: float | str) -> Any:
    """A random parameter set inside the permitted ranges.

    Potentials move by up to 5 mV, all other numbers by up to a factor of 2 in either direction, unless given
    in `fixed`. L1, L2 and L3 need their refractory time there, as a whole number of steps.
    """
    values: dict[str, float | str] = {}
    for entry in default.quantities():
        if entry.options or isinstance(entry.value, str):
            continue
        if entry.unit == "mV" and abs(entry.value) > 10:
            drawn = entry.value + rng.uniform(-5, 5)
        else:
            drawn = entry.value * 2 ** rng.uniform(-1, 1)
        values[entry.name] = float(np.clip(drawn, entry.low, entry.high))
    return type(default)(**(values | fixed))


def currents(
    rng: np.random.Generator, steps: int, neurons: int, dt: float, low: float, high: float
) -> Array:
    """Square pulses of random height (pA, low to high) and length (2 to 40 ms): (steps, neurons)."""
    drive = np.empty((steps, neurons))
    for neuron in range(neurons):
        start = 0
        while start < steps:
            end = start + max(1, round(rng.uniform(2, 40) / dt))
            drive[start:end, neuron] = rng.uniform(low, high)
            start = end
    return drive


def run_ours(
    neuron: Neuron[Any],
    steps: int,
    soma: Array,
    apical: Array,
    noise: tuple[Array, Array] | None,
    record: tuple[str, ...] = (),
) -> dict[str, Array]:
    """Run one of our neurons in float64 from rest.

    Args:
        neuron: with any parameters.
        steps: how many.
        soma, apical: drives, (steps, *shape).
        noise: numbers for `Draws.event` and `Draws.burst` in the same layout; None where it needs none.
        record: names of state variables.

    Returns the outputs "spike", "event", "burst" and the recorded state at the end of every step, all
    (steps, *shape).
    """
    drives = torch.from_numpy(soma), torch.from_numpy(apical)
    numbers = None if noise is None else [torch.from_numpy(each) for each in noise]
    kept: dict[str, list[Array]] = {name: [] for name in ("spike", "event", "burst", *record)}
    state = neuron.initial_state(soma.shape[1:], dtype=torch.float64)
    for index in range(steps):
        draws = Draws() if numbers is None else Draws(numbers[0][index], numbers[1][index])
        outputs, state = neuron.step(Inputs(drives[0][index], drives[1][index]), state, draws)
        for name, values in kept.items():
            source = outputs if name in outputs._fields else state
            values.append(getattr(source, name).numpy())
    return {name: np.stack(values) for name, values in kept.items()}


def labels(spikes: npt.NDArray[np.bool_], dt: float, isi: float) -> tuple[Array, Array]:
    """Events and bursts of spike trains, (steps, neurons): a plain loop over the spikes of each neuron."""
    events, bursts = np.zeros(spikes.shape), np.zeros(spikes.shape)
    for neuron in range(spikes.shape[1]):
        last, so_far = -math.inf, 0
        for step in np.flatnonzero(spikes[:, neuron]):
            so_far = so_far + 1 if (step - last) * dt <= isi * (1 + 1e-9) else 1
            events[step, neuron] = so_far == 1
            bursts[step, neuron] = so_far == 2
            last = step
    return events, bursts


def apart(ours: Array, theirs: Array) -> float:
    """Difference of two means over independent neurons, in standard errors of the difference (Welch)."""
    error = math.sqrt(ours.var(ddof=1) / len(ours) + theirs.var(ddof=1) / len(theirs))
    return abs(ours.mean() - theirs.mean()) / error


def ratio_apart(ours: tuple[Array, Array], theirs: tuple[Array, Array]) -> float:
    """The same for a ratio of two summed counts; each standard error by linearisation over neurons."""
    ratios, variances = [], []
    for above, below in (ours, theirs):
        ratio = above.sum() / below.sum()
        residual = above - ratio * below
        ratios.append(ratio)
        variances.append(residual.var(ddof=1) / len(residual) / below.mean() ** 2)
    return abs(ratios[0] - ratios[1]) / math.sqrt(sum(variances))


def counts(
    neuron: Neuron[Any],
    steps: int,
    soma: Array,
    apical: Array,
    source: Streams,
    warm_up: int = 0,
) -> tuple[Array, Array, Array]:
    """Spikes, events and bursts of each of our neurons in float64, (neurons,), under constant drives.

    The count starts after `warm_up` further steps from rest.
    """
    total = [torch.zeros(soma.shape, dtype=torch.float64) for _ in range(3)]

    def add(_: int, __: Inputs, outputs: Outputs, ___: object) -> None:
        for count, output in zip(total, outputs, strict=True):
            count.add_(output)

    drives = Inputs(torch.from_numpy(soma), torch.from_numpy(apical))
    state = simulate(neuron, drives, warm_up, source=source) if warm_up else None
    simulate(neuron, drives, steps, state, source, add)
    spikes, events, bursts = (count.numpy() for count in total)
    return spikes, events, bursts
