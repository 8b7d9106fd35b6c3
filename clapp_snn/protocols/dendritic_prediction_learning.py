"""Learning by dendritic prediction: the Urbanczik-Senn neuron, nearest published relative of CLAPP's.

Attenuation: the soma settles at V_w* = (g_L E_L + g_D V_w) / (g_L + g_D). Teaching: 200 inputs repeat a
frozen Poisson pattern while somatic conductances impose a matching potential; the dendrite learns to
predict it. The settings are those of the published example for NEST 3.10: teaching begins after two
repetitions of the pattern, and the teaching conductances pass a synapse of 3 ms.
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
MEASURED = f"{NEST}: 12 neurons; 4.5 standard errors, from the spreads of both"
PAPER = "Urbanczik and Senn 2014, doi:10.1016/j.neuron.2013.11.030"
HELD = (-65.0, -60.0, -55.0, -50.0)
"""Dendritic potentials of the attenuation test, mV."""
AVERAGED = 10
"""First and last taught repetitions that are compared, each ten as one trace."""
UNTAUGHT = 2
"""Repetitions without teaching that come first."""


class Fit(NamedTuple):
    """How well the dendrite predicts.

    Attributes:
        correlation: of V_w* with the matching potential.
        distance: root mean square of V_w* - U, mV.
    """

    correlation: Float[Tensor, "*repetition neuron"]
    distance: Float[Tensor, "*repetition neuron"]


class Reference(NamedTuple):
    """A figure of single neurons in NEST, each with a pattern of its own.

    Attributes:
        mean, spread: average and standard deviation between neurons.
        neurons: how many there were.
    """

    mean: float
    spread: float
    neurons: int

    def finding(self, name: str, measured: Float[Tensor, "neuron"], unit: str) -> Finding:
        """An average, accepted within `ERRORS` standard errors of the difference (Welch: both spreads)."""
        own = float(measured.var()) / len(measured)
        error = ERRORS * math.sqrt(own + self.spread**2 / self.neurons)
        low, high = self.mean - error, self.mean + error
        return Finding(name, float(measured.mean()), unit, self.mean, low, high, MEASURED)


ERRORS = 4.5
"""Accepted distance of an average of ours from one of NEST, in standard errors of the difference."""
CORRELATION_FIRST = Reference(0.6265, 0.1011, 12)
CORRELATION_LAST = Reference(0.9361, 0.0121, 12)
DISTANCE_FIRST = Reference(3.5846, 0.2005, 12)
DISTANCE_LAST = Reference(2.4932, 0.1303, 12)


class LearningMeasurement(NamedTuple):
    """What one run gives; all potentials in mV.

    Attributes:
        soma: settled somatic potential at each dendritic potential in `HELD`.
        predicted: V_w* there.
        each: fit of every taught repetition and neuron.
        first, last: fit of the first and the last `AVERAGED` repetitions as one trace.
        matching: matching potential during the last repetition.
        before, after: V_w* of the first neuron in the first and the last taught repetition.
    """

    soma: Float[Tensor, "held"]
    predicted: Float[Tensor, "held"]
    each: Fit
    first: Fit
    last: Fit
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
    neurons: float = quantity(
        12, "", 2, 1000, "independent neurons, each with its own pattern", OWN
    )
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
    tau_teaching: float = quantity(3.0, "ms", 0.1, 50.0, "synaptic filter of both", NEST)

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
        teaching = self.teaching()
        matching = matching_potential(teaching, neuron.params)
        predictions, soma = self._learn(neuron, teaching, seed)
        matching = matching.view(predictions.shape[:2])
        wanted = matching[..., None]

        def pooled(part: slice) -> Fit:
            return fit(*(x[part].flatten(0, 1) for x in (predictions, soma, wanted)))

        return LearningMeasurement(
            rest.u,
            dendritic_prediction(held, neuron.params),
            fit(predictions, soma, wanted),
            pooled(slice(AVERAGED)),
            pooled(slice(-AVERAGED, None)),
            matching[-1],
            predictions[0, :, 0],
            predictions[-1, :, 0],
        )

    def teaching(self) -> Teaching:
        """Somatic conductances in every step of all taught repetitions, from rest; steps of dt."""
        steps = round(self.pattern / self.dt) * int(self.repetitions)
        t = self.dt * torch.arange(steps, dtype=torch.float64)
        wave = torch.sin(4 * math.pi * t / self.pattern)
        g_exc = self.g_exc + self.g_exc_wave * wave
        decay = math.exp(-self.dt / self.tau_teaching)
        filtered = []
        now = torch.zeros(2, dtype=torch.float64)
        for target in torch.stack([g_exc, torch.full_like(t, self.g_inh)], dim=1):
            now = torch.lerp(target, now, decay)
            filtered.append(now)
        return Teaching(*torch.stack(filtered, dim=1))

    def _learn(
        self, neuron: UrbanczikSenn, teaching: Teaching, seed: int
    ) -> tuple[Float[Tensor, "repetition step neuron"], Float[Tensor, "repetition step neuron"]]:
        """V_w* and U in every step of the taught repetitions."""
        stream = generator(seed, "urbanczik-senn", "pattern")
        source = generator(seed, "urbanczik-senn", "spikes")
        repetitions, many = int(self.repetitions), int(self.neurons)
        steps = len(teaching.g_exc) // repetitions
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
        silence = torch.zeros(UNTAUGHT * steps, dtype=torch.float64)
        g_exc, g_inh = (torch.cat([silence, g]) for g in teaching)
        predictions, soma = torch.empty(2, len(g_exc), many, dtype=torch.float64)
        for step in range(len(g_exc)):
            drive = Inputs(nothing, dendritic_current(weights, traces, rule))
            draws = Draws(torch.rand(many, dtype=torch.float64, generator=source))
            outputs, state = urbanczik_senn_step(
                drive, state, neuron.constants, draws, Teaching(g_exc[step], g_inh[step])
            )
            traces = trace_inputs(traces, spikes[step % steps], rule, neuron.params)
            weights, pending = dendritic_prediction_step(
                weights, pending, outputs.spike, state.v_w, traces, rule, neuron.params
            )
            predictions[step] = dendritic_prediction(state.v_w, neuron.params)
            soma[step] = state.u
        taught = (repetitions, steps, many)
        return predictions[len(silence) :].view(taught), soma[len(silence) :].view(taught)

    def findings(self, measured: LearningMeasurement) -> list[Finding]:
        """Attenuation, and how well the dendrite predicts before and after learning."""
        error = float((measured.soma - measured.predicted).abs().max())
        first, last = measured.first, measured.last
        correlation, rms = "correlation with the matching potential", "rms of V_w* - U"
        return [
            Finding("attenuation: largest |U - V_w*|", error, "mV", 0, 0, 1e-6, PAPER),
            CORRELATION_FIRST.finding(
                f"{correlation}, first 10 repetitions", first.correlation, ""
            ),
            CORRELATION_LAST.finding(f"{correlation}, last 10 repetitions", last.correlation, ""),
            DISTANCE_FIRST.finding(f"{rms}, first 10 repetitions", first.distance, "mV"),
            DISTANCE_LAST.finding(f"{rms}, last 10 repetitions", last.distance, "mV"),
        ]

    def records(self, measured: LearningMeasurement) -> list[Record]:
        """One row for each repetition and neuron."""
        return [
            {
                "repetition": repetition + 1,
                "neuron": neuron,
                "correlation": float(correlation),
                "rms_mV": float(rms),
            }
            for repetition, rows in enumerate(zip(*measured.each, strict=True))
            for neuron, (correlation, rms) in enumerate(zip(*rows, strict=True))
        ]


def fit(
    predictions: Float[Tensor, "*repetition step neuron"],
    soma: Float[Tensor, "*repetition step neuron"],
    matching: Float[Tensor, "*repetition step 1"],
) -> Fit:
    """How well V_w* predicts, over all steps of a trace; all in mV."""
    centred = predictions - predictions.mean(dim=-2, keepdim=True)
    wave = matching - matching.mean(dim=-2, keepdim=True)
    size = (centred.square().sum(dim=-2) * wave.square().sum(dim=-2)).sqrt()
    distance = (predictions - soma).square().mean(dim=-2).sqrt()
    return Fit((centred * wave).sum(dim=-2) / size, distance)
