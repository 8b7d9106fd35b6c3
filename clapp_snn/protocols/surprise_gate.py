"""Surprise gate: how often the nucleus answers, against P(gamma != 0) = Phi((1 - y u) / sigma).

Half-wave L3 units with known scores are read by spikes; both margin neurons integrate, and one pulse at the
end of the window reads them. The average hinge loss of the noisy scores is the smoothed hinge, and the gate
its slope.

What is measured is compared with the exact law of the burst counts, where chance alone remains; how far that
law is from the normal one is computed, not measured.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.surprise import SurpriseNucleus, gate_probability
from clapp_snn.neurons.event_burst import (
    EventBurst,
    EventBurstParameters,
    burst_probability,
    event_rate,
    fano_factor,
)
from clapp_snn.neurons.parameters import MS_PER_S, quantity
from clapp_snn.protocols.burst_count_law import ScoreLaw, score_law
from clapp_snn.protocols.protocol import OWN, Finding, Protocol, Record, exactly
from clapp_snn.protocols.score_reading import (
    Population,
    Reader,
    expected,
    population,
    read_scores,
    reader,
)

EXACT = "exact law of burst counts; 4.5 standard errors at any score"
EDGEWORTH = "exact law against Phi; skew and the step of one burst, to first order (Edgeworth)"
ERRORS = 4.5
"""Accepted distance from the exact law, in standard errors."""
RARE = 10.0
"""Fewest expected answers of a score whose average hinge is compared: the average of fewer is not normal."""
SCORES = (-3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
WINDOWS = (200.0, 500.0)


class Gate(NamedTuple):
    """Answers of the nucleus after windows of one length.

    Attributes:
        u_hat: scores from bursts.
        exact: their distribution.
        sigma: their expected standard deviation.
        fixation, saccade: gamma where the saccade signal says fixation (y = 1) and saccade (y = -1).
    """

    u_hat: Float[Tensor, "target repeat"]
    exact: ScoreLaw
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

    def gate_errors(self, y: int) -> float:
        """Largest distance of `answered` from the exact law in standard errors.

        Taken between arcsines of square roots, whose standard error is 1 / (2 sqrt(windows)) at any share.
        """
        shares = torch.stack([self.answered(y), self.exact.answers(y).clamp(0, 1)])
        apart = shares.sqrt().asin().diff(dim=0).abs().max()
        return float(apart) * 2 * math.sqrt(self.u_hat.shape[1])

    def hinge_errors(self, y: int) -> float:
        """Largest distance of an average hinge from the exact law in standard errors."""
        windows = self.u_hat.shape[1]
        mean, sd = self.exact.hinge(y)
        hinge = (1 - y * self.u_hat.double()).clamp(min=0).mean(dim=1)
        common = self.exact.answers(y) * windows >= RARE
        return float((hinge - mean)[common].abs().div(sd[common]).max()) * math.sqrt(windows)

    def normality(self, y: int) -> tuple[float, float]:
        """Largest |exact law - Phi|, and the largest that skew and lattice explain to first order."""
        score, probability = self.exact
        centred = score - (probability @ score)[:, None]
        skew = (probability * centred**3).sum(dim=1) / self.sigma**3
        d = (1 - y * torch.tensor(SCORES, dtype=torch.float64)) / self.sigma
        density = torch.exp(-d.square() / 2) / math.sqrt(2 * math.pi)
        half_step = (score[1] - score[0]) / (2 * self.sigma)
        bound = density * (skew.abs() / 6 * (d.square() - 1).abs() + half_step)
        return float((self.exact.answers(y) - self.law(y)).abs().max()), float(bound.max())


@dataclass(frozen=True)
class SurpriseGate(Protocol[dict[float, Gate]]):
    """Size of the experiment."""

    name = "surprise-gate"
    title = "Surprise gate: probability of gamma != 0 against Phi"
    notes = (
        "Scores from bursts are multiples of the weight of one burst and a little skewed, which the normal "
        "law ignores.",
    )

    dt: float = quantity(1.0, "ms", 0.1, 1.0, "time step", OWN)
    units: float = quantity(64, "", 2, 4096, "units of the population", OWN)
    repeats: float = quantity(800, "", 20, 1e5, "windows for every score and length", OWN)

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
                exact_law(people, how),
                expected(people, how, fano)[1],
                *(each.view_as(scores.u_hat) for each in gamma),
            )
        return gates

    def findings(self, measured: dict[float, Gate]) -> list[Finding]:
        """Distance of gate and hinge from their exact law, of that law from Phi, and the sign of gamma."""
        found = []
        for window, gate in measured.items():
            for y, what in ((1, "fixation"), (-1, "saccade")):
                apart, explained = gate.normality(y)
                where = f"{what}, {window:g} ms"
                found += [
                    Finding(
                        f"{where}: largest distance of P(gamma != 0)", gate.gate_errors(y), "SE", 0, 0,
                        ERRORS, EXACT,
                    ),
                    Finding(
                        f"{where}: largest distance of the average hinge", gate.hinge_errors(y), "SE", 0, 0,
                        ERRORS, EXACT,
                    ),
                    Finding(
                        f"{where}: largest |P(gamma != 0) - Phi|, computed", apart, "", 0, 0, explained,
                        EDGEWORTH,
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
                "P_exact": float(exact),
                "P_law": float(law),
                "windows": gate.u_hat.shape[1],
            }
            for window, gate in measured.items()
            for y in (1, -1)
            for u, sigma, p, exact, law in zip(
                SCORES,
                gate.sigma,
                gate.answered(y),
                gate.exact.answers(y),
                gate.law(y),
                strict=True,
            )
        ]


def exact_law(people: Population, how: Reader) -> ScoreLaw:
    """Exact law of the scores that `how` reads from a population of half-wave units."""
    params, dt = cast(EventBurstParameters, how.neuron.params), how.neuron.dt
    zhat = how.kappa * people.zhat.double()
    events = event_rate(people.z.double(), params, dt) * dt / MS_PER_S
    on, off = (events * burst_probability(drive, params) for drive in (zhat, -zhat))
    weight = how.detector.weight(torch.tensor(how.kappa, dtype=torch.float64))
    return score_law(on, off, how.detector.steps, float(weight))
