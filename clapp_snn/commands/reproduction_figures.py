"""From the measurement of a protocol to its figure."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from clapp_snn.circuit.surprise import gate_probability
from clapp_snn.figures import (
    bac_firing,
    burst_plasticity,
    dendritic_prediction,
    gate_psychometric,
    multiplexing,
    score_calibration,
)
from clapp_snn.functional.payeur import PayeurRule, expected_change
from clapp_snn.neurons.bursts import BURST_ISI
from clapp_snn.protocols import payeur_pairing
from clapp_snn.protocols.bac_firing import CONDITIONS, BACFiring, BACMeasurement
from clapp_snn.protocols.critical_frequency import (
    CriticalFrequency,
    CriticalMeasurement,
    critical_frequency,
)
from clapp_snn.protocols.dendritic_prediction_learning import (
    DendriticPredictionLearning,
    LearningMeasurement,
)
from clapp_snn.protocols.multiplexing import BIN, MS_PER_S, Multiplexing, MultiplexingMeasurement
from clapp_snn.protocols.multiplexing_reference import GRID
from clapp_snn.protocols.pairing import ACTIVE, STRENGTHS, Pairing, PairingMeasurement
from clapp_snn.protocols.payeur_pairing import PayeurMeasurement, PayeurPairing
from clapp_snn.protocols.protocol import Protocol
from clapp_snn.protocols.score_calibration import (
    SCORES,
    CalibrationMeasurement,
    ScoreCalibration,
)
from clapp_snn.protocols.surprise_gate import SCORES as GATE_SCORES
from clapp_snn.protocols.surprise_gate import Gate, SurpriseGate


def _bac(protocol: BACFiring, measured: BACMeasurement) -> Figure:
    traces = measured.traces
    shown = slice(round(40 / protocol.dt), round(140 / protocol.dt))
    columns = [
        bac_firing.Condition(
            name,
            traces.v_s[shown, k].numpy(),
            traces.v_d[shown, k].numpy(),
            traces.soma[shown, k].numpy(),
            traces.apical[shown, k].numpy(),
            np.array(traces.spike_times(k)),
        )
        for k, name in enumerate(CONDITIONS)
    ]
    amplitude = ("apical threshold", "apical peak (pA)")
    counts = [
        bac_firing.SpikeCount(*amplitude, "apical alone", *_arrays(measured.apical_pA, measured.alone)),
        bac_firing.SpikeCount(*amplitude, "with soma", *_arrays(measured.apical_pA, measured.paired)),
        bac_firing.SpikeCount(
            "time window", "apical minus somatic onset (ms)", "", *_arrays(measured.lags, measured.at_lag)
        ),
    ]  # fmt: skip
    return bac_firing.bac_firing(traces.time[shown].numpy(), columns, counts, protocol.title)


def _critical(protocol: CriticalFrequency, measured: CriticalMeasurement) -> Figure:
    shown = slice(round(40 / protocol.dt), round(180 / protocol.dt))
    trains = [
        bac_firing.Train(f"{hertz:g} Hz", measured.traces.v_d[shown, k].numpy())
        for k, hertz in enumerate(measured.frequency.tolist())
        if hertz in (50.0, 80.0, 90.0, 120.0)
    ]
    return bac_firing.critical_frequency(
        measured.traces.time[shown].numpy(),
        trains,
        measured.frequency.numpy(),
        measured.above.numpy(),
        critical_frequency(measured),
        (60.0, 200.0),
        protocol.title,
    )


def _multiplexing(protocol: Multiplexing, measured: MultiplexingMeasurement) -> Figure:
    def lines(fixed: int, varied: int, value: int) -> list[multiplexing.GridLine]:
        chosen = (-200, 0, 200, 400) if fixed == 1 else (100, 200, 300, 400, 500)
        found = []
        for level in chosen:
            pairs = [
                (a, b)
                for a, b in zip(measured.grid, GRID, strict=True)
                if a[fixed] == level
            ]  # fmt: skip
            columns = (
                [b[varied] for _, b in pairs],
                [a[value] for a, _ in pairs],
                [b[value] for _, b in pairs],
            )
            found.append(multiplexing.GridLine(f"{level} pA", *map(np.array, columns)))
        return found

    seconds = BIN / MS_PER_S
    responses = [
        multiplexing.Response(name, c.events.numpy() / (c.neurons * seconds), c.probability.numpy())
        for name, c in measured.channels.items()
    ]
    return multiplexing.multiplexing(
        lines(1, 0, 2),
        lines(0, 1, 3),
        BIN * (np.arange(len(measured.soma)) + 0.5),
        measured.soma.numpy(),
        measured.apical.numpy(),
        responses,
        protocol.title,
    )


def _payeur(protocol: PayeurPairing, measured: PayeurMeasurement) -> Figure:
    p = np.array(payeur_pairing.PROBABILITIES)
    curves = [
        burst_plasticity.ChangeCurve(
            f"{rate:g} Hz",
            p,
            values.mean(dim=-1).numpy(),
            (values.std(dim=-1) / values.shape[-1] ** 0.5).numpy(),
            np.array(
                [
                    expected_change(rate, q, protocol.pbar, protocol.duration, PayeurRule())
                    for q in p
                ]
            ),
        )
        for rate, values in zip(payeur_pairing.RATES, measured.poisson, strict=True)
    ]
    return burst_plasticity.burst_dependent_rule(
        curves,
        protocol.pbar,
        np.array(payeur_pairing.FREQUENCIES),
        measured.periodic.numpy(),
        MS_PER_S / BURST_ISI,
        protocol.title,
    )


def _aceituno(protocol: Pairing, measured: PairingMeasurement) -> Figure:
    names = list(measured.change["rate"])
    change = {
        code: np.array([float(changes[name][:, :ACTIVE].mean()) for name in names])
        for code, changes in measured.change.items()
    }
    curves = {code: (by_y[1].numpy(), by_y[-1].numpy()) for code, by_y in measured.strength.items()}
    strength = protocol.apical * np.array(STRENGTHS)
    return burst_plasticity.pairing(names, change, strength, curves, protocol.title)


def _urbanczik(protocol: DendriticPredictionLearning, measured: LearningMeasurement) -> Figure:
    time = protocol.dt * np.arange(1, len(measured.matching) + 1)
    curves = (measured.matching.numpy(), measured.before.numpy(), measured.after.numpy())
    return dendritic_prediction.dendritic_prediction(
        time, *curves, measured.each.correlation.numpy(), protocol.title
    )


def _calibration(protocol: ScoreCalibration, measured: CalibrationMeasurement) -> Figure:
    panels = [
        score_calibration.ReadoutPanel(
            name,
            readout.u_hat.mean(dim=1).numpy(),
            readout.u_hat.std(dim=1).numpy(),
            readout.mean.numpy(),
            readout.sd.numpy(),
        )
        for name, readout in measured.readouts.items()
    ]
    return score_calibration.score_calibration(np.array(SCORES), panels, protocol.title)


def _gate(protocol: SurpriseGate, measured: dict[float, Gate]) -> Figure:
    u = torch.linspace(min(GATE_SCORES), max(GATE_SCORES), 121, dtype=torch.float64)
    curves = []
    for window, gate in measured.items():
        for y in (1, -1):
            p = gate.answered(y)
            error = (p * (1 - p) / gate.u_hat.shape[1]).sqrt()
            law = gate_probability(u, y, gate.sigma.mean())
            scores = np.array(GATE_SCORES)
            curves.append(
                gate_psychometric.GateCurve(
                    f"{window:g} ms", y, scores, *_arrays(p, error, u, law)
                )
            )  # fmt: skip
    return gate_psychometric.gate_psychometric(curves, protocol.title)


def _arrays(*tensors: torch.Tensor) -> tuple[np.ndarray, ...]:
    return tuple(tensor.numpy() for tensor in tensors)


_DRAW: dict[type[Protocol[Any]], Callable[[Any, Any], Figure]] = {
    BACFiring: _bac,
    CriticalFrequency: _critical,
    Multiplexing: _multiplexing,
    PayeurPairing: _payeur,
    Pairing: _aceituno,
    DendriticPredictionLearning: _urbanczik,
    ScoreCalibration: _calibration,
    SurpriseGate: _gate,
}

PROTOCOLS: dict[str, type[Protocol[Any]]] = {protocol.name: protocol for protocol in _DRAW}
"""Every protocol with a figure, by its name on the command line."""


def draw(protocol: Protocol[Any], measured: Any) -> Figure:
    """The figure of a protocol's measurement."""
    return _DRAW[type(protocol)](protocol, measured)
