"""Scores and gate read from bursts, and one area at work, at small size."""

import math

import numpy as np
import pytest
import torch

from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.protocols.one_area import GLANCES, OneArea
from clapp_snn.protocols.score_calibration import SCORES, ScoreCalibration
from clapp_snn.protocols.score_reading import expected, population, read_scores, reader
from clapp_snn.protocols.surprise_gate import SCORES as GATE_SCORES
from clapp_snn.protocols.surprise_gate import SurpriseGate


@pytest.mark.parametrize("units", [2, 64])
def test_a_population_has_the_scores_it_was_asked_for(units: int) -> None:
    people = population(units, (-1.5, 0.0, 2.0), seed=3)
    assert torch.allclose((people.z * people.zhat).sum(dim=1), people.u, atol=1e-5)
    assert (people.z >= 0).all()
    assert people.zhat.shape == (3, units)


def test_the_rate_neuron_reads_the_score_exactly() -> None:
    people = population(16, (-2.0, 0.5, 3.0), seed=0)
    how = reader(Rate(), people, window=1.0)
    scores = read_scores(people, how, repeats=2, seed=0)
    assert torch.allclose(scores.u_hat, people.u[:, None].expand(3, 2), atol=1e-5)
    assert torch.allclose(scores.nucleus.saccade, scores.u_hat.flatten())
    assert torch.allclose(scores.nucleus.fixation, -scores.u_hat.flatten())
    mean, _ = expected(people, how, fano=0.0)
    assert torch.allclose(mean.float(), people.u, atol=1e-5)


def test_half_wave_bursts_never_saturate() -> None:
    people = population(16, (-2.0, 3.0), seed=0)
    how = reader(EventBurst(), people, window=100.0)
    assert how.kappa * float(people.zhat.abs().max()) < 1


def test_calibration_small() -> None:
    """Every finding holds, slopes included, and the single population reads too much."""
    protocol = ScoreCalibration(units=16, repeats=100)
    measured = protocol.measure(seed=1)
    findings = {finding.name: finding for finding in protocol.findings(measured)}
    assert [name for name, finding in findings.items() if not finding.ok] == []
    for name in ("L3 half-wave", "L3 opponent", "L2 opponent"):
        slope = findings[f"{name}: slope against the true score"]
        readout = measured.readouts[name]
        # Slope and its error by numpy, from the closed form's mean and spread.
        u, mean, sd = np.array(SCORES), readout.mean.numpy(), readout.sd.numpy()
        assert slope.expected == pytest.approx(np.polyfit(u, mean, 1)[0], abs=1e-6)
        share = (u - u.mean()) / ((u - u.mean()) ** 2).sum()
        error = np.sqrt((share**2 * sd**2 / 100).sum())
        assert (slope.high - slope.low) / 2 == pytest.approx(4.5 * error)
        assert not slope._replace(measured=slope.expected + 5 * error).ok
    assert findings["L3 single population: bias of the score"].measured > 0.3
    # Between clockwork and Poisson events: p (1 - p) of p (1 - p) + p^2, averaged over units by hand.
    spread = findings["L2 opponent: spread, measured over that of Poisson events"]
    people = measured.people
    how = reader(StrictBurst(), people, 200.0)
    p = how.detector.burst_probability(people.zhat, torch.full((len(SCORES),), how.kappa))
    least = (((people.z * p * (1 - p)).sum((0, 2)) / (people.z * p).sum((0, 2))).sqrt()).mean()
    chance = 4.5 / math.sqrt(2 * 100 * len(SCORES))
    assert spread.low == pytest.approx(float(least) * (1 - chance), rel=1e-4)
    assert spread.high == pytest.approx(1 + chance)
    assert not spread._replace(measured=0.65).ok
    assert len(protocol.records(measured)) == 4 * len(SCORES)


def test_gate_small() -> None:
    protocol = SurpriseGate(units=16, repeats=150)
    measured = protocol.measure(seed=1)
    for gate in measured.values():
        assert set(gate.fixation.unique().tolist()) <= {0.0, 1.0}
        assert set(gate.saccade.unique().tolist()) <= {0.0, -1.0}
        # The pulse reads what the score says: 1 - y u_hat > 0.
        assert ((gate.u_hat < 1) == (gate.fixation == 1)).double().mean() > 0.999
    findings = protocol.findings(measured)
    assert [finding.name for finding in findings if not finding.ok] == []
    assert len(protocol.records(measured)) == 2 * 2 * len(GATE_SCORES)


def test_one_area_goes_from_spikes_to_gamma() -> None:
    setting = OneArea(units=8, copies=2, window=100.0, settle=20.0)
    traces = setting.run(seed=1)
    steps = 120 * len(GLANCES)
    assert traces.inputs.shape == (steps, 8)
    assert traces.spikes.shape == (steps, 16)
    assert int(traces.counted.sum()) == 100 * len(GLANCES)
    assert (traces.spikes | ~traces.bursts).all()
    for number, ((_, _, y), reading) in enumerate(zip(GLANCES, traces.readings, strict=True)):
        end = 120 * (number + 1) - 1
        assert float(traces.score[end]) == pytest.approx(float(reading.score))
        fires = float(traces.fixation[end] if y > 0 else traces.saccade[end]) > 0
        assert float(reading.gamma) == y * fires
    assert traces.true[0] == 0
    assert traces.true[1] > 0 > traces.true[2]
    first = traces.readings[0].update
    assert float(first.weight.abs().max()) == 0
    assert torch.equal(setting.run(seed=1).score, traces.score)


@pytest.mark.parametrize(("change", "sign"), [({"fit": 0.0}, 0), ({"fit": -1.0}, -1)])
def test_one_area_without_a_prediction_or_with_a_wrong_one(
    change: dict[str, float], sign: int
) -> None:
    setting = OneArea(units=8, copies=2, window=100.0, settle=20.0, **change)
    traces = setting.run()
    assert np.sign(round(traces.true[1], 6)) == sign
    assert torch.isfinite(traces.score).all()
