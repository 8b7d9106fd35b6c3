"""The burst-dependent rule of Payeur et al. 2021 under Poisson bursts and under periodic pairing.

Poisson: pre- and postsynaptic neurons fire independent events; the postsynaptic burst probability decides
the sign of the weight change, with a zero at the initial Pbar and a closed-form slope. Periodic: 15 trains
of 5 coincident pairs; depression turns into potentiation where the interval falls below the 16 ms of a
burst.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.functional.payeur import (
    MS_PER_S,
    PayeurRule,
    expected_change,
    initial_payeur_state,
    payeur_step,
)
from clapp_snn.neurons.bursts import BURST_ISI, label_spike_times
from clapp_snn.neurons.parameters import quantity
from clapp_snn.protocols.protocol import Finding, Protocol, Record
from clapp_snn.randomness import generator

PAYEUR = "Payeur et al. 2021, doi:10.1038/s41593-021-00857-x"
CLOSED = f"closed form of the rule ({PAYEUR})"
CODE = f"published code of {PAYEUR}, Poisson pairing protocol"
SIMULATED = "own reference simulation"

RATES = (5.0, 10.0)
PROBABILITIES = tuple(round(0.05 * k, 2) for k in range(10))
TRAINS, PAIRS = 15, 5
NOTHING = 3
FIRST_PAIR = 10.0
PERIODIC_PBAR, PERIODIC_RATE = 0.15, 5.0
FREQUENCIES = tuple(range(1, 101, 3))
REFERENCE_CHANGES = {1: -0.2387, 31: -0.4956, 61: -0.6234, 64: 0.1522, 100: 0.2841}
"""Weight change of our own reference simulation at some pairing frequencies (Hz); not published numbers."""


class PayeurMeasurement(NamedTuple):
    """Weight changes.

    Attributes:
        poisson: of every synapse, at each of the `RATES` and burst `PROBABILITIES`.
        periodic: at each of the pairing `FREQUENCIES`.
    """

    poisson: Float[Tensor, "rate probability synapse"]
    periodic: Float[Tensor, "frequency"]


@dataclass(frozen=True)
class PayeurPairing(Protocol[PayeurMeasurement]):
    """Settings of both pairings; the rule has the published constants."""

    name = "payeur"
    title = "Burst-dependent plasticity: depression below, potentiation above Pbar"
    notes = (
        "Only events restart the refractory clock, so that the event rate does not depend on bursts and the "
        "closed form is exact up to fluctuations of Ebar.",
        "Second spikes follow events of the Poisson pairing after 2 ms + U(0, 10 ms), as in our reference "
        "simulation; in the published code of this protocol after 4 ms + U(0, 10 ms), while the burst "
        "neurons of the published network wait a fixed 10 ms. The closed form does not depend on it.",
        "Between two periodic trains there are 11 s after the last full period, as in the reference "
        "simulation.",
    )

    synapses: float = quantity(400, "", 2, 1e5, "synapses at each rate and probability", SIMULATED)
    duration: float = quantity(100_000.0, "ms", 1e3, 1e6, "Poisson pairing", PAYEUR)
    t_ref: float = quantity(20.0, "ms", 0.0, 90.0, "event refractory time", CODE)
    pbar: float = quantity(0.2, "", 0.01, 0.99, "initial Pbar", PAYEUR)
    second: float = quantity(
        2.0, "ms", 0.0, 10.0, "earliest second spike of a burst", f"{SIMULATED}; 4 ms in the {CODE}"
    )
    jitter: float = quantity(10.0, "ms", 0.0, 10.0, "spread of the second spike", CODE)
    pause: float = quantity(11_000.0, "ms", 0.0, 1e5, "between two periodic trains", SIMULATED)

    def measure(self, seed: int = 0) -> PayeurMeasurement:
        """Follow every synapse from event to event, in float64; no time step is involved."""
        stream = generator(seed, "payeur")
        poisson = torch.stack([self._poisson(rate, stream) for rate in RATES])
        return PayeurMeasurement(
            poisson, torch.tensor([self._periodic(f) for f in FREQUENCIES], dtype=torch.float64)
        )

    def _poisson(
        self, rate: float, stream: torch.Generator
    ) -> Float[Tensor, "probability synapse"]:
        shape = (len(PROBABILITIES), int(self.synapses))
        p = torch.tensor(PROBABILITIES, dtype=torch.float64)[:, None, None]
        pre, post = (self._event_times(rate, shape, stream) for _ in range(2))
        numbers = torch.rand(2, *post.shape, dtype=torch.float64, generator=stream)
        second = post + self.second + self.jitter * numbers[1]
        bursts = torch.where(numbers[0] < p, second, math.inf)
        return change_of_weight(pre, post, bursts, self.duration, rate, self.pbar)

    def _event_times(
        self, rate: float, shape: tuple[int, int], stream: torch.Generator
    ) -> Float[Tensor, "probability synapse event"]:
        """Intervals of the refractory time plus an exponential one, mean 1 / rate, past the end."""
        mean = MS_PER_S / rate
        expected = self.duration / mean
        count = math.ceil(expected + 8 * math.sqrt(expected) + 8)
        u = torch.rand(*shape, count, dtype=torch.float64, generator=stream)
        return (self.t_ref - (mean - self.t_ref) * torch.log1p(-u)).cumsum(dim=-1)

    def _periodic(self, frequency: float) -> float:
        period = MS_PER_S / frequency
        train, pair = (torch.arange(n, dtype=torch.float64) for n in (TRAINS, PAIRS))
        start = FIRST_PAIR + (PAIRS * period + self.pause) * train
        times = (start[:, None] + period * pair).flatten()
        labels = label_spike_times(times.numpy(), BURST_ISI)
        events = torch.from_numpy(labels.events)
        bursts = torch.from_numpy(labels.bursts)
        end = float(times[-1]) + 1
        return float(change_of_weight(events, events, bursts, end, PERIODIC_RATE, PERIODIC_PBAR))

    def findings(self, measured: PayeurMeasurement) -> list[Finding]:
        """Zero crossing and slope at both rates; sign change and size under periodic pairing."""
        found = []
        means = measured.poisson.mean(dim=-1)
        p = torch.tensor(PROBABILITIES, dtype=torch.float64)
        for rate, mean in zip(RATES, means, strict=True):
            centred = p - p.mean()
            slope = float((centred * mean).sum() / (centred**2).sum())
            zero = float(p.mean() - mean.mean() / slope)
            expected = expected_change(rate, 1.0, 0.0, self.duration, PayeurRule())
            found += [
                Finding(
                    f"zero of dW(p) at {rate:g} Hz",
                    zero, "", self.pbar, self.pbar - 0.02, self.pbar + 0.02, CLOSED,
                ),
                Finding(
                    f"slope of dW(p) at {rate:g} Hz",
                    slope, "", expected, 0.95 * expected, 1.05 * expected, CLOSED,
                ),
            ]  # fmt: skip
        found.append(
            Finding(
                "periodic pairing: frequency where the sign changes",
                sign_change(measured.periodic),
                "Hz", MS_PER_S / BURST_ISI, 61, 64, f"1 / 16 ms ({PAYEUR})",
            )
        )  # fmt: skip
        for frequency, expected in REFERENCE_CHANGES.items():
            change = float(measured.periodic[FREQUENCIES.index(frequency)])
            found.append(
                Finding(
                    f"periodic pairing: dW at {frequency} Hz",
                    change, "", expected, expected - 0.002, expected + 0.002, SIMULATED,
                )
            )  # fmt: skip
        return found

    def records(self, measured: PayeurMeasurement) -> list[Record]:
        """One row for each rate and probability, and for each pairing frequency."""
        rows: list[Record] = []
        root = math.sqrt(measured.poisson.shape[-1])
        for rate, by_p in zip(RATES, measured.poisson, strict=True):
            for p, values in zip(PROBABILITIES, by_p, strict=True):
                closed = expected_change(rate, p, self.pbar, self.duration, PayeurRule())
                rows.append(
                    _row(
                        "poisson", rate, p, float(values.mean()), float(values.std()) / root, closed
                    )
                )
        for frequency, change in zip(FREQUENCIES, measured.periodic, strict=True):
            rows.append(_row("periodic", frequency, "", float(change), 0.0, ""))
        return rows


def _row(
    pairing: str, rate: float, p: float | str, mean: float, error: float, closed: float | str
) -> Record:
    return {
        "pairing": pairing,
        "rate_Hz": rate,
        "burst_probability": p,
        "dW_mean": mean,
        "dW_standard_error": error,
        "dW_closed_form": closed,
    }


def change_of_weight(
    pre: Float[Tensor, "*synapse pre_event"],
    post: Float[Tensor, "*synapse post_event"],
    bursts: Float[Tensor, "*synapse burst"],
    end: float,
    rate: float,
    pbar: float,
) -> Float[Tensor, "*synapse"]:
    """Total weight change of synapses whose neurons fire at given times; from `end` on nothing counts.

    Args:
        pre, post: times of presynaptic and postsynaptic events, ms.
        bursts: times of second spikes of postsynaptic bursts, ms.
        end: of the pairing, ms.
        rate, pbar: initial Ebar (Hz) and Pbar.

    Pre comes before post among coincident events.
    """
    times = torch.cat([pre, post, bursts], dim=-1)
    kinds = torch.cat(
        [torch.full_like(t, kind) for kind, t in enumerate((pre, post, bursts))], dim=-1
    )
    times, order = times.sort(dim=-1, stable=True)
    steps = int((times < end).sum(dim=-1).max())
    # Time first: every step then reads one contiguous row.
    kinds = kinds.gather(-1, order)[..., :steps].movedim(-1, 0).contiguous()
    times = times[..., :steps].movedim(-1, 0).contiguous()
    kinds[times >= end] = NOTHING
    gaps = times.clamp(max=end).diff(dim=0, prepend=torch.zeros_like(times[:1]))
    change = torch.zeros_like(times[0])
    state = initial_payeur_state(tuple(change.shape), rate, pbar, times.dtype)
    for gap, kind in zip(gaps, kinds, strict=True):
        pre_event, post_event, burst = ((kind == k).to(times.dtype) for k in range(NOTHING))
        one, state = payeur_step(pre_event, post_event, burst, state, gap, PayeurRule())
        change += one
    return change


def sign_change(periodic: Float[Tensor, "frequency"]) -> float:
    """Middle between the last depressing and the first potentiating frequency, Hz; NaN without either."""
    positive = periodic > 0
    if positive[0] or not positive.any():
        return math.nan
    first = int(positive.to(torch.int8).argmax())
    return (FREQUENCIES[first - 1] + FREQUENCIES[first]) / 2
