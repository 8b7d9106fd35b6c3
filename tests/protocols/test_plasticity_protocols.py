"""Payeur pairing, apical gating of plasticity and the Urbanczik-Senn neuron, at small size."""

import csv
import math
from pathlib import Path

import pytest
import torch

from clapp_snn.protocols.dendritic_prediction_learning import DendriticPredictionLearning
from clapp_snn.protocols.pairing import ACTIVE, CONDITIONS, STRENGTHS, Pairing
from clapp_snn.protocols.payeur_pairing import (
    FREQUENCIES,
    PROBABILITIES,
    PayeurPairing,
    change_of_weight,
    sign_change,
)

GOLDEN = Path(__file__).resolve().parent.parent / "golden"


def test_periodic_pairing_is_the_reference_simulation() -> None:
    """All frequencies within float rounding of the reference file, the jump at 62.5 Hz included."""
    with (GOLDEN / "payeur_periodic.csv").open(encoding="utf-8") as file:
        rows = [(float(f), float(dw)) for f, dw in list(csv.reader(file))[1:]]
    assert [f for f, _ in rows] == list(FREQUENCIES)
    protocol = PayeurPairing()
    for frequency, expected in rows:
        assert protocol._periodic(frequency) == pytest.approx(expected, abs=1e-8)


def test_poisson_pairing_follows_the_closed_form() -> None:
    protocol = PayeurPairing(synapses=40, duration=40_000)
    measured = protocol.measure(seed=5)
    assert measured.poisson.shape == (2, len(PROBABILITIES), 40)
    for record in protocol.records(measured):
        if record["pairing"] == "poisson":
            distance = float(record["dW_mean"]) - float(record["dW_closed_form"])
            # 20 averages, 4.5 standard errors each, plus 3 % for fluctuations of Ebar.
            slack = 0.03 * abs(float(record["dW_closed_form"]))
            assert abs(distance) < 4.5 * float(record["dW_standard_error"]) + slack


def test_order_of_times_does_not_matter_and_what_comes_after_the_end_does_not_count() -> None:
    pre, post = torch.tensor([5.0, 40.0, 90.0]), torch.tensor([10.0, 50.0, 95.0])
    bursts = torch.tensor([15.0, math.inf, 120.0])
    whole = change_of_weight(pre, post, bursts, 100.0, 5.0, 0.2)
    assert change_of_weight(pre.flip(0), post.flip(0), bursts, 100.0, 5.0, 0.2) == whole
    assert change_of_weight(pre, post, bursts[:1], 100.0, 5.0, 0.2) == whole
    assert change_of_weight(pre, post, bursts, 130.0, 5.0, 0.2) > whole


def test_sign_change_needs_both_signs() -> None:
    up = torch.linspace(-1, 1, len(FREQUENCIES))
    assert 47 < sign_change(up) < 55
    assert math.isnan(sign_change(up.abs() + 1))
    assert math.isnan(sign_change(-up.abs() - 1))


def test_pairing_in_rate_code_is_equation_six() -> None:
    """dW = eta n gamma A x for every active synapse: a hand-worked product."""
    protocol = Pairing(cells=3, pairings=4, window=20, eta=0.02, apical=0.5)
    measured = protocol.measure()
    for name, (basal, apical, y) in CONDITIONS.items():
        wanted = 4 * 0.02 * y * apical * 0.5 * basal
        change = measured.change["rate"][name]
        assert change.shape == (1, 2 * ACTIVE)
        assert torch.allclose(change[:, :ACTIVE], torch.tensor(wanted, dtype=torch.float64))
        assert (change[:, ACTIVE:] == 0).all()
    for y in (1, -1):
        wanted = 4 * 0.02 * 0.5 * y * torch.tensor(STRENGTHS, dtype=torch.float64)
        assert torch.allclose(measured.strength["rate"][y], wanted)


def test_pairing_in_spikes_has_the_same_directions() -> None:
    protocol = Pairing(cells=4, pairings=8)
    findings = protocol.findings(protocol.measure(seed=2))
    assert [finding.name for finding in findings if not finding.ok] == []


def test_an_area_that_never_reads_its_dendrite_is_out_of_range() -> None:
    protocol = Pairing(cells=2, pairings=1, window=20, apical=0.0)
    failed = [f.name for f in protocol.findings(protocol.measure()) if not f.ok]
    assert "rate: active synapses potentiated, paired" in failed
    assert "spikes: active synapses potentiated, paired" in failed


def test_the_dendrite_learns_to_predict_the_soma() -> None:
    protocol = DendriticPredictionLearning(neurons=4, repetitions=20, dt=0.4, pattern=80)
    measured = protocol.measure(seed=0)
    assert measured.correlation.shape == (20, 4)
    first, last = measured.correlation[:2].mean(), measured.correlation[-2:].mean()
    assert last > first + 0.3
    assert measured.distance[-2:].mean() < measured.distance[:2].mean()
    assert protocol.findings(measured)[0].ok
    records = protocol.records(measured)
    assert len(records) == 80
    assert records[-1]["repetition"] == 20
