"""AdEx interneurons and Tsodyks-Markram synapses against Brian2: same currents, same spikes."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from clapp_snn.neurons.adex import AdEx, AdExParameters
from clapp_snn.neurons.tsodyks_markram import (
    TsodyksMarkramParameters,
    at_rest,
    tsodyks_markram_step,
)
from tests.oracle.conftest import Measured
from tests.oracle.trials import currents, neighbours, run_ours

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ADEX = """
dv/dt = (g_leak * (e_leak - v) + onset + soma(t, i) - w) / capacitance : volt (unless refractory)
dw/dt = (a * (v - e_leak) - w) / tau_w : amp
onset = g_leak * slope * exp((clip(v, -1 * volt, v_peak) - v_threshold) / slope) : amp (constant over dt)
v_threshold = e_leak + rheobase / (g_leak + a) + slope * (1 - log(1 + a / g_leak)) : volt
"""
SYNAPSES = """
dx/dt = (1 - x) / tau_d : 1 (event-driven)
du/dt = (U - u) / tau_f : 1 (event-driven)
"""


@pytest.mark.parametrize(("dt", "seed"), [(0.1, 101), (0.5, 102)])
def test_adex(brian: ModuleType, measured: Measured, dt: float, seed: int) -> None:
    """Random neurons with adaptation; tolerance: rounding, which the upstroke multiplies."""
    rng = np.random.default_rng(seed)
    steps = round(300 / dt)
    sets: list[Any] = [
        neighbours(
            AdExParameters(),
            rng,
            rheobase=rng.uniform(25, 200),
            a=rng.uniform(0, 1),
            b=rng.uniform(0, 20),
            t_ref=dt * rng.integers(1, round(4 / dt)),
        )
        for _ in range(4)
    ]
    soma = currents(rng, steps, len(sets), dt, -100, 600)
    brian.start_scope()
    brian.prefs.codegen.target = "numpy"
    step = dt * brian.ms
    brian.defaultclock.dt = step
    theirs = []
    for k, params in enumerate(sets):
        names = {
            entry.name: entry.value * getattr(brian, entry.unit) for entry in params.quantities()
        }
        given = brian.TimedArray(soma[:, [k]] * brian.pA, dt=step)
        group = brian.NeuronGroup(
            1,
            ADEX,
            threshold="v > v_peak",
            reset="v = v_reset; w += b",
            refractory=names["t_ref"] + step,
            method="exponential_euler",
            namespace=names | {"soma": given},
        )
        group.v = params.e_leak * brian.mV
        states = brian.StateMonitor(group, ["v", "w"], record=True, when="end")
        spikes = brian.SpikeMonitor(group)
        brian.Network(group, states, spikes).run(steps * step, namespace={})
        fired = np.rint(spikes.t / step).astype(int)
        theirs.append((states.v[0] / brian.mV, states.w[0] / brian.pA, fired))
    off_v = off_w = 0.0
    for k, params in enumerate(sets):
        v, w, fired = theirs[k]
        ours = run_ours(AdEx(params, dt), steps, soma[:, k], np.zeros(steps), None, ("v", "w"))
        np.testing.assert_array_equal(np.flatnonzero(ours["spike"]), fired)
        off_v = max(off_v, np.abs(ours["v"] - v).max())
        off_w = max(off_w, np.abs(ours["w"] - w).max())
    assert sum(len(fired) for _, _, fired in theirs) >= 10
    measured("v (mV)", off_v, 1e-8)
    measured("w (pA)", off_w, 1e-8)


@pytest.mark.parametrize(("dt", "seed"), [(0.1, 111), (1.0, 112)])
def test_tsodyks_markram(brian: ModuleType, measured: Measured, dt: float, seed: int) -> None:
    """What random synapses transmit of random spike trains; tolerance: rounding."""
    rng = np.random.default_rng(seed)
    steps = 1000
    sets: list[Any] = [
        neighbours(TsodyksMarkramParameters(), rng, U=rng.uniform(0.01, 0.95)) for _ in range(5)
    ]
    trains = rng.random((steps, len(sets))) < 0.03
    brian.start_scope()
    brian.prefs.codegen.target = "numpy"
    step = dt * brian.ms
    brian.defaultclock.dt = step
    off = 0.0
    for params, train in zip(sets, trains.T, strict=True):
        when = np.flatnonzero(train)
        source = brian.SpikeGeneratorGroup(1, np.zeros_like(when), when * step)
        target = brian.NeuronGroup(1, "total : 1")
        synapse = brian.Synapses(
            source,
            target,
            SYNAPSES,
            on_pre="total_post += x * u; x -= x * u; u += f * (1 - u)",
            namespace={
                "U": params.U,
                "f": params.f,
                "tau_d": params.tau_d * brian.ms,
                "tau_f": params.tau_f * brian.ms,
            },
        )
        synapse.connect()
        synapse.x = 1
        synapse.u = params.U
        states = brian.StateMonitor(target, "total", record=True, when="end")
        brian.Network(source, target, synapse, states).run(steps * step, namespace={})
        constants, spikes = params.at(dt), torch.from_numpy(train.astype(float))
        state, total, sums = at_rest(spikes[0], params), 0.0, []
        for spike in spikes:
            transmitted, state = tsodyks_markram_step(spike, state, constants)
            total += transmitted.item()
            sums.append(total)
        assert len(when) >= 10
        off = max(off, np.abs(np.array(sums) - states.total[0]).max())
    measured("summed transmission", off, 1e-9)
