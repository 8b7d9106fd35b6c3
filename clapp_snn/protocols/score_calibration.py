"""Score calibration: is the score that bursts report the score sum_i z_i zhat_i?

A population with known activity z and predictions zhat of known score u is read by spikes, window after
window: L3 with the half-wave and with the opponent read-out, L2 with the opponent read-out, and, as an
ablation, a single population of L3 minus its baseline, which reads too much. Averages and spread are
compared with the closed forms.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters, event_rate, fano_factor
from clapp_snn.neurons.interface import Neuron
from clapp_snn.neurons.parameters import quantity
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.protocols.protocol import OWN, Finding, Protocol, Record
from clapp_snn.protocols.score_reading import (
    Population,
    expected,
    population,
    read_scores,
    reader,
    standard_errors,
)

CLOSED = "closed form of the read-out"
BOUNDS = "closed form of the read-out, between clockwork and Poisson events"
SCORES = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
ERRORS = 4.5
"""Accepted distance of an average from its expectation, in standard errors."""


class Calibration(NamedTuple):
    """One read-out: scores from bursts, and mean and standard deviation in closed form.

    Attributes:
        u_hat: scores.
        mean, sd: in closed form; sd for Poisson events where Fano factors are not known.
        regular: sd for events like clockwork.
    """

    u_hat: Float[Tensor, "target repeat"]
    mean: Float[Tensor, "target"]
    sd: Float[Tensor, "target"]
    regular: Float[Tensor, "target"]

    @property
    def slope(self) -> float:
        """Regression of u_hat on u."""
        return _slope(self.u_hat.double().mean(dim=1))

    @property
    def expected_slope(self) -> tuple[float, float]:
        """The same of the closed form, and the standard error of `slope` from the closed form's spread."""
        centred = _centred()
        variance = self.sd.double().square() / self.u_hat.shape[1]
        error = (centred.square() * variance).sum().sqrt() / centred.square().sum()
        return _slope(self.mean.double()), float(error)

    @property
    def offset(self) -> float:
        """Average error of u_hat over all scores."""
        return float(self.u_hat.double().mean() - sum(SCORES) / len(SCORES))


def _centred() -> Float[Tensor, "target"]:
    u = torch.tensor(SCORES, dtype=torch.float64)
    return u - u.mean()


def _slope(averages: Float[Tensor, "target"]) -> float:
    centred = _centred()
    return float((centred * averages).sum() / centred.square().sum())


class CalibrationMeasurement(NamedTuple):
    """Every read-out by name, and the population that was read."""

    people: Population
    readouts: dict[str, Calibration]


@dataclass(frozen=True)
class ScoreCalibration(Protocol[CalibrationMeasurement]):
    """Size of the experiment."""

    name = "score-calibration"
    title = "Score calibration: scores from bursts against true scores"
    notes = (
        "The opponent read-out saturates where |zhat| is much larger than its root mean square; its closed "
        "form knows, and its slope lies a few per cent below 1.",
        "Events of L2 are more regular than Poisson events, less than a clock: the closed form with Fano "
        "factors 0 and 1 bounds its spread on both sides.",
    )

    dt: float = quantity(1.0, "ms", 0.1, 1.0, "time step", OWN)
    window: float = quantity(200.0, "ms", 20.0, 10_000.0, "length of a window", OWN)
    units: float = quantity(64, "", 2, 4096, "units of the population", OWN)
    repeats: float = quantity(500, "", 10, 1e5, "windows for every score", OWN)

    def measure(self, seed: int = 0) -> CalibrationMeasurement:
        """All read-outs at all scores."""
        people = population(int(self.units), SCORES, seed)
        opponent = EventBurst(EventBurstParameters(readout="opponent"), self.dt)
        plan: dict[str, tuple[Neuron[Any], bool]] = {
            "L3 half-wave": (EventBurst(dt=self.dt), False),
            "L3 opponent": (opponent, False),
            "L2 opponent": (StrictBurst(dt=self.dt), False),
            "L3 single population": (opponent, True),
        }
        readouts = {}
        for name, (neuron, single) in plan.items():
            settle = 200.0 if isinstance(neuron, StrictBurst) else 0.0
            how = reader(neuron, people, self.window, settle, single)
            fano: Tensor | float = 1.0
            if isinstance(neuron.params, EventBurstParameters):
                fano = fano_factor(event_rate(people.z, neuron.params, self.dt), self.dt)
            scores = read_scores(people, how, int(self.repeats), seed, name)
            regular = expected(people, how, 0.0)[1]
            readouts[name] = Calibration(scores.u_hat, *expected(people, how, fano), regular)
        return CalibrationMeasurement(people, readouts)

    def findings(self, measured: CalibrationMeasurement) -> list[Finding]:
        """Slope, offset, distance from the closed form and spread of every read-out."""
        found = []
        total = math.sqrt(self.repeats * len(SCORES))
        for name, readout in measured.readouts.items():
            sd = float(readout.sd.mean())
            offset = round(float(readout.mean.mean()) - sum(SCORES) / len(SCORES), 6)
            near = ERRORS * sd / total
            found.append(
                Finding(
                    f"{name}: bias of the score", readout.offset, "", offset,
                    offset - near, offset + near, CLOSED,
                )
            )  # fmt: skip
            if name == "L3 single population":
                continue
            slope, error = readout.expected_slope
            found.append(
                Finding(
                    f"{name}: slope against the true score", readout.slope, "", round(slope, 6),
                    slope - ERRORS * error, slope + ERRORS * error, CLOSED,
                )
            )  # fmt: skip
            distance = standard_errors(readout.u_hat, readout.mean)
            ratio = float(readout.u_hat.double().std(dim=1).mean() / readout.sd.mean())
            if name.startswith("L3"):
                found += [
                    Finding(
                        f"{name}: largest distance from the mean", distance, "SE", 0, 0, ERRORS, CLOSED
                    ),
                    Finding(
                        f"{name}: spread, measured over expected", ratio, "", 1,
                        1 - ERRORS / (math.sqrt(2) * total), 1 + ERRORS / (math.sqrt(2) * total), CLOSED,
                    ),
                ]  # fmt: skip
            else:
                chance = ERRORS / (math.sqrt(2) * total)
                least = float((readout.regular / readout.sd).mean())
                found.append(
                    Finding(
                        f"{name}: spread, measured over that of Poisson events", ratio, "", 1,
                        least * (1 - chance), 1 + chance, BOUNDS,
                    )
                )  # fmt: skip
        return found

    def records(self, measured: CalibrationMeasurement) -> list[Record]:
        """One row for each read-out and score."""
        return [
            {
                "readout": name,
                "u": u,
                "u_hat_mean": float(row.mean()),
                "u_hat_sd": float(row.std()),
                "windows": len(row),
                "mean_closed_form": float(mean),
                "sd_closed_form": float(sd),
            }
            for name, readout in measured.readouts.items()
            for u, row, mean, sd in zip(SCORES, *readout[:3], strict=True)
        ]
