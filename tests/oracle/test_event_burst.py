"""L3 against Brian2 and both against the closed forms: rate, Fano factor, silence, burst probability."""

import math
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
import torch

from clapp_snn.neurons.event_burst import (
    EventBurst,
    EventBurstParameters,
    burst_probability,
    event_rate,
    fano_factor,
)
from clapp_snn.neurons.noise import Streams
from tests.oracle.conftest import Measured
from tests.oracle.trials import STANDARD_ERRORS, Array, apart, counts, neighbours, ratio_apart

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
WARM_UP, WINDOW = 500, 4000
"""Steps before and during the count."""


class Units(NamedTuple):
    """Counts of events and bursts, (units,), and the shortest interval between events, in steps."""

    events: Array
    bursts: Array
    shortest: int


def in_brian(
    brian: ModuleType, q: float, p: float, n_ref: int, units: int, dt: float, seed: int
) -> Units:
    """Units that fire with probability q a step unless refractory, and burst with probability p."""
    brian.start_scope()
    brian.prefs.codegen.target = "numpy"
    brian.seed(seed)
    step = dt * brian.ms
    brian.defaultclock.dt = step
    group = brian.NeuronGroup(
        units,
        "n_events : integer\nn_bursts : integer",
        threshold="rand() < q",
        reset="n_events += 1; n_bursts += int(rand() < p)",
        refractory=(n_ref + 1) * step,
        namespace={"q": q, "p": p},
    )
    spikes = brian.SpikeMonitor(group)
    network = brian.Network(group, spikes)
    network.run(WARM_UP * step, namespace={})
    group.n_events = 0
    group.n_bursts = 0
    network.run(WINDOW * step, namespace={})
    intervals = [
        np.diff(times / step).min() for times in spikes.spike_trains().values() if len(times) > 1
    ]
    return Units(
        np.asarray(group.n_events[:], dtype=float),
        np.asarray(group.n_bursts[:], dtype=float),
        round(min(intervals)),
    )


def fano_error(fano: float, mean: float, units: int) -> float:
    """Standard error of variance over mean of counts, from their fourth moment (excess about 1 / mean)."""
    return fano * math.sqrt(2 / (units - 1) + 1 / (mean * units))


@pytest.mark.parametrize(
    ("readout", "dt", "t_ref", "seed"),
    [
        ("half_wave", 1.0, 0.0, 51),
        ("opponent", 1.0, 0.0, 52),
        ("half_wave", 1.0, 20.0, 53),
        ("opponent", 1.0, 1.0, 54),
        ("half_wave", 0.5, 3.0, 55),
        ("opponent", 0.2, 8.0, 56),
    ],
)
def test_random_units(
    brian: ModuleType, measured: Measured, readout: str, dt: float, t_ref: float, seed: int
) -> None:
    """Counts are close to normal; the Fano factor of 4000 steps lies within 2 % of its long-window limit."""
    rng = np.random.default_rng(seed)
    units = 1500
    params = neighbours(
        EventBurstParameters(),
        rng,
        rho=rng.uniform(20, 40),
        background=rng.uniform(0, 5),
        t_ref=t_ref,
        readout=readout,
    )
    soma, apical = rng.uniform(0.5, 1.0), rng.uniform(0.1, 0.6)
    drives = np.full(units, soma), np.full(units, apical)
    _, event, burst = counts(
        EventBurst(params, dt), WINDOW, *drives, Streams.from_seed(seed), warm_up=WARM_UP
    )
    rate = params.background + params.rho * soma
    n_ref = round(t_ref / dt)
    q = 1 / (1000 / (rate * dt) - n_ref)
    logit = math.log(params.p0 / (1 - params.p0)) + apical
    p = apical if readout == "half_wave" else 1 / (1 + math.exp(-logit))
    theirs = in_brian(brian, q, p, n_ref, units, dt, seed)
    assert theirs.shortest == n_ref + 1

    asked = event_rate(torch.tensor(soma, dtype=torch.float64), params, dt)
    fano = float(fano_factor(asked, dt, t_ref))
    mean = float(asked) * WINDOW * dt / 1000
    chance = float(burst_probability(torch.tensor(apical, dtype=torch.float64), params))
    measured("events, standard errors", apart(event, theirs.events), STANDARD_ERRORS)
    off = ratio_apart((burst, event), (theirs.bursts, theirs.events))
    measured("burst probability, standard errors", off, STANDARD_ERRORS)
    for who, events, bursts in (("ours", event, burst), ("Brian2", theirs.events, theirs.bursts)):
        z = abs(events.mean() - mean) / math.sqrt(fano * mean / units)
        measured(f"event rate of {who} from closed form, standard errors", z, STANDARD_ERRORS)
        z = abs(bursts.sum() - chance * events.sum())
        z /= math.sqrt(chance * (1 - chance) * events.sum())
        measured(f"bursts of {who} from closed form, standard errors", z, STANDARD_ERRORS)
        found = events.var(ddof=1) / events.mean()
        tolerance = STANDARD_ERRORS * fano_error(fano, mean, units) + 0.02 * fano
        measured(f"Fano factor of {who} from closed form", abs(found - fano), tolerance)
