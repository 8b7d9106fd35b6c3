"""Our neurons once more, as Brian2 equations in the form of their papers.

Brian2 takes every parameter in its physical unit and derives its integration scheme (exponential Euler)
itself, so that a wrong unit, sign or order of operations on either side shows as a difference. One group
holds all parameter sets, one neuron each. Brian2 labels a spike with the beginning of its step and counts
refractoriness and `lastspike` from there, hence the dt added to the one and taken from the other.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tests.oracle.trials import Array

KINDS = {"mV": "volt", "ms": "second", "pA": "amp", "pF": "farad", "nS": "siemens"}
VOLTAGES = {"v_s", "v_d", "theta"}


class Model(NamedTuple):
    """A neuron in Brian2's words."""

    equations: str
    threshold: str
    reset: str


ADAPTATION = """
dw_s/dt = -w_s / tau_w_soma : amp
dw_d/dt = (a_w_apical * (v_d - e_leak) - w_d) / tau_w_apical : amp
i_s : amp
i_d : amp
held : second (constant)
"""

NAUD_SPREKELER = Model(
    ADAPTATION
    + """
dv_s/dt = (e_leak - v_s) / tau_soma + (g_soma * f + w_s + I_s) / c_soma : volt (unless refractory)
dv_d/dt = (e_leak - v_d) / tau_apical + (g_apical * f + c_bap * K + w_d + I_d) / c_apical : volt
dtheta/dt = -theta / tau_threshold : volt
f = 1 / (1 + exp(-(v_d - e_plateau) / d_plateau)) : 1 (constant over dt)
since = t - lastspike - dt : second
K = (clip(since + dt, bap_on, bap_off) - clip(since, bap_on, bap_off)) / dt : 1 (constant over dt)
I_s = soma(t, i) + i_s : amp (constant over dt)
I_d = apical(t, i) + i_d : amp (constant over dt)
jump : volt (constant)
""",
    threshold="v_s > v_threshold + theta",
    reset="v_s = v_reset; w_s += b_w_soma; theta += jump",
)

STRICT_BURST = Model(
    ADAPTATION
    + """
dv_s/dt = (e_leak - v_s) / tau_soma + (soma(t, i) + i_s + w_s) / c_soma : volt
dv_d/dt = (e_leak - v_d) / tau_apical + (apical(t, i) + w_d) / c_apical : volt
bursts : integer
""",
    threshold="v_s > v_threshold",
    reset="""
v_s = v_reset
w_s += b_w_soma
bursts += int({lottery} < 1 / (1 + exp(-(v_d - e_burst) / d_burst)))
""",
)


class Traces(NamedTuple):
    """What a simulation left behind.

    Attributes:
        values: the recorded variables at the end of every step, (steps, neurons), in mV and pA.
        spikes: where and when, (steps, neurons).
        bursts: how many each neuron had, (neurons,); empty for a model that does not draw them.
    """

    values: dict[str, Array]
    spikes: npt.NDArray[np.bool_]
    bursts: npt.NDArray[np.int64]


def run_brian(
    brian: ModuleType,
    model: Model,
    sets: Sequence[Any],
    dt: float,
    steps: int,
    drives: tuple[Array, Array],
    *,
    noise: tuple[Array, Array] | None = None,
    record: tuple[str, ...] = (),
    seed: int = 0,
) -> Traces:
    """Simulate one neuron per parameter set.

    Args:
        brian: the module `brian2`.
        model: equations.
        sets: parameters, one record a neuron, all of one kind.
        dt: ms.
        steps: how many.
        drives: currents into soma and dendrite in pA, (steps, neurons) or, if constant, (1, neurons).
        noise: random numbers of every step, (steps, neurons): standard normal ones for the somatic
            background; for the dendrite normal or, if the model draws bursts, uniform ones. None lets Brian2
            draw its own.
        record: names of variables.
        seed: of Brian2's own random numbers.
    """
    brian.start_scope()
    brian.prefs.codegen.target = "numpy"
    brian.seed(seed)
    step = dt * brian.ms
    brian.defaultclock.dt = step
    draws_bursts = "{lottery}" in model.reset
    given = {
        "soma": brian.TimedArray(drives[0] * brian.pA, dt=step),
        "apical": brian.TimedArray(drives[1] * brian.pA, dt=step),
    }
    normal, other = "randn()", "rand()" if draws_bursts else "randn()"
    if noise is not None:
        given["for_soma"] = brian.TimedArray(noise[0], dt=step)
        given["for_dendrite"] = brian.TimedArray(noise[1], dt=step)
        normal, other = "for_soma(t, i)", "for_dendrite(t, i)"
    numbers = [entry for entry in sets[0].quantities() if entry.unit in KINDS]
    constants = [f"{entry.name} : {KINDS[entry.unit]} (constant)" for entry in numbers]
    group = brian.NeuronGroup(
        len(sets),
        "\n".join([model.equations, *constants]),
        threshold=model.threshold,
        reset=model.reset.format(lottery=other),
        refractory="held",
        method="exponential_euler",
        namespace=given,
    )
    for entry in numbers:
        values = np.array([getattr(each, entry.name) for each in sets])
        setattr(group, entry.name, values * getattr(brian, entry.unit))
    moving = np.array([getattr(each, "refractory", "") == "moving_threshold" for each in sets])
    group.held = np.where(moving, 0.0, [each.t_ref for each in sets]) * brian.ms + step
    group.v_s = group.e_leak
    group.v_d = group.e_leak
    if draws_bursts:
        backgrounds = [("i_s", "ou_mean", normal)]
    else:
        group.jump = np.where(moving, [each.threshold_step for each in sets], 0.0) * brian.mV
        backgrounds = [("i_s", "ou_mean_soma", normal), ("i_d", "ou_mean_apical", other)]
    for current, mean, number in backgrounds:
        setattr(group, current, getattr(group, mean))
        group.run_regularly(
            f"{current} = {mean} + ({current} - {mean}) * exp(-dt / ou_tau)"
            f" + ou_sigma * sqrt(1 - exp(-2 * dt / ou_tau)) * {number}",
            when="end",
        )
    states = brian.StateMonitor(group, list(record), record=True, when="end", order=1)
    spikes = brian.SpikeMonitor(group)
    network = brian.Network(group, states, spikes)
    network.run(steps * step, namespace={})
    fired = np.zeros((steps, len(sets)), dtype=bool)
    fired[np.rint(spikes.t / step).astype(int), np.asarray(spikes.i)] = True
    return Traces(
        {
            name: np.asarray(getattr(states, name) / (brian.mV if name in VOLTAGES else brian.pA)).T
            for name in record
        },
        fired,
        np.asarray(group.bursts[:]) if draws_bursts else np.zeros(0, dtype=np.int64),
    )
