"""Multiplexing: events carry the somatic input, burst probability the dendritic one.

Static: L1 with its background currents on a grid of constant currents, against an independent simulation.
Dynamic: somatic and dendritic currents switch with different periods; each channel should follow its own
current and not the other one. L2 and L3 run the same currents, and once more without any dendritic current:
their event trains must not differ in a single step.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import Inputs, Neuron, Outputs, simulate
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.parameters import MS_PER_S, quantity
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.protocols.multiplexing_reference import GRID, SOURCE, GridPoint
from clapp_snn.protocols.protocol import OWN, Finding, Protocol, Record, exactly

PAPER = "Naud and Sprekeler 2018, doi:10.1073/pnas.1720995115"
DYNAMIC = "own simulation in Brian2 2.9, dt 0.1 ms, 4000 neurons"
SEPARATE = f"{OWN}: channels that do not mix have correlation 0"
STRICT = "by construction of the model"
BIN = 10.0
OWN_CHANNEL = (0.85, 1.0)
OTHER_CHANNEL = (-0.15, 0.15)
"""Accepted correlations of a channel with its own current and with the other one."""
LAGS = 6
"""A channel may follow its current with a delay of up to LAGS - 1 bins."""


class Channels(NamedTuple):
    """Response of a population to the switching currents.

    Attributes:
        neurons: of the population.
        events: of all of them, in every bin.
        bursts: in every bin; a burst counts in the bin of its event.
        changed: events of a strict model that differ, in any neuron and step, when the dendritic current is
            left out; not counted for L1.
    """

    neurons: int
    events: Float[Tensor, "bin"]
    bursts: Float[Tensor, "bin"]
    changed: int

    @property
    def probability(self) -> Float[Tensor, "bin"]:
        """Bursts per event; 0 in a bin without events."""
        return self.bursts / self.events.clamp(min=1)


class Switching(NamedTuple):
    """A model under switching drives, in its own units.

    Attributes:
        neuron: of the population.
        low, high: somatic drives.
        apical: dendritic drive, when there is one.
        strict: True if its events must not depend on the dendrite.
    """

    neuron: Neuron[Any]
    low: float
    high: float
    apical: float
    strict: bool


class MultiplexingMeasurement(NamedTuple):
    """What one run gives.

    Attributes:
        grid: event rate (Hz) and burst probability of L1 at the currents of `GRID`.
        soma, apical: the two switching currents in every bin, 0 or 1.
        channels: of L1, L2 and L3.
    """

    grid: list[GridPoint]
    soma: Float[Tensor, "bin"]
    apical: Float[Tensor, "bin"]
    channels: dict[str, Channels]


@dataclass(frozen=True)
class Multiplexing(Protocol[MultiplexingMeasurement]):
    """Currents of both parts."""

    name = "multiplexing"
    title = "Multiplexing: events follow the soma, burst probability the dendrite"
    notes = (
        "L1 is multiplexed only approximately: its dendrite also moves its event rate, as the independent "
        "simulation of the same model does. In L2 and L3 events cannot depend on the dendrite.",
        "L1's correlations come from twice the population of the independent simulation, with bursts in "
        "their event's bin; its cross-correlations are therefore not compared with it, only with 0.",
        "Dendritic currents differ, so that burst probabilities are alike: L2 gets twice the current of L1, "
        "and L3 takes dimensionless drives, 0.1 and 0.4 at the soma and 0 or 0.2 at the dendrite.",
        "Relative errors leave out the grid points without somatic current, where rates are below 1 Hz.",
    )

    dt: float = quantity(0.5, "ms", 0.05, 1.0, "time step", OWN)
    neurons: float = quantity(600, "", 10, 1e6, "neurons at each grid point", SOURCE)
    duration: float = quantity(5000.0, "ms", 100.0, 1e6, "time at each grid point", SOURCE)
    switching: float = quantity(4470.0, "ms", 500.0, 1e6, "time under switching currents", OWN)
    population: float = quantity(
        8000, "", 10, 1e6, "L1 neurons under switching currents; half as many L2, L3", OWN
    )
    soma_low: float = quantity(100.0, "pA", 0.0, 1000.0, "lower somatic current", DYNAMIC)
    soma_high: float = quantity(300.0, "pA", 0.0, 1000.0, "upper somatic current", DYNAMIC)
    soma_period: float = quantity(200.0, "ms", 20.0, 1e4, "its period", DYNAMIC)
    apical_high: float = quantity(200.0, "pA", 0.0, 1000.0, "dendritic current, or none", DYNAMIC)
    apical_period: float = quantity(447.0, "ms", 20.0, 1e4, "its period", DYNAMIC)

    def contradictions(self) -> list[str]:
        """A time step that does not fit into the bins."""
        if not math.isclose(round(BIN / self.dt) * self.dt, BIN):
            return [f"{BIN:g} ms must be a whole number of steps of dt, not {self.dt:g} ms"]
        return []

    def measure(self, seed: int = 0) -> MultiplexingMeasurement:
        """The grid, then the switching currents for every model."""
        soma, apical = self._waves()
        low, high, on = self.soma_low, self.soma_high, self.apical_high
        models = {
            "L1": Switching(NaudSprekeler(dt=self.dt), low, high, on, False),
            # From 0 to 400 pA the burst probability of L2 goes from 0.10 to 0.41.
            "L2": Switching(StrictBurst(dt=self.dt), low, high, 2 * on, True),
            "L3": Switching(
                EventBurst(EventBurstParameters(t_ref=20.0), self.dt), 0.1, 0.4, 0.2, True
            ),
        }
        channels = {name: self._respond(m, soma, apical, seed) for name, m in models.items()}
        per_bin = round(BIN / self.dt)
        return MultiplexingMeasurement(
            self._grid(seed), soma[::per_bin], apical[::per_bin], channels
        )

    def _waves(self) -> tuple[Float[Tensor, "step"], Float[Tensor, "step"]]:
        """Both square waves, 0 or 1 in every step; whole bins only."""
        bins = int(self.switching // BIN)
        t = self.dt * torch.arange(bins * round(BIN / self.dt))
        soma, apical = (
            ((t / period) % 1 < 0.5).to(torch.float32)
            for period in (self.soma_period, self.apical_period)
        )
        return soma, apical

    def _grid(self, seed: int) -> list[GridPoint]:
        neuron = NaudSprekeler(dt=self.dt)
        shape = (len(GRID), int(self.neurons))
        soma, apical = (
            torch.tensor([[point[port]] for point in GRID]).expand(shape) for port in (0, 1)
        )
        events, bursts = torch.zeros(2, len(GRID), dtype=torch.float64)

        def count(index: int, inputs: Inputs, outputs: Outputs, state: object) -> None:
            events.add_(outputs.event.sum(dim=1))
            bursts.add_(outputs.burst.sum(dim=1))

        steps = round(self.duration / self.dt)
        source = Streams.from_seed(seed, "multiplexing", "grid")
        simulate(neuron, Inputs(soma, apical), steps, source=source, observe=count)
        seconds = self.neurons * self.duration / MS_PER_S
        return [
            GridPoint(point.soma, point.apical, float(e) / seconds, float(b) / max(float(e), 1.0))
            for point, e, b in zip(GRID, events, bursts, strict=True)
        ]

    def _respond(
        self,
        model: Switching,
        soma: Float[Tensor, "step"],
        apical: Float[Tensor, "step"],
        seed: int,
    ) -> Channels:
        """Run the population; if strict, also its twin with the same draws but no dendritic current."""
        neuron, low, high, on, strict = model
        # A strict model runs twice, and its burst probability is less noisy.
        shape = torch.Size([int(self.population) // (2 if strict else 1)])
        state = twin = neuron.initial_state(shape)
        source = Streams.from_seed(seed, "multiplexing", type(neuron).__name__)
        per_bin = round(BIN / self.dt)
        events, bursts = torch.zeros(2, len(soma) // per_bin)
        bin_of_event = torch.zeros(shape, dtype=torch.int64)
        changed = 0
        for index, (basal, top) in enumerate(
            zip(low + (high - low) * soma, on * apical, strict=True)
        ):
            draws = neuron.draw(source, shape, basal.dtype, basal.device)
            drive = Inputs(basal.expand(shape), top.expand(shape))
            outputs, state = neuron.step(drive, state, draws)
            if strict:
                alone, twin = neuron.step(drive._replace(apical=0 * drive.apical), twin, draws)
                changed += int((outputs.event != alone.event).sum())
            fired = outputs.event > 0
            bin_of_event[fired] = index // per_bin
            events[index // per_bin] += fired.sum()
            bursts += torch.bincount(bin_of_event[outputs.burst > 0], minlength=len(bursts))
        return Channels(shape.numel(), events, bursts, changed)

    def findings(self, measured: MultiplexingMeasurement) -> list[Finding]:
        """Distance from the independent simulation, own and other channel of every model, invariance."""
        # At dt = 1 ms the scheme itself fires up to 4 % more events and bursts up to 0.03 less often.
        coarse = self.dt > 0.5
        rate_error = [abs(a.event_rate / b.event_rate - 1) for a, b in _pairs(measured)]
        probability_error = [
            abs(a.burst_probability - b.burst_probability) for a, b in _pairs(measured)
        ]
        found = [
            Finding(
                "L1: largest error of the event rate on the grid",
                100 * max(rate_error), "%", 0, 0, 7 if coarse else 5, SOURCE,
            ),
            Finding(
                "L1: largest error of the burst probability",
                max(probability_error), "", 0, 0, 0.05 if coarse else 0.03, SOURCE,
            ),
        ]  # fmt: skip
        # 18 points are 4.5 Poisson standard errors of both simulations.
        for soma, top, expected, points in (
            (100.0, 200.0, 14.0, 5.0), (500.0, 200.0, -12.0, 5.0),
            (100.0, 400.0, 58.6, 18.0), (500.0, 400.0, -29.0, 5.0),
        ):  # fmt: skip
            change = 100 * (
                _rate(measured.grid, soma, top) / _rate(measured.grid, soma, -200.0) - 1
            )
            found.append(
                Finding(
                    f"L1: change of the event rate, I_d -200 to {top:g} pA, I_s = {soma:g} pA",
                    change, "%", expected, expected - points, expected + points, SOURCE,
                )
            )  # fmt: skip
        for name, channels in measured.channels.items():
            sources = (DYNAMIC,) * 2 if name == "L1" else (OWN, OWN)
            across = SEPARATE if name == "L1" else STRICT
            own_e = following(channels.events, measured.soma)
            own_p = following(channels.probability, measured.apical)
            other_e = following(channels.events, measured.apical)
            other_p = following(channels.probability, measured.soma)
            wanted = {"L1": (0.947, 0.898)}.get(name, (0.95, 0.95))
            found += [
                Finding(f"{name}: correlation of {channel}", value, "", expected, *span, source)
                for (channel, value, span), expected, source in zip(
                    (
                        ("events with I_s", own_e, OWN_CHANNEL),
                        ("burst probability with I_d", own_p, OWN_CHANNEL),
                        ("events with I_d", other_e, OTHER_CHANNEL),
                        ("burst probability with I_s", other_p, OTHER_CHANNEL),
                    ),
                    (*wanted, 0.0, 0.0),
                    (*sources, across, across),
                    strict=True,
                )
            ]
        found += [
            exactly(
                f"{name}: events changed by the dendritic current",
                measured.channels[name].changed, 0, STRICT,
            )
            for name in ("L2", "L3")
        ]  # fmt: skip
        return found

    def records(self, measured: MultiplexingMeasurement) -> list[Record]:
        """One row a grid point, beside the independent simulation."""
        return [
            {
                "I_s_pA": a.soma,
                "I_d_pA": a.apical,
                "event_rate_Hz": a.event_rate,
                "event_rate_Hz_reference": b.event_rate,
                "burst_probability": a.burst_probability,
                "burst_probability_reference": b.burst_probability,
            }
            for a, b in _pairs(measured)
        ]


def _pairs(measured: MultiplexingMeasurement) -> list[tuple[GridPoint, GridPoint]]:
    return list(zip(measured.grid, GRID, strict=True))


def _rate(grid: list[GridPoint], soma: float, apical: float) -> float:
    (rate,) = (p.event_rate for p in grid if (p.soma, p.apical) == (soma, apical))
    return rate


def following(channel: Float[Tensor, "bin"], current: Float[Tensor, "bin"]) -> float:
    """Pearson correlation of a channel with a current, at the delay of 0 to 50 ms where it is largest."""
    correlations = []
    for lag in range(LAGS):
        pair = torch.stack([channel[lag:], current[: len(current) - lag]])
        correlations.append(float(torch.corrcoef(pair)[0, 1]))
    return max(correlations, key=abs)
