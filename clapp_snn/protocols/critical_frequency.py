"""Critical frequency: only fast somatic trains start a plateau in the dendrite (L1).

Five somatic pulses at a given frequency, nothing into the dendrite. Below a critical frequency the dendrite
follows the back-propagating action potentials; above it they sum to a plateau, all or none (experiment:
Larkum, Kaiser and Sakmann 1999, PNAS 96:14600, who report 60 to 200 Hz).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.naud_sprekeler import NaudSprekeler, NaudSprekelerParameters
from clapp_snn.neurons.parameters import quantity
from clapp_snn.protocols.protocol import OWN, Finding, Protocol, Record
from clapp_snn.protocols.traces import Traces, inject, square, step_times

EXPERIMENT = "Larkum, Kaiser and Sakmann 1999, PNAS 96:14600"
SIMULATED = "own reference simulation, dt 0.1 ms"
ALL_OR_NONE = f"{OWN}: criterion of an all-or-none plateau"
PULSES = 5
ONSET = 50.0
PLATEAU = 10.0
"""A dendrite that stays above E_d for longer than this many ms, in all, counts as a plateau."""


class CriticalMeasurement(NamedTuple):
    """Response to every frequency.

    Attributes:
        frequency: of the somatic pulses, Hz.
        above: total time of the dendrite above E_d, ms.
        spikes: number of action potentials.
        traces: of all frequencies.
    """

    frequency: Float[Tensor, "frequency"]
    above: Float[Tensor, "frequency"]
    spikes: Float[Tensor, "frequency"]
    traces: Traces


@dataclass(frozen=True)
class CriticalFrequency(Protocol[CriticalMeasurement]):
    """Pulses of the protocol; the neuron is L1 without background currents."""

    name = "critical-frequency"
    title = "Critical frequency: five action potentials and the dendritic plateau"
    notes = (
        "Below 78 Hz the adaptation of this model lets only four of the five pulses cause an action "
        "potential.",
        f"The experiment ({EXPERIMENT}) reports 60 to 200 Hz over cells; the model is one cell, and is "
        "compared with an independent simulation of itself.",
    )

    dt: float = quantity(0.1, "ms", 0.01, 1.0, "time step", OWN)
    amplitude: float = quantity(6000.0, "pA", 0.0, 1e5, "somatic pulses", OWN)
    width: float = quantity(2.0, "ms", 0.5, 5.0, "their duration", OWN)

    def measure(self, seed: int = 0) -> CriticalMeasurement:
        """All frequencies from 20 to 200 Hz in steps of 2 Hz as one batch in float64; nothing is random."""
        params = NaudSprekelerParameters().quiet()
        frequency = torch.arange(20.0, 201.0, 2.0, dtype=torch.float64)
        t = step_times(ONSET + PULSES * 50.0 + 100.0, self.dt)
        soma = torch.zeros(len(t), len(frequency), dtype=torch.float64)
        for pulse in range(PULSES):
            soma += self.amplitude * square(t, ONSET + pulse * 1000 / frequency, self.width)
        traces = inject(NaudSprekeler(params, self.dt), soma, torch.zeros_like(soma))
        above = self.dt * (traces.v_d > params.e_plateau).sum(dim=0).to(torch.float64)
        return CriticalMeasurement(frequency, above, traces.counts().to(torch.float64), traces)

    def findings(self, measured: CriticalMeasurement) -> list[Finding]:
        """Critical frequency, and how sharp it is."""
        below, beyond = (
            float(measured.above[measured.frequency == hertz].squeeze()) for hertz in (80.0, 90.0)
        )
        critical = critical_frequency(measured)
        return [
            Finding("critical frequency", critical, "Hz", 85, 80, 92, SIMULATED),
            Finding("dendrite above E_d at 80 Hz", below, "ms", 2.6, 0, 5, SIMULATED),
            Finding("dendrite above E_d at 90 Hz", beyond, "ms", 31, 12, 45, SIMULATED),
            Finding(
                "frequencies above the critical one without a plateau",
                float((measured.above[measured.frequency > critical] <= PLATEAU).sum()),
                "", 0, 0, 0, ALL_OR_NONE,
            ),
        ]  # fmt: skip

    def records(self, measured: CriticalMeasurement) -> list[Record]:
        """One row a frequency."""
        return [
            {
                "frequency_Hz": float(frequency),
                "above_E_d_ms": round(float(above), 3),
                "action_potentials": int(spikes),
            }
            for frequency, above, spikes in zip(*measured[:3], strict=True)
        ]


def critical_frequency(measured: CriticalMeasurement) -> float:
    """Middle between the slowest train with a plateau and the next slower one, Hz; NaN without either."""
    reached = measured.above > PLATEAU
    if not reached.any() or reached[0]:
        return float("nan")
    first = int(reached.to(torch.int8).argmax())
    return float(measured.frequency[first - 1 : first + 1].mean())
