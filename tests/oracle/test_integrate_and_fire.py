"""The leaky integrate-and-fire limit of L1, and L0, against NEST's iaf_psc_delta (exact propagators).

A current that NEST's generator switches at t reaches V_m in the step that begins at t + delay, a delta pulse
sent at t in the step that begins at t. Our first step is therefore NEST's third.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from clapp_snn.neurons.naud_sprekeler import NaudSprekeler, NaudSprekelerParameters
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF, TwoCompartmentLIFParameters
from tests.oracle.conftest import Measured
from tests.oracle.trials import Array, currents, neighbours, run_ours

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
EARLIER = 2
"""Steps that NEST is ahead of ours."""


class Run(NamedTuple):
    """V_m at the end of every step and where spikes fell, both (steps, neurons)."""

    potentials: Array
    spikes: npt.NDArray[np.bool_]


def in_nest(
    nest: ModuleType,
    sets: Sequence[dict[str, float]],
    dt: float,
    currents: Array | None = None,
    pulses: Array | None = None,
) -> Run:
    """One iaf_psc_delta per parameter set, driven step by step by currents (pA) or pulses (mV)."""
    drive = currents if currents is not None else pulses
    assert drive is not None
    steps = len(drive)
    nest.resolution = dt
    neurons = nest.Create("iaf_psc_delta", len(sets))
    for neuron, values in zip(neurons, sets, strict=True):
        neuron.set(values)
    kind = "step_current_generator" if currents is not None else "spike_generator"
    ahead = 1 if currents is not None else EARLIER
    when = np.round((np.arange(steps) + ahead) * dt, 6)
    for k, neuron in enumerate(neurons):
        params = (
            {"amplitude_times": when, "amplitude_values": drive[:, k]}
            if currents is not None
            else {"spike_times": when, "spike_weights": drive[:, k]}
        )
        source = nest.Create(kind, params=params)
        nest.Connect(source, neuron, syn_spec={"delay": dt})
    meter = nest.Create("multimeter", params={"record_from": ["V_m"], "interval": dt})
    recorder = nest.Create("spike_recorder")
    nest.Connect(meter, neurons, syn_spec={"delay": dt})
    nest.Connect(neurons, recorder, syn_spec={"delay": dt})
    # One step more: a meter passes on what it read in the step before.
    nest.Simulate((steps + EARLIER + 1) * dt)
    first = min(neurons.tolist())
    found = meter.get("events")
    potentials = np.zeros((steps + EARLIER, len(sets)))
    potentials[np.rint(found["times"] / dt).astype(int) - 1, found["senders"] - first] = found[
        "V_m"
    ]
    found = recorder.get("events")
    spikes = np.zeros((steps + EARLIER + 1, len(sets)), dtype=bool)
    spikes[np.rint(found["times"] / dt).astype(int) - 1, found["senders"] - first] = True
    return Run(potentials[EARLIER:], spikes[EARLIER:-1])


@pytest.mark.parametrize(("dt", "seed"), [(0.1, 61), (0.5, 62), (1.0, 63), (1.0, 64)])
def test_l1_without_dendrite_and_adaptation(
    nest: ModuleType, measured: Measured, dt: float, seed: int
) -> None:
    """Tolerance: rounding. The dendrite is driven, too, and must not be felt."""
    rng = np.random.default_rng(seed)
    steps, neurons = round(300 / dt), 4
    sets: list[Any] = [
        neighbours(
            NaudSprekelerParameters(),
            rng,
            g_soma=0.0,
            b_w_soma=0.0,
            t_ref=dt * rng.integers(1, round(6 / dt)),
        ).quiet()
        for _ in range(neurons)
    ]
    soma = currents(rng, steps, neurons, dt, -300, 2500)
    apical = currents(rng, steps, neurons, dt, -300, 1500)
    theirs = in_nest(
        nest,
        [
            {
                "E_L": params.e_leak,
                "V_m": params.e_leak,
                "V_th": params.v_threshold,
                "V_reset": params.v_reset,
                "t_ref": params.t_ref,
                "tau_m": params.tau_soma,
                "C_m": params.c_soma,
            }
            for params in sets
        ],
        dt,
        currents=soma,
    )
    off = 0.0
    for k, params in enumerate(sets):
        neuron = NaudSprekeler(params, dt)
        ours = run_ours(neuron, steps, soma[:, k], apical[:, k], None, ("v_s",))
        np.testing.assert_array_equal(ours["spike"] > 0, theirs.spikes[:, k])
        off = max(off, np.abs(ours["v_s"] - theirs.potentials[:, k]).max())
    assert theirs.spikes.sum() >= 20
    measured("V_s (mV)", off, 1e-9)


@pytest.mark.parametrize(("dt", "seed"), [(0.1, 71), (1.0, 72), (1.0, 73)])
def test_l0(nest: ModuleType, measured: Measured, dt: float, seed: int) -> None:
    """Both compartments: the apical one is an iaf_psc_delta that never fires. Tolerance: rounding."""
    rng = np.random.default_rng(seed)
    steps, neurons = 1000, 4
    sets: list[Any] = [neighbours(TwoCompartmentLIFParameters(), rng) for _ in range(neurons)]
    drives = [rng.normal(0.05, 0.3, (steps, neurons)) for _ in range(2)]
    shared = {"E_L": 0.0, "V_m": 0.0, "V_reset": 0.0, "t_ref": 0.0}
    somata = [{**shared, "tau_m": p.tau_soma, "V_th": p.threshold} for p in sets]
    dendrites = [{**shared, "tau_m": p.tau_apical, "V_th": 1e9} for p in sets]
    theirs = in_nest(nest, somata + dendrites, dt, pulses=np.hstack(drives))
    off = 0.0
    bursts = 0.0
    for k, params in enumerate(sets):
        soma, apical = (drive[:, k] for drive in drives)
        neuron = TwoCompartmentLIF(params, dt)
        ours = run_ours(neuron, steps, soma, apical, None, ("v", "a"))
        spikes, v, a = (
            theirs.spikes[:, k],
            theirs.potentials[:, k],
            theirs.potentials[:, neurons + k],
        )
        np.testing.assert_array_equal(ours["spike"] > 0, spikes)
        np.testing.assert_array_equal(ours["burst"] > 0, spikes & (a > params.apical_threshold))
        off = max(off, np.abs(ours["v"] - v).max(), np.abs(ours["a"] - a).max())
        bursts += ours["burst"].sum()
    assert theirs.spikes.sum() >= 20
    assert 5 <= bursts < theirs.spikes.sum()
    measured("v and a", off, 1e-12)
