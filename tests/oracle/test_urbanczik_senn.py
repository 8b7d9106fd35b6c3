"""The Urbanczik-Senn neuron against NEST's pp_cond_exp_mc_urbanczik, which solves it by Runge-Kutta.

NEST has no current into the dendrite except through its synapses, so both neurons receive spikes there. Ours
is given the mean of each decaying synaptic current and conductance over each step.
"""

import math
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from clapp_snn.neurons.interface import Draws, Inputs
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.urbanczik_senn import (
    Teaching,
    UrbanczikSenn,
    UrbanczikSennParameters,
    dendritic_prediction,
    urbanczik_senn_step,
)
from tests.oracle.conftest import Measured
from tests.oracle.trials import STANDARD_ERRORS, Array, apart, counts, neighbours

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
TAU_SYNAPSE = 3.0
RECORDED = ("V_m.s", "V_m.p", "I_ex.p", "I_in.p", "g_ex.s", "g_in.s")
Trains = dict[str, tuple[Array, Array]]


def words(params: Any, soma_current: float, phi_max: float) -> dict[str, Any]:
    """Our parameters in NEST's words; both compartments share capacitance, leak and rest."""
    shared = {
        "C_m": params.capacitance,
        "g_L": params.g_leak,
        "E_L": params.e_leak,
        "V_m": params.e_leak,
        "tau_syn_ex": TAU_SYNAPSE,
        "tau_syn_in": TAU_SYNAPSE,
    }
    soma = {"I_e": soma_current, "E_ex": params.e_exc, "E_in": params.e_inh}
    return {
        "g_sp": params.g_dendrite,
        "t_ref": params.t_ref,
        "phi_max": phi_max / 1000,
        "rate_slope": params.k,
        "beta": params.beta,
        "theta": params.theta,
        "soma": shared | soma,
        "dendritic": shared,
    }


def in_nest(
    nest: ModuleType, params: Any, dt: float, duration: float, current: float, trains: Trains
) -> dict[str, Array]:
    """Recorded variables at the end of every step of a silent neuron, spikes arriving at the given times."""
    nest.ResetKernel()
    nest.resolution = dt
    model = "pp_cond_exp_mc_urbanczik"
    receptors = nest.GetDefaults(model)["receptor_types"]
    neuron = nest.Create(model, params=words(params, current, 0.0))
    meter = nest.Create("multimeter", params={"record_from": list(RECORDED), "interval": dt})
    nest.Connect(meter, neuron, syn_spec={"delay": dt})
    for receptor, (times, weights) in trains.items():
        train = {"spike_times": times - dt, "spike_weights": weights}
        source = nest.Create("spike_generator", params=train)
        port = {"delay": dt, "receptor_type": receptors[receptor]}
        nest.Connect(source, neuron, syn_spec=port)
    nest.Simulate(duration)
    found = meter.get("events")
    return {name: np.asarray(found[name]) for name in RECORDED}


def differences(
    nest: ModuleType, params: Any, dt: float, duration: float, current: float, trains: Trains
) -> tuple[float, float, float]:
    """Largest differences of U and V_w in mV, and the steepest slope of V_w in mV/ms."""
    theirs = in_nest(nest, params, dt, duration, current, trains)
    share = TAU_SYNAPSE / dt * -math.expm1(-dt / TAU_SYNAPSE)

    def over_step(values: Array) -> torch.Tensor:
        return torch.from_numpy(np.concatenate([[0.0], values[:-1]]) * share)

    apical = over_step(theirs["I_ex.p"] + theirs["I_in.p"])
    teaching = over_step(theirs["g_ex.s"]), over_step(theirs["g_in.s"])
    state = UrbanczikSenn(params, dt).initial_state((), dtype=torch.float64)
    never = Draws(torch.tensor(1.0, dtype=torch.float64))
    soma = torch.tensor(current, dtype=torch.float64)
    constants = params.at(dt)
    off_u = off_w = 0.0
    for k in range(len(apical)):
        now = Teaching(teaching[0][k], teaching[1][k])
        _, state = urbanczik_senn_step(Inputs(soma, apical[k]), state, constants, never, now)
        off_u = max(off_u, abs(state.u.item() - theirs["V_m.s"][k]))
        off_w = max(off_w, abs(state.v_w.item() - theirs["V_m.p"][k]))
    return off_u, off_w, np.abs(np.diff(theirs["V_m.p"])).max() / dt


@pytest.mark.parametrize("seed", [81, 82, 83])
def test_potentials_converge_to_those_of_nest(
    nest: ModuleType, measured: Measured, seed: int
) -> None:
    """Ours is a step scheme of first order in U and of second order in V_w; both tolerances are bounds.

    The soma sees the dendrite of the step's beginning, so U is late by at most dt / 2 times the slope of V_w.
    V_w sees the mean of a current that decays by dt / tau_synapse: dt^2 / (8 tau_synapse) times the slope.
    """
    rng = np.random.default_rng(seed)
    params = neighbours(
        UrbanczikSennParameters(), rng, t_ref=3.0, e_exc=rng.uniform(-5, 5), beta=1 / 3
    )
    spikes, duration = 25, 100.0
    trains = {
        receptor: (
            np.sort(rng.choice(np.arange(2.0, 95.0), spikes, replace=False)),
            rng.uniform(0, high, spikes),
        )
        for receptor, high in (
            ("dendritic_exc", 800),
            ("dendritic_inh", 400),
            ("soma_exc", 60),
            ("soma_inh", 60),
        )
    }
    current = rng.uniform(-500, 1500)
    errors = []
    for dt in (0.1, 0.05, 0.025):
        off_u, off_w, slope = differences(nest, params, dt, duration, current, trains)
        measured(f"U (mV) at dt {dt}", off_u, 0.5 * dt * slope)
        measured(f"V_w (mV) at dt {dt}", off_w, dt**2 / (8 * TAU_SYNAPSE) * slope)
        errors.append((off_u, off_w))
    for (coarse_u, coarse_w), (fine_u, fine_w) in pairwise(errors):
        assert 1.8 < coarse_u / fine_u < 2.2
        assert 3.6 < coarse_w / fine_w < 4.4


@pytest.mark.parametrize(("dt", "current", "seed"), [(0.1, 6000.0, 91), (0.2, 9000.0, 92)])
def test_rates(nest: ModuleType, measured: Measured, dt: float, current: float, seed: int) -> None:
    """Spike counts of many neurons under a constant somatic current, and the shortest interval."""
    units, duration = 400, 1000.0
    params = UrbanczikSennParameters()
    nest.rng_seed = seed
    nest.resolution = dt
    model = "pp_cond_exp_mc_urbanczik"
    neurons = nest.Create(model, units, params=words(params, current, params.phi_max))
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder, syn_spec={"delay": dt})
    nest.Simulate(duration)
    found = recorder.get("events")
    first = min(neurons.tolist())
    theirs = np.bincount(found["senders"] - first, minlength=units).astype(float)
    intervals = [np.diff(found["times"][found["senders"] == sender]) for sender in neurons.tolist()]
    assert (
        round(min(each.min() for each in intervals if each.size) / dt) == params.refractory(dt) + 1
    )
    drives = np.full(units, current), np.zeros(units)
    spikes, _, _ = counts(
        UrbanczikSenn(params, dt), round(duration / dt), *drives, Streams.from_seed(seed)
    )
    assert theirs.mean() > 2
    measured("spikes, standard errors", apart(spikes, theirs), STANDARD_ERRORS)


def test_nest_settles_at_the_dendritic_prediction(nest: ModuleType, measured: Measured) -> None:
    """A train of one spike a step holds the dendrite; the soma then settles at V_w*."""
    params = UrbanczikSennParameters()
    dt, duration = 0.1, 200.0
    times = np.round(np.arange(2, round(duration / dt) - 1) * dt, 6)
    trains = {"dendritic_exc": (times, np.full(times.shape, 10.0))}
    theirs = in_nest(nest, params, dt, duration, 0.0, trains)
    v_w = torch.tensor(theirs["V_m.p"][-1], dtype=torch.float64)
    assert v_w > params.e_leak + 5
    off = abs(float(dendritic_prediction(v_w, params)) - theirs["V_m.s"][-1])
    measured("V_w* (mV)", off, 1e-3)
