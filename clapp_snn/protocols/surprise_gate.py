"""Surprise gate: how often the nucleus answers, against P(gamma != 0) = Phi((1 - y u) / sigma).

Half-wave L3 units with known scores are read by spikes; both margin neurons integrate, and one pulse at the
end of the window reads them. The average hinge loss of the noisy scores is the smoothed hinge, and the gate
its slope.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.surprise import SurpriseNucleus, gate_probability, smoothed_hinge
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters, event_rate, fano_factor
from clapp_snn.neurons.parameters import quantity
from clapp_snn.protocols.protocol import OWN, Finding, Protocol, Record, exactly
from clapp_snn.protocols.score_reading import expected, population, read_scores, reader

LAW = "normal law of the read-out; Poisson skew and ties at the margin make up to 0.03"
SCORES = (-3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
WINDOWS = (200.0, 500.0)


class Gate(NamedTuple):
    """Answers of the nucleus after windows of one length.

    Attributes:
        u_hat: scores from bursts.
        sigma: their expected standard deviation.
        fixation, saccade: gamma where the saccade signal says fixation (y = 1) and saccade (y = -1).
    """

    u_hat: Float[Tensor, "target repeat"]
    sigma: Float[Tensor, "target"]
    fixation: Float[Tensor, "target repeat"]
    saccade: Float[Tensor, "target repeat"]

    def answered(self, y: int) -> Float[Tensor, "target"]:
        """Measured P(gamma != 0)."""
        gamma = self.fixation if y == 1 else self.saccade
        return (gamma != 0).double().mean(dim=1)

    def law(self, y: int) -> Float[Tensor, "target"]:
        """Phi((1 - y u) / sigma)."""
        return gate_probability(torch.tensor(SCORES, dtype=torch.float64), y, self.sigma)


@dataclass(frozen=True)
class SurpriseGate(Protocol[dict[float, Gate]]):
    """Size of the experiment."""

    name = "surprise-gate"
    title = "Surprise gate: probability of gamma != 0 against Phi"
    notes = (
        "Scores from bursts are multiples of the weight of one burst. A score exactly at the margin does not "
        "teach, which the normal law ignores.",
    )

    dt: float = quantity(1.0, "ms", 0.1, 1.0, "time step", OWN)
    units: float = quantity(64, "", 2, 4096, "units of the population", OWN)
    repeats: float = quantity(800, "", 10, 1e5, "windows for every score and length", OWN)

    def measure(self, seed: int = 0) -> dict[float, Gate]:
        """All scores, for windows of every length."""
        people = population(int(self.units), SCORES, seed)
        params = EventBurstParameters()
        neuron = EventBurst(params, self.dt)
        nucleus = SurpriseNucleus()
        fano = fano_factor(event_rate(people.z, params, self.dt), self.dt)
        gates = {}
        for window in WINDOWS:
            how = reader(neuron, people, window)
            scores = read_scores(people, how, int(self.repeats), seed, "gate", f"{window:g}")
            gamma = [
                nucleus.read(scores.nucleus, torch.full_like(scores.nucleus.fixation, y)).gamma
                for y in (1, -1)
            ]
            gates[window] = Gate(
                scores.u_hat,
                expected(people, how, fano)[1],
                *(each.view_as(scores.u_hat) for each in gamma),
            )
        return gates

    def findings(self, measured: dict[float, Gate]) -> list[Finding]:
        """Distance of gate and hinge from their laws, and the sign of gamma."""
        found = []
        u = torch.tensor(SCORES, dtype=torch.float64)
        for window, gate in measured.items():
            for y, what in ((1, "fixation"), (-1, "saccade")):
                distance = float((gate.answered(y) - gate.law(y)).abs().max())
                hinge = (1 - y * gate.u_hat.double()).clamp(min=0).mean(dim=1)
                gap = float((hinge - smoothed_hinge(u, y, gate.sigma)).abs().max())
                found += [
                    Finding(
                        f"{what}, {window:g} ms: largest |P(gamma != 0) - Phi|", distance, "", 0, 0, 0.05, LAW
                    ),
                    Finding(
                        f"{what}, {window:g} ms: largest error of the smoothed hinge", gap, "", 0, 0, 0.08,
                        "E max(0, 1 - y u_hat) for normal u_hat",
                    ),
                ]  # fmt: skip
            wrong = (gate.fixation < 0).sum() + (gate.saccade > 0).sum()
            found.append(
                exactly(
                    f"{window:g} ms: answers in the wrong channel", int(wrong), 0, "gamma = y H"
                )
            )
        return found

    def records(self, measured: dict[float, Gate]) -> list[Record]:
        """One row for each window length, saccade signal and score."""
        return [
            {
                "window_ms": window,
                "y": y,
                "u": u,
                "sigma": float(sigma),
                "P_measured": float(p),
                "P_law": float(law),
                "windows": gate.u_hat.shape[1],
            }
            for window, gate in measured.items()
            for y in (1, -1)
            for u, sigma, p, law in zip(
                SCORES, gate.sigma, gate.answered(y), gate.law(y), strict=True
            )
        ]
