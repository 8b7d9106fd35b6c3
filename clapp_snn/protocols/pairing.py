"""Apical gating of plasticity: only basal and apical input together raise an EPSP.

Design after Aceituno et al. 2024 (bioRxiv 2024.04.10.588837): layer-5 cells, 8 pairings at 0.1 Hz. Each
pairing is one window of an area with a single unit (Eq. 6), in rate code and twice in event/burst code;
between pairings everything decays. In code "spikes" synapses know the dendrite (A of Eq. 6); in code "bursts"
they know nothing but the bursts of their own neuron (`post_factor="burst"`). CLAPP adds a prediction: after
a saccade the same pairing lowers the EPSP.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState
from clapp_snn.functional.window_plasticity import Post, WindowTraces, window_update
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.interface import Neuron
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.parameters import quantity
from clapp_snn.neurons.rate import Rate
from clapp_snn.protocols.protocol import OWN, Finding, Protocol, Record, exactly
from clapp_snn.randomness import generator

EXPERIMENT = "Aceituno et al. 2024, bioRxiv 2024.04.10.588837 (direction only)"
RULE = "Illing et al. 2021, arXiv:2010.08262, Eq. 6"
PREDICTION = "prediction of CLAPP"
ACTIVE = 10
"""Active synapses; as many others are silent."""


class Condition(NamedTuple):
    """What happens in a pairing: basal input, apical input in units of the protocol's, saccade signal y."""

    basal: bool
    apical: float
    y: int


CONDITIONS = {
    "basal only": Condition(True, 0.0, 1),
    "apical only": Condition(False, 1.0, 1),
    "paired": Condition(True, 1.0, 1),
    "paired, after a saccade": Condition(True, 1.0, -1),
}
STRENGTHS = tuple(round(-1.5 + 0.25 * k, 2) for k in range(13))
"""Apical inputs of the linearity test, in units of the protocol's."""


class PairingMeasurement(NamedTuple):
    """Weight changes summed over all pairings; the first `ACTIVE` synapses are active.

    Attributes:
        change: by code ("rate", "spikes", "bursts") and condition.
        strength: by code, change of the mean active weight at each of the `STRENGTHS`, for y = 1 and y = -1.
    """

    change: dict[str, dict[str, Float[Tensor, "cell synapse"]]]
    strength: dict[str, dict[int, Float[Tensor, "strength"]]]


@dataclass(frozen=True)
class Pairing(Protocol[PairingMeasurement]):
    """Pairings of the protocol."""

    name = "aceituno"
    title = "Pairing basal and apical input: what raises an EPSP"
    notes = (
        "The size of the measured increase is not known to us, so that only directions are compared.",
        "In the event/burst code a strong prediction teaches less on average: its noisy score passes the "
        "margin more often (smoothed hinge).",
        "In the codes rate and spikes the rule needs an active apical dendrite, not a burst; without it the "
        "change is a product with 0. In the code bursts it is 0 because no burst occurs.",
    )

    dt: float = quantity(1.0, "ms", 0.1, 1.0, "time step of the event/burst code", OWN)
    pairings: float = quantity(8, "", 1, 1000, "at 0.1 Hz, so that none meets the next", EXPERIMENT)
    window: float = quantity(200.0, "ms", 20.0, 2000.0, "length of one pairing", OWN)
    apical: float = quantity(0.5, "", 0.0, 0.6, "apical input A = W_pred c", OWN)
    eta: float = quantity(0.01, "", 0.0, 1.0, "learning rate", OWN)
    cells: float = quantity(100, "", 1, 1e5, "cells of the event/burst code", OWN)

    def measure(self, seed: int = 0) -> PairingMeasurement:
        """All conditions and strengths of a code as one batch, in float64."""
        sweep = [Condition(True, a, y) for y in (1, -1) for a in STRENGTHS]
        change, strength = {}, {}
        spiking = EventBurst(dt=self.dt)
        codes: dict[str, tuple[Neuron[Any], Post]] = {
            "rate": (Rate(), "drive"),
            "spikes": (spiking, "drive"),
            "bursts": (spiking, "burst"),
        }
        for code, (neuron, post) in codes.items():
            pairs = self._pair(neuron, post, [*CONDITIONS.values(), *sweep], seed)
            change[code] = dict(zip(CONDITIONS, pairs, strict=False))
            means = pairs[len(CONDITIONS) :, :, :ACTIVE].mean(dim=(1, 2))
            strength[code] = dict(zip((1, -1), means.view(2, -1), strict=True))
        return PairingMeasurement(change, strength)

    def _pair(
        self, neuron: Neuron[Any], post: Post, conditions: list[Condition], seed: int
    ) -> Float[Tensor, "condition cell synapse"]:
        rate_code = isinstance(neuron, Rate)
        cells = 1 if rate_code else int(self.cells)
        area = StreamArea(
            2 * ACTIVE, 1, neuron, neuron.dt if rate_code else self.window, retro="zero",
            post_factor=post,
        ).double()  # fmt: skip
        area.weight.data.fill_(1 / ACTIVE)
        area.bias.data.zero_()
        area.W_pred.data.fill_(self.apical)
        basal, apical, y = torch.tensor(conditions, dtype=torch.float64).T.repeat_interleave(
            cells, dim=1
        )
        source = Streams.from_seed(seed, "pairing")
        inputs = generator(seed, "pairing", "inputs")
        total = torch.zeros(len(y), 2 * ACTIVE, dtype=torch.float64)
        for _ in range(int(self.pairings)):
            state = _at_rest(area, apical)
            for _ in range(area.steps):
                x = torch.zeros_like(total)
                x[:, :ACTIVE] = basal[:, None] * self._input(area, len(y), rate_code, inputs)
                _, state = area.step(x, state, source)
            reading = area.read(state, y)
            total += self.eta * _by_cell(reading.gamma, reading.traces, area.W_pred.detach())
        return total.unflatten(0, (-1, cells))

    def _input(
        self, area: StreamArea, cells: int, rate_code: bool, stream: torch.Generator
    ) -> Float[Tensor, "cell active"]:
        """Activity 1 of every active input: a rate, or events of that mean."""
        if rate_code:
            return torch.ones(cells, ACTIVE, dtype=torch.float64)
        chance = area.port.rho * self.dt / 1000
        drawn = torch.rand(cells, ACTIVE, dtype=torch.float64, generator=stream)
        return (drawn < chance).double() / chance

    def findings(self, measured: PairingMeasurement) -> list[Finding]:
        """Directions in both codes, and linearity and mirror symmetry in the rate code."""
        found = []
        for code, changes in measured.change.items():
            for name in ("basal only", "apical only"):
                found.append(
                    exactly(
                        f"{code}: largest weight change, {name}",
                        float(changes[name].abs().max()), 0, EXPERIMENT,
                    )
                )  # fmt: skip
            for name, sign, source in (
                ("paired", 1, EXPERIMENT),
                ("paired, after a saccade", -1, PREDICTION),
            ):
                active, silent = changes[name][:, :ACTIVE], changes[name][:, ACTIVE:]
                what = "potentiated" if sign == 1 else "depressed"
                found += [
                    Finding(
                        f"{code}: active synapses {what}, {name}",
                        100 * float((sign * active > 0).double().mean()), "%", 100, 99, 100, source,
                    ),
                    exactly(
                        f"{code}: largest change of silent synapses, {name}",
                        float(silent.abs().max()), 0, RULE,
                    ),
                ]  # fmt: skip
        exact = measured.strength["rate"]
        a = torch.tensor(STRENGTHS, dtype=torch.float64) * self.apical
        slope = self.eta * int(self.pairings)
        error = float((exact[1] / slope - a).abs().max())
        mirror = float((exact[1] + exact[-1]).abs().max())
        found += [
            Finding("rate: largest deviation from linearity in A", error, "", 0, 0, 1e-6, RULE),
            Finding("rate: largest |dW(y = 1) + dW(y = -1)|", mirror, "", 0, 0, 1e-12, PREDICTION),
        ]
        return found

    def records(self, measured: PairingMeasurement) -> list[Record]:
        """One row for each code and condition, and for each strength."""
        rows: list[Record] = []
        for code, changes in measured.change.items():
            for name, change in changes.items():
                active = change[:, :ACTIVE]
                rows.append(
                    _row(
                        code,
                        name,
                        CONDITIONS[name].apical * self.apical,
                        CONDITIONS[name].y,
                        active,
                    )
                )
            for y, values in measured.strength[code].items():
                rows += [
                    _row(code, "strength", a * self.apical, y, value)
                    for a, value in zip(STRENGTHS, values, strict=True)
                ]
        return rows


def _row(code: str, condition: str, apical: float, y: int, change: Tensor) -> Record:
    return {
        "code": code,
        "condition": condition,
        "A": apical,
        "y": y,
        "dW_active_mean": float(change.mean()),
    }


def _at_rest(area: StreamArea, apical: Float[Tensor, "cell"]) -> StreamAreaState:
    """Nothing remembered but a context of size `apical`, which the dendrites have latched."""
    state = area.initial_state(len(apical))
    context = apical[:, None]
    return state._replace(
        memory=state.memory._replace(context=context), apical=context @ area.W_pred.detach().T
    )


def _by_cell(
    gamma: Float[Tensor, "cell"], traces: WindowTraces, W_pred: Float[Tensor, "1 1"]
) -> Float[Tensor, "cell synapse"]:
    """Eq. 6 for every cell by itself."""
    rows = (WindowTraces(*(t[i : i + 1] for t in traces)) for i in range(len(gamma)))
    return torch.cat(
        [
            window_update(gamma[i : i + 1], row, W_pred, None, "zero").weight
            for i, row in enumerate(rows)
        ]
    )
