"""L1 against Brian2: same traces and spikes for the same noise, same statistics for independent noise."""

from types import ModuleType

import numpy as np
import pytest

from clapp_snn.neurons.naud_sprekeler import NaudSprekeler, NaudSprekelerParameters
from clapp_snn.neurons.noise import Streams
from tests.oracle.conftest import Measured
from tests.oracle.in_brian import NAUD_SPREKELER, run_brian
from tests.oracle.trials import (
    STANDARD_ERRORS,
    apart,
    counts,
    currents,
    labels,
    neighbours,
    ratio_apart,
    run_ours,
)

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
VARIABLES = ("v_s", "v_d", "w_s", "w_d", "i_s", "i_d", "theta")


@pytest.mark.parametrize("refractory", ["absolute", "moving_threshold"])
@pytest.mark.parametrize(("dt", "seed"), [(0.1, 11), (0.5, 12), (1.0, 13), (1.0, 14)])
def test_random_neurons_under_random_currents_and_the_same_noise(
    brian: ModuleType, measured: Measured, dt: float, seed: int, refractory: str
) -> None:
    """Tolerance: rounding, that is some 1e-16 of currents of 1e3 pA, summed over thousands of steps."""
    rng = np.random.default_rng(seed)
    steps, neurons = round(200 / dt), 4
    sets = [
        neighbours(
            NaudSprekelerParameters(),
            rng,
            refractory=refractory,
            t_ref=dt * rng.integers(1, round(6 / dt)),
        )
        for _ in range(neurons)
    ]
    soma = currents(rng, steps, neurons, dt, -300, 2500)
    apical = currents(rng, steps, neurons, dt, -300, 1500)
    noise = (rng.standard_normal((steps, neurons)), rng.standard_normal((steps, neurons)))
    theirs = run_brian(
        brian, NAUD_SPREKELER, sets, dt, steps, (soma, apical), noise=noise, record=VARIABLES
    )
    events = bursts = 0
    off = dict.fromkeys(VARIABLES, 0.0)
    for k, params in enumerate(sets):
        mine = (noise[0][:, k], noise[1][:, k])
        ours = run_ours(NaudSprekeler(params, dt), steps, soma[:, k], apical[:, k], mine, VARIABLES)
        np.testing.assert_array_equal(ours["spike"] > 0, theirs.spikes[:, k])
        event, burst = labels(theirs.spikes[:, [k]], dt, params.burst_isi)
        np.testing.assert_array_equal(ours["event"], event[:, 0])
        np.testing.assert_array_equal(ours["burst"], burst[:, 0])
        events, bursts = events + event.sum(), bursts + burst.sum()
        for name in VARIABLES:
            here = np.abs(ours[name] - theirs.values[name][:, k]).max()
            off[name] = max(off[name], here)
    measured("potentials (mV)", max(off["v_s"], off["v_d"], off["theta"]), 1e-8)
    measured("currents (pA)", max(off["w_s"], off["w_d"], off["i_s"], off["i_d"]), 1e-8)
    assert events >= 10
    assert bursts >= 5


@pytest.mark.parametrize(("dt", "seed"), [(1.0, 21), (0.5, 22)])
def test_rates_under_independent_noise(
    brian: ModuleType, measured: Measured, dt: float, seed: int
) -> None:
    """Spikes, events and burst probability of the published neuron, background on, four operating points."""
    points = [(100.0, 0.0), (300.0, -200.0), (300.0, 200.0), (500.0, 400.0)]
    each, seconds = 400, 2
    steps = round(seconds * 1000 / dt)
    params = NaudSprekelerParameters()
    soma, apical = (np.repeat([point[side] for point in points], each)[None] for side in (0, 1))
    sets = [params] * soma.size
    theirs = run_brian(brian, NAUD_SPREKELER, sets, dt, steps, (soma, apical), seed=seed)
    ours = counts(NaudSprekeler(params, dt), steps, soma[0], apical[0], Streams.from_seed(seed))
    event, burst = labels(theirs.spikes, dt, params.burst_isi)
    brians = (theirs.spikes.sum(0), event.sum(0), burst.sum(0))
    for k, point in enumerate(points):
        part = slice(k * each, (k + 1) * each)
        (spike, event, burst), (spikes, events, bursts) = (
            [count[part].astype(float) for count in side] for side in (ours, brians)
        )
        measured(f"spikes at {point}, standard errors", apart(spike, spikes), STANDARD_ERRORS)
        measured(f"events at {point}, standard errors", apart(event, events), STANDARD_ERRORS)
        off = ratio_apart((burst, event), (bursts, events))
        measured(f"burst probability at {point}, standard errors", off, STANDARD_ERRORS)
