"""The Urbanczik-Senn neuron and its learning rule against NEST, closed forms and numerical derivatives."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from clapp_snn.neurons.dendritic_prediction import (
    DendriticPredictionParameters,
    InputTraces,
    dendritic_current,
    dendritic_prediction_step,
    trace_inputs,
    unit_potential,
)
from clapp_snn.neurons.interface import Draws, Inputs, simulate
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.urbanczik_senn import (
    Teaching,
    UrbanczikSenn,
    UrbanczikSennParameters,
    UrbanczikSennState,
    dendritic_prediction,
    matching_potential,
    rate_gain,
    somatic_rate,
    urbanczik_senn_step,
)

GOLDEN = Path(__file__).parents[1] / "golden"
PARAMS = UrbanczikSennParameters()
SYNAPSES = DendriticPredictionParameters()


def golden(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GOLDEN / name).read_text(encoding="utf-8"))
    return loaded


def double(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def test_fixed_points_are_those_of_nest() -> None:
    """Soma at rest under a dendrite held at -70 ... -50 mV, to 1e-6 mV."""
    held, v_w, v_soma, _ = double(golden("nest_urbanczik.json")["attenuation"]).T
    current = PARAMS.g_leak * (held - PARAMS.e_leak)
    end = simulate(UrbanczikSenn(), Inputs(0 * current, current), 4000, None, Streams.from_seed(0))
    assert (end.v_w - v_w).abs().max() < 1e-6
    assert (end.u - v_soma).abs().max() < 1e-6
    assert (dendritic_prediction(v_w, PARAMS) - v_soma).abs().max() < 1e-6


def test_relaxation_is_exact() -> None:
    """Dendrite e^(-t / 10 ms) and soma e^(-t / 0.476 ms) towards steady states, at any time step."""
    for dt in (0.1, 0.2, 0.25):
        neuron = UrbanczikSenn(dt=dt)
        steps = round(4 / dt)
        still = UrbanczikSennState(
            double([-70.0]), double([-60.0]), torch.zeros(1, dtype=torch.int32)
        )
        held = double([PARAMS.g_leak * 10.0])
        end = simulate(neuron, Inputs(0 * held, held), steps, still, Streams.from_seed(0))
        target = dendritic_prediction(double(-60.0), PARAMS)
        expected = target + (-70 - target) * math.exp(-steps * dt / PARAMS.tau_soma)
        assert end.u.item() == pytest.approx(expected.item(), abs=1e-9)
        free = simulate(neuron, Inputs(0 * held, 0 * held), steps, still, Streams.from_seed(0))
        assert free.v_w.item() == pytest.approx(-70 + 10 * math.exp(-steps * dt / 10), abs=1e-9)


def test_somatic_current_adds_its_voltage() -> None:
    """At rest, 315 pA through g_L + g_D = 630 nS lift the soma by 0.5 mV; the dendrite stays."""
    current = double([315.0, -315.0])
    end = simulate(UrbanczikSenn(), Inputs(current, 0 * current), 200, None, Streams.from_seed(0))
    assert end.u.tolist() == pytest.approx([-69.5, -70.5], abs=1e-9)
    assert end.v_w.tolist() == [-70.0, -70.0]


def test_strong_teaching_pulls_the_soma_to_the_matching_potential() -> None:
    teaching = Teaching(double([2e5]), double([5e5]))
    neuron, state = UrbanczikSenn(), UrbanczikSenn().initial_state((1,), dtype=torch.float64)
    inputs, silent = Inputs(double([0.0]), double([0.0])), Draws(double([1.0]))
    for _ in range(50):
        _, state = urbanczik_senn_step(inputs, state, neuron.constants, silent, teaching)
    expected = matching_potential(teaching, PARAMS).item()
    assert expected == pytest.approx(-75 * 5 / 7)
    leak = 630 * (dendritic_prediction(double(-70.0), PARAMS).item() - expected) / (7e5 + 630)
    assert state.u.item() == pytest.approx(expected + leak, abs=1e-9)


def test_gain_is_the_logarithmic_slope_of_the_rate() -> None:
    u = double(torch.linspace(-80, -20, 50)).requires_grad_()
    rate = somatic_rate(u, PARAMS)
    (slope,) = torch.autograd.grad(rate.log().sum(), u)
    assert torch.allclose(rate_gain(u, PARAMS), slope)
    assert somatic_rate(double(-55.0), PARAMS).item() == pytest.approx(150 / 1.5)
    assert somatic_rate(double(100.0), PARAMS).item() == pytest.approx(150)


@pytest.mark.parametrize("t_ref", [0.0, 3.0])
def test_spike_rate(t_ref: float) -> None:
    """Mean interval t_ref + dt / (1 - exp(-phi dt)): counts within 4.5 standard errors of renewal theory."""
    params, units, steps, dt = UrbanczikSennParameters(t_ref=t_ref), 500, 2000, 0.1
    held = torch.full((units,), 600.0, dtype=torch.float64)
    neuron = UrbanczikSenn(params, dt)
    start = simulate(neuron, Inputs(0 * held, held), 1500, None, Streams.from_seed(0))
    count = torch.zeros(units, dtype=torch.float64)

    def add(_step: int, _inputs: Inputs, outputs: Any, _state: Any) -> None:
        count.add_(outputs.spike)

    simulate(neuron, Inputs(0 * held, held), steps, start, Streams.from_seed(1), add)
    phi = somatic_rate(dendritic_prediction(double(-50.0), params), params).item()
    chance = 1 - math.exp(-phi * dt / 1000)
    mean = round(t_ref / dt) + 1 / chance
    variance = (1 - chance) / chance**2
    expected, spread = steps / mean, math.sqrt(steps * variance / mean**3 / units)
    assert abs(count.mean().item() - expected) < 4.5 * spread


def test_unit_potential_is_the_response_of_the_dendrite() -> None:
    """The formula of the trace against the neuron itself, driven by one spike of 100 pA."""
    dt = 0.1
    constants, neuron = SYNAPSES.at(dt), UrbanczikSenn(dt=dt)
    state = neuron.initial_state((), dtype=torch.float64)
    weights, traces = double([100.0]), InputTraces(double([1.0]), double([1.0]))
    silent, peak = double([0.0]), 0.0
    for _ in range(300):
        current = dendritic_current(weights, traces, constants)
        _, state = neuron.step(Inputs(double(0.0), current), state, Draws(double(1.0)))
        traces = trace_inputs(traces, silent, constants, PARAMS)
        predicted = 100 * unit_potential(traces, constants, PARAMS).item()
        assert state.v_w.item() + 70 == pytest.approx(predicted, abs=1e-3)
        peak = max(peak, predicted)
    assert peak > 0.5


def test_a_weight_change_is_spread_over_tau_delta_and_complete_in_the_end() -> None:
    """One PI: a fraction 1 - e^(-t / tau_Delta) of eta PI has arrived after t, for any time step."""
    for dt in (0.1, 1.0):
        constants = SYNAPSES.at(dt)
        traces = InputTraces(double([0.3]), double([0.8]))
        weights, pending = double([500.0]), double([0.0])
        v_w = double(-55.0)
        weights, pending = dendritic_prediction_step(
            weights, pending, double(1.0), v_w, traces, constants, PARAMS
        )
        assert weights.item() == 500
        predicted = dendritic_prediction(v_w, PARAMS)
        error = 1 - somatic_rate(predicted, PARAMS).item() * dt / 1000
        gain = rate_gain(predicted, PARAMS).item()
        whole = SYNAPSES.eta * error * gain * 3 / (30 * 7) * 0.5
        still = InputTraces(double([0.0]), double([0.0]))
        for _ in range(round(100 / dt)):
            weights, pending = dendritic_prediction_step(
                weights, pending, double(0.0), v_w, still, constants, PARAMS
            )
        assert weights.item() - 500 == pytest.approx(whole * (1 - math.exp(-1)), rel=1e-9)


def test_the_mean_update_vanishes_where_the_dendrite_predicts_the_rate() -> None:
    """E[S] = phi(U) dt: no drift at U = V_w*, growth above, decay below."""
    traces, constants = InputTraces(double([0.2]), double([0.9])), SYNAPSES.at(0.1)
    v_w = double(-58.0)
    predicted = dendritic_prediction(v_w, PARAMS)
    for shift in (-5.0, 0.0, 5.0):
        mean_spike = somatic_rate(predicted + shift, PARAMS) * 0.1 / 1000
        _, pending = dendritic_prediction_step(
            double([90.0]), double([0.0]), mean_spike, v_w, traces, constants, PARAMS
        )
        assert math.copysign(1, shift) * pending.item() > 0 or shift == pending.item() == 0


def test_the_dendrite_sees_weights_within_their_bounds() -> None:
    traces, constants = InputTraces(double([1.0]), double([1.0])), SYNAPSES.at(0.1)
    currents = [
        dendritic_current(double([w]), traces, constants).item() for w in (-50.0, 1350.0, 9999.0)
    ]
    assert currents[0] == 0
    assert currents[1] == currents[2] > 0


def replay(record: dict[str, Any]) -> tuple[dict[int, UrbanczikSennState], dict[int, Tensor]]:
    """Feed the input, teaching and somatic spikes that NEST had; states and weights after each step.

    A spike recorded in step k acts on the soma or dendrite at the end of step k + 1 (delays of one step). In
    NEST the rule sees an input two steps before it acts, and a delivered conductance decays during its step.
    """
    dt, steps = record["dt"], record["steps"]
    count = len(record["input_steps"])
    pre = torch.zeros(steps + 2, count, dtype=torch.float64)
    for synapse, times in enumerate(record["input_steps"]):
        for start in range(0, steps, record["period_steps"]):
            pre[[start + time + 1 for time in times], synapse] = 1
    post = torch.zeros(steps + 1, dtype=torch.float64)
    post[record["soma_spike_steps"]] = 1
    constants, synapses = PARAMS.at(dt), SYNAPSES.at(dt)
    state = UrbanczikSenn().initial_state((), dtype=torch.float64)
    seen = learned = InputTraces(*torch.zeros(2, count, dtype=torch.float64))
    weights = torch.full((count,), record["initial_weight"], dtype=torch.float64)
    pending, g_exc, g_inh = torch.zeros_like(weights), 0.0, 0.0
    decay = math.exp(-dt / 3)
    mean = (1 - decay) * 3 / dt
    states, history = {}, {}
    for k in range(1, steps + 1):
        inputs = Inputs(double(0.0), dendritic_current(weights, seen, synapses))
        teaching = Teaching(double(g_exc * mean), double(g_inh * mean))
        _, state = urbanczik_senn_step(inputs, state, constants, Draws(double(2.0)), teaching)
        seen = trace_inputs(seen, pre[k - 1], synapses, PARAMS)
        learned = trace_inputs(learned, pre[k + 1], synapses, PARAMS)
        weights, pending = dendritic_prediction_step(
            weights, pending, post[k], state.v_w, learned, synapses, PARAMS
        )
        started = k > 1
        phase = 2 * math.pi * (k - 1) * dt / 100
        g_exc = g_exc * decay + started * (4.8 * math.sin(phase) + 5.4)
        g_inh = g_inh * decay + started * 18.0
        states[k], history[k] = state, weights
    return states, history


def test_potentials_and_weights_are_those_of_nest() -> None:
    """0.4 s of teaching with NEST's own spikes: the same potentials and the same learned weights.

    NEST integrates conductances within a step and uses a new weight only from the next input spike on: hence
    0.1 mV (soma), 0.02 mV (dendrite), and 0.4 % of the largest weight change.
    """
    record = golden("nest_urbanczik_replay.json")
    states, history = replay(record)
    for t, soma, dendrite in zip(record["t"], record["v_soma"], record["v_dendrite"], strict=True):
        state = states[round(t / record["dt"])]
        assert abs(state.u.item() - soma) < 0.1
        assert abs(state.v_w.item() - dendrite) < 0.02
    changes = [weight - record["initial_weight"] for _, weight in record["last_weight"]]
    largest = max(map(abs, changes))
    assert largest > 10
    for synapse, (t, weight) in enumerate(record["last_weight"]):
        mine = history[round(t / record["dt"]) - 1][synapse].item()
        assert abs(mine - weight) < 0.004 * largest
