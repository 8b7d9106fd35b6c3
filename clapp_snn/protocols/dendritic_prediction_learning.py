"""Learning by dendritic prediction: the Urbanczik-Senn neuron, nearest published relative of CLAPP's.

Attenuation: the soma settles at V_w* = (g_L E_L + g_D V_w) / (g_L + g_D). Teaching: 200 inputs repeat a
frozen Poisson pattern while somatic conductances impose a matching potential; the dendrite learns to
predict it. The settings are those of the published example for NEST 3.10, whose 3 ms filter of the teaching
conductances is left out.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.dendritic_prediction import (
    DendriticPredictionParameters,
    InputTraces,
    dendritic_current,
    dendritic_prediction_step,
    trace_inputs,
)
from clapp_snn.neurons.interface import Draws, Inputs, simulate
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.parameters import quantity
from clapp_snn.neurons.urbanczik_senn import (
    Teaching,
    UrbanczikSenn,
    dendritic_prediction,
    matching_potential,
    urbanczik_senn_step,
)
from clapp_snn.protocols.protocol import OWN, Finding, Protocol, Record
from clapp_snn.randomness import generator

NEST = "own simulation in NEST 3.10, settings of its published example"
PAPER = "Urbanczik and Senn 2014, doi:10.1016/j.neuron.2013.11.030"
HELD = (-65.0, -60.0, -55.0, -50.0)
"""Dendritic potentials of the attenuation test, mV."""
AVERAGED = 10
"""First and last repetitions that are compared."""


class LearningMeasurement(NamedTuple):
    """What one run gives; all potentials in mV.

    Attributes:
        soma: settled somatic potential at each dendritic potential in `HELD`.
        predicted: V_w* there.
        correlation: of V_w* with the matching potential, for every repetition and neuron.
        distance: root mean square of V_w* - U.
        matching: matching potential during a repetition.
        before, after: V_w* of the first neuron in the first and the last repetition.
    """

    soma: Float[Tensor, "held"]
    predicted: Float[Tensor, "held"]
    correlation: Float[Tensor, "repetition neuron"]
    distance: Float[Tensor, "repetition neuron"]
    matching: Float[Tensor, "step"]
    before: Float[Tensor, "step"]
    after: Float[Tensor, "step"]


@dataclass(frozen=True)
class DendriticPredictionLearning(Protocol[LearningMeasurement]):
    """Inputs and teaching."""

    name = "urbanczik-senn"
    title = "Urbanczik-Senn neuron: the dendrite learns to predict the soma"
    notes = (
        "This dendrite drives its soma and predicts the present; a CLAPP dendrite predicts the next fixation "
        "and leaves the soma's events alone.",
    )

    dt: float = quantity(0.2, "ms", 0.02, 0.4, "time step", OWN)
    neurons: float = quantity(6, "", 2, 1000, "independent neurons, each with its own pattern", OWN)
    inputs: float = quantity(200, "", 10, 1e4, "Poisson inputs", NEST)
    rate: float = quantity(10.0, "Hz", 0.1, 100.0, "of each input", NEST)
    pattern: float = quantity(200.0, "ms", 50.0, 1000.0, "length of the frozen pattern", NEST)
    repetitions: float = quantity(60, "", 20, 1000, "of the pattern", NEST)
    start_weight: float = quantity(90.0, "pA", 0.0, 1e4, "of every input: 0.3 mV/ms * 300 pF", NEST)
    g_exc: float = quantity(162.0, "nS", 0.0, 1e4, "mean excitatory conductance", NEST)
    g_exc_wave: float = quantity(
        144.0, "nS", 0.0, 1e4, "its amplitude, two periods a pattern", NEST
    )
    g_inh: float = quantity(540.0, "nS", 0.0, 1e4, "inhibitory conductance", NEST)

    def measure(self, seed: int = 0) -> LearningMeasurement:
        """Both parts in float64; all neurons learn in one batch."""
        neuron = UrbanczikSenn(dt=self.dt)
        held = torch.tensor(HELD, dtype=torch.float64)
        current = neuron.params.g_leak * (held - neuron.params.e_leak)
        rest = simulate(
            neuron,
            Inputs(torch.zeros_like(current), current),
            round(600.0 / self.dt),
            source=Streams.from_seed(seed, "urbanczik-senn", "attenuation"),
        )
        steps = round(self.pattern / self.dt)
        t = self.dt * torch.arange(steps, dtype=torch.float64)
        teaching = Teaching(
            self.g_exc + self.g_exc_wave * torch.sin(4 * math.pi * t / self.pattern),
            torch.full_like(t, self.g_inh),
        )
        matching = matching_potential(teaching, neuron.params)
        predictions, distance = self._learn(neuron, teaching, seed)
        centred = predictions - predictions.mean(dim=1, keepdim=True)
        wave = (matching - matching.mean())[None, :, None]
        correlation = (centred * wave).sum(dim=1) / (
            centred.square().sum(dim=1) * wave.square().sum(dim=1)
        ).sqrt()
        return LearningMeasurement(
            rest.u,
            dendritic_prediction(held, neuron.params),
            correlation,
            distance,
            matching,
            predictions[0, :, 0],
            predictions[-1, :, 0],
        )

    def _learn(
        self, neuron: UrbanczikSenn, teaching: Teaching, seed: int
    ) -> tuple[Float[Tensor, "repetition step neuron"], Float[Tensor, "repetition neuron"]]:
        """V_w* in every step, and the root mean square of V_w* - U in every repetition."""
        stream = generator(seed, "urbanczik-senn", "pattern")
        source = generator(seed, "urbanczik-senn", "spikes")
        steps, repetitions, many = len(teaching.g_exc), int(self.repetitions), int(self.neurons)
        shape = (many, int(self.inputs))
        chance = self.rate * self.dt / 1000
        spikes = (
            torch.rand(steps, *shape, dtype=torch.float64, generator=stream) < chance
        ).double()
        rule = DendriticPredictionParameters().at(self.dt)
        weights = torch.full(shape, self.start_weight, dtype=torch.float64)
        pending = torch.zeros_like(weights)
        traces = InputTraces(torch.zeros_like(weights), torch.zeros_like(weights))
        state = neuron.initial_state((many,), dtype=torch.float64)
        nothing = torch.zeros(many, dtype=torch.float64)
        predictions = torch.empty(repetitions, steps, many, dtype=torch.float64)
        distance = torch.zeros(repetitions, many, dtype=torch.float64)
        for repetition in range(repetitions):
            draws = torch.rand(steps, many, dtype=torch.float64, generator=source)
            for step in range(steps):
                drive = Inputs(nothing, dendritic_current(weights, traces, rule))
                outputs, state = urbanczik_senn_step(
                    drive,
                    state,
                    neuron.constants,
                    Draws(draws[step]),
                    Teaching(teaching.g_exc[step], teaching.g_inh[step]),
                )
                traces = trace_inputs(traces, spikes[step], rule, neuron.params)
                weights, pending = dendritic_prediction_step(
                    weights, pending, outputs.spike, state.v_w, traces, rule, neuron.params
                )
                predicted = dendritic_prediction(state.v_w, neuron.params)
                predictions[repetition, step] = predicted
                distance[repetition] += (predicted - state.u).square() / steps
        return predictions, distance.sqrt()

    def findings(self, measured: LearningMeasurement) -> list[Finding]:
        """Attenuation, and how well the dendrite predicts before and after learning."""
        error = float((measured.soma - measured.predicted).abs().max())
        first, last = measured.correlation[:AVERAGED], measured.correlation[-AVERAGED:]
        before, after = measured.distance[:AVERAGED], measured.distance[-AVERAGED:]
        return [
            Finding("attenuation: largest |U - V_w*|", error, "mV", 0, 0, 1e-6, PAPER),
            Finding(
                "correlation with the matching potential, first 10 repetitions",
                float(first.mean()), "", 0.66, 0.4, 0.85, NEST,
            ),
            Finding(
                "correlation with the matching potential, last 10 repetitions",
                float(last.mean()), "", 0.955, 0.92, 0.99, NEST,
            ),
            Finding("rms of V_w* - U, first 10 repetitions", float(before.mean()), "mV", 3.5, 2.5, 4.5, NEST),
            Finding("rms of V_w* - U, last 10 repetitions", float(after.mean()), "mV", 2.2, 1.4, 2.8, NEST),
        ]  # fmt: skip

    def records(self, measured: LearningMeasurement) -> list[Record]:
        """One row for each repetition and neuron."""
        return [
            {
                "repetition": repetition + 1,
                "neuron": neuron,
                "correlation": float(correlation),
                "rms_mV": float(rms),
            }
            for repetition, rows in enumerate(
                zip(measured.correlation, measured.distance, strict=True)
            )
            for neuron, (correlation, rms) in enumerate(zip(*rows, strict=True))
        ]
