"""L2 against Brian2: same traces, events and bursts for the same draws, same statistics otherwise."""

from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
import torch

from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.strict_burst import StrictBurst, StrictBurstParameters, burst_probability
from tests.oracle.conftest import Measured
from tests.oracle.in_brian import STRICT_BURST, run_brian
from tests.oracle.trials import (
    STANDARD_ERRORS,
    Array,
    apart,
    counts,
    currents,
    neighbours,
    ratio_apart,
    run_ours,
)

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
VARIABLES = ("v_s", "v_d", "w_s", "w_d", "i_s")


def second_spikes(
    events: npt.NDArray[np.bool_], v_d: Array, r: Array, params: StrictBurstParameters, dt: float
) -> npt.NDArray[np.int64]:
    """Steps of second spikes, from Brian2's events and dendrite: r < p is a burst, r / p its delay."""
    at = np.flatnonzero(events)
    p = 1 / (1 + np.exp(-(v_d[at] - params.e_burst) / params.d_burst))
    delays = np.rint((params.delay_min + params.delay_range * r[at] / p) / dt).astype(int)
    return (at + delays)[r[at] < p]


@pytest.mark.parametrize(("dt", "seed"), [(0.1, 31), (0.5, 32), (1.0, 33), (1.0, 34)])
def test_random_neurons_under_random_currents_and_the_same_draws(
    brian: ModuleType, measured: Measured, dt: float, seed: int
) -> None:
    """Tolerance of the traces: rounding, as for L1. The number of bursts is that of the same lotteries."""
    rng = np.random.default_rng(seed)
    steps, neurons = round(300 / dt), 4
    sets = [
        neighbours(
            StrictBurstParameters(),
            rng,
            t_ref=dt * rng.integers(round(15 / dt), round(40 / dt)),
            delay_min=5.0,
            delay_range=10.0,
        )
        for _ in range(neurons)
    ]
    soma = currents(rng, steps, neurons, dt, -300, 2500)
    apical = currents(rng, steps, neurons, dt, -200, 800)
    # No lottery in the last 20 ms: the second spike of each burst then falls into the run.
    draws = (rng.standard_normal((steps, neurons)), rng.random((steps, neurons)))
    draws[1][-round(20 / dt) :] = 1.0
    theirs = run_brian(
        brian, STRICT_BURST, sets, dt, steps, (soma, apical), noise=draws, record=VARIABLES
    )
    events = 0
    off = dict.fromkeys(VARIABLES, 0.0)
    for k, params in enumerate(sets):
        mine = (draws[0][:, k], draws[1][:, k])
        ours = run_ours(StrictBurst(params, dt), steps, soma[:, k], apical[:, k], mine, VARIABLES)
        np.testing.assert_array_equal(ours["event"] > 0, theirs.spikes[:, k])
        assert ours["burst"].sum() == theirs.bursts[k]
        seconds = second_spikes(
            theirs.spikes[:, k], theirs.values["v_d"][:, k], mine[1], params, dt
        )
        np.testing.assert_array_equal(np.flatnonzero(ours["burst"]), seconds)
        np.testing.assert_array_equal(ours["spike"], ours["event"] + ours["burst"])
        events += ours["event"].sum()
        for name in VARIABLES:
            here = np.abs(ours[name] - theirs.values[name][:, k]).max()
            off[name] = max(off[name], here)
    measured("potentials (mV)", max(off["v_s"], off["v_d"]), 1e-8)
    measured("currents (pA)", max(off["w_s"], off["w_d"], off["i_s"]), 1e-8)
    assert events >= 20
    assert theirs.bursts.sum() >= 5


@pytest.mark.parametrize(("dt", "seed"), [(1.0, 41), (0.5, 42)])
def test_rates_under_independent_noise(
    brian: ModuleType, measured: Measured, dt: float, seed: int
) -> None:
    """Event rate and burst probability, both against Brian2, the latter also against its closed form."""
    points = [(100.0, 0.0), (300.0, -200.0), (300.0, 200.0), (500.0, 400.0)]
    each, seconds = 400, 2
    steps = round(seconds * 1000 / dt)
    params = StrictBurstParameters()
    soma, apical = (np.repeat([point[side] for point in points], each)[None] for side in (0, 1))
    sets = [params] * soma.size
    theirs = run_brian(brian, STRICT_BURST, sets, dt, steps, (soma, apical), seed=seed)
    ours = counts(StrictBurst(params, dt), steps, soma[0], apical[0], Streams.from_seed(seed))
    for k, point in enumerate(points):
        part = slice(k * each, (k + 1) * each)
        event, burst = (count[part] for count in ours[1:])
        events, bursts = (
            count[part].astype(float) for count in (theirs.spikes.sum(0), theirs.bursts)
        )
        measured(f"events at {point}, standard errors", apart(event, events), STANDARD_ERRORS)
        off = ratio_apart((burst, event), (bursts, events))
        measured(f"burst probability at {point}, standard errors", off, STANDARD_ERRORS)
        p = float(burst_probability(torch.tensor(point[1], dtype=torch.float64), params))
        error = (bursts.sum() - p * events.sum()) / np.sqrt(p * (1 - p) * events.sum())
        measured(f"Brian2's bursts at {point} from p, standard errors", abs(error), STANDARD_ERRORS)
