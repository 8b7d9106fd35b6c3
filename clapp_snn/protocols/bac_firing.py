"""Back-propagating-action-potential-activated calcium (BAC) firing of the two-compartment neuron L1.

A short current into the soma and an EPSP-like current into the dendrite, 5 ms later: the soma alone gives one
action potential, the dendrite alone none, both together a burst (experiment: Larkum, Zhu and Sakmann 1999,
Nature 398:338). The same pulses with other amplitudes and lags give the coupling and the time window.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clapp_snn.neurons.naud_sprekeler import NaudSprekeler, NaudSprekelerParameters
from clapp_snn.neurons.parameters import quantity
from clapp_snn.protocols.protocol import OWN, Finding, Protocol, Record, exactly
from clapp_snn.protocols.traces import Traces, epsp, inject, square, step_times

EXPERIMENT = "Larkum, Zhu and Sakmann 1999, Nature 398:338 (as reported)"
SIMULATED = "own simulation in Brian2 2.9, dt 0.1 ms"
DESIGN = f"{OWN}; pulses chosen for this neuron"

SOMA_ONSET = 50.0
DURATION = 200.0
ABOVE = -40.0
CONDITIONS = ("soma only", "apical only", "both", "3 x apical", "both, inhibited")
STEP = 25.0
"""Grid of the threshold searches, pA."""


class BACMeasurement(NamedTuple):
    """What one run of the protocol gives.

    Attributes:
        traces: of the five `CONDITIONS`.
        apical_pA: amplitudes of the apical pulse.
        alone, paired: number of action potentials at each of them, without and with the somatic pulse.
        soma_pA: amplitudes of the somatic pulse.
        soma_alone: number of action potentials at each of them.
        lags: apical minus somatic onset, ms.
        at_lag: number of action potentials at each of them.
    """

    traces: Traces
    apical_pA: Float[Tensor, "amplitude"]
    alone: Int[Tensor, "amplitude"]
    paired: Int[Tensor, "amplitude"]
    soma_pA: Float[Tensor, "soma_amplitude"]
    soma_alone: Int[Tensor, "soma_amplitude"]
    lags: Float[Tensor, "lag"]
    at_lag: Int[Tensor, "lag"]


@dataclass(frozen=True)
class BACFiring(Protocol[BACMeasurement]):
    """Pulses of the protocol; the neuron is L1 without background currents."""

    name = "bac"
    title = "BAC firing: a burst from the coincidence of soma and dendrite"
    notes = (
        "The experiment reports faster bursts: this model's intervals within a burst are 13 to 14 ms "
        "(71 to 75 Hz), those of a detailed model (Hay et al. 2011, our run in NEURON) 9.7 and 18.0 ms.",
        "No apical pulse makes more than three action potentials, or intervals under 11.6 ms; the model's "
        "own burst criterion is an interval of at most 16 ms (62.5 Hz).",
    )

    dt: float = quantity(0.1, "ms", 0.01, 1.0, "time step", OWN)
    soma_pulse: float = quantity(2000.0, "pA", 0.0, 1e5, "somatic pulse", DESIGN)
    soma_width: float = quantity(5.0, "ms", 0.5, 50.0, "its duration", DESIGN)
    apical_peak: float = quantity(700.0, "pA", 0.0, 1e5, "peak of the apical current", DESIGN)
    tau_rise: float = quantity(2.0, "ms", 0.1, 50.0, "its rise", DESIGN)
    tau_decay: float = quantity(10.0, "ms", 0.1, 100.0, "its decay", DESIGN)
    lag: float = quantity(5.0, "ms", -50.0, 50.0, "apical minus somatic onset", DESIGN)
    inhibition: float = quantity(
        400.0, "pA", 0.0, 1e5, "dendritic inhibition for 50 ms from the apical onset", DESIGN
    )

    def measure(self, seed: int = 0) -> BACMeasurement:
        """Run all conditions as one batch in float64; nothing is random."""
        apical_pA = torch.arange(STEP, 1500.0 + STEP, STEP, dtype=torch.float64)
        soma_pA = torch.arange(1000.0, 2500.0 + STEP, STEP, dtype=torch.float64)
        lags = torch.arange(-30.0, 31.0, dtype=torch.float64)
        soma, apical, inhibited = torch.tensor(
            [(1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 3, 0), (1, 1, 1)], dtype=torch.float64
        ).T
        a, s, n = len(apical_pA), len(soma_pA), len(lags)
        pulse, peak = self.soma_pulse, self.apical_peak
        soma = torch.cat(
            [
                pulse * soma,
                torch.zeros(a),
                torch.full((a,), pulse),
                soma_pA,
                torch.full((n,), pulse),
            ]
        )
        apical = torch.cat(
            [peak * apical, apical_pA, apical_pA, torch.zeros(s), torch.full((n,), peak)]
        )
        onset = torch.full_like(soma, SOMA_ONSET + self.lag)
        onset[-n:] = SOMA_ONSET + lags
        inhibited = torch.cat([inhibited, torch.zeros(len(soma) - len(CONDITIONS))])

        t = step_times(DURATION, self.dt)
        response = inject(
            NaudSprekeler(NaudSprekelerParameters().quiet(), self.dt),
            soma * square(t, SOMA_ONSET, self.soma_width),
            apical * epsp(t, onset, self.tau_rise, self.tau_decay)
            - self.inhibition * inhibited * square(t, onset, 50.0),
        )
        shown = Traces(response.time, *(values[:, : len(CONDITIONS)] for values in response[1:]))
        counts = response.counts()[len(CONDITIONS) :]
        alone, paired, soma_alone, at_lag = counts.split([a, a, s, n])
        return BACMeasurement(shown, apical_pA, alone, paired, soma_pA, soma_alone, lags, at_lag)

    def findings(self, measured: BACMeasurement) -> list[Finding]:
        """Action potentials, intervals, plateau, coupling and time window."""
        traces = measured.traces
        counts = [int(count) for count in traces.counts()]
        burst = torch.tensor(traces.spike_times(CONDITIONS.index("both"))).diff()
        shortest, longest = (float(f(burst)) if len(burst) else float("nan") for f in (min, max))
        late = traces.spike_times(CONDITIONS.index("3 x apical"))
        v_d = traces.v_d[:, CONDITIONS.index("both")]
        alone = _least(measured.apical_pA, measured.alone >= 1)
        paired = _least(measured.apical_pA, measured.paired >= 2)
        first, last = _window(measured.lags, measured.at_lag >= 2)
        first3, last3 = _window(measured.lags, measured.at_lag >= 3)
        rheobase = _least(measured.soma_pA, measured.soma_alone >= 1)
        return [
            exactly("action potentials, soma only", counts[0], 1, EXPERIMENT),
            exactly("action potentials, apical only", counts[1], 0, EXPERIMENT),
            Finding("action potentials, both", counts[2], "", 3, 2, 4, EXPERIMENT),
            exactly("action potentials, both with dendritic inhibition", counts[4], 1, EXPERIMENT),
            Finding("shortest interval in the burst", shortest, "ms", 13.3, 8, 16, SIMULATED),
            Finding("longest interval in the burst", longest, "ms", 14.1, 8, 16, SIMULATED),
            Finding(
                "time of the dendrite above -40 mV", _above(v_d, self.dt), "ms", 38.8, 34, 43, SIMULATED
            ),
            Finding("peak of the dendrite", float(v_d.max()), "mV", 10.4, 6, 14, SIMULATED),
            Finding(
                "3 x apical only: first action potential after the onset",
                late[0] - SOMA_ONSET - self.lag if late else float("nan"),
                "ms", 11.0, 8, 20, SIMULATED,
            ),
            Finding(
                "coupling: apical threshold lowered by the somatic pulse",
                100 * (1 - paired / alone), "%", 55.3, 40, 70, SIMULATED,
            ),
            Finding("coincidence window, >= 2 APs: first lag", first, "ms", -13, -18, -8, SIMULATED),
            Finding("coincidence window, >= 2 APs: last lag", last, "ms", 9, 5, 13, SIMULATED),
            Finding("coincidence window, >= 2 APs: width", last - first, "ms", 22, 12, 25, SIMULATED),
            Finding("coincidence window, 3 APs: width", last3 - first3, "ms", 14, 10, 18, SIMULATED),
            Finding("somatic rheobase, 5 ms pulse", rheobase, "pA", 1725, 1650, 1800, SIMULATED),
        ]  # fmt: skip

    def records(self, measured: BACMeasurement) -> list[Record]:
        """One row for each condition, amplitude and lag: sweep, value, unit, action potentials."""
        rows: list[Record] = []
        for index, condition in enumerate(CONDITIONS):
            times = measured.traces.spike_times(index)
            rows.append(
                {
                    "sweep": condition,
                    "value": "",
                    "unit": "",
                    "action_potentials": len(times),
                    "times_ms": " ".join(f"{time:.1f}" for time in times),
                }
            )
        for sweep, unit, values, counts in (
            ("apical alone", "pA", measured.apical_pA, measured.alone),
            ("apical with soma", "pA", measured.apical_pA, measured.paired),
            ("soma alone", "pA", measured.soma_pA, measured.soma_alone),
            ("lag", "ms", measured.lags, measured.at_lag),
        ):
            rows += [
                {
                    "sweep": sweep,
                    "value": float(value),
                    "unit": unit,
                    "action_potentials": int(count),
                    "times_ms": "",
                }
                for value, count in zip(values, counts, strict=True)
            ]
        return rows


def _above(v_d: Float[Tensor, "time"], dt: float) -> float:
    return dt * int((v_d > ABOVE).sum())


def _least(amplitudes: Tensor, reached: Tensor) -> float:
    """Smallest amplitude at which it happens; NaN if it never does."""
    return float(amplitudes[reached].min()) if reached.any() else float("nan")


def _window(lags: Tensor, reached: Tensor) -> tuple[float, float]:
    """First and last lag at which it happens; NaN if it never does."""
    found = lags[reached]
    return (float(found.min()), float(found.max())) if len(found) else (float("nan"), float("nan"))
