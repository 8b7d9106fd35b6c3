"""Payeur pairing, apical gating of plasticity and the Urbanczik-Senn neuron, at small size."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clapp_snn.neurons.event_burst import EventBurst, EventBurstState
from clapp_snn.neurons.interface import Outputs
from clapp_snn.protocols import pairing
from clapp_snn.protocols.dendritic_prediction_learning import (
    CORRELATION_FIRST,
    CORRELATION_LAST,
    DISTANCE_FIRST,
    DISTANCE_LAST,
    DendriticPredictionLearning,
    Reference,
    fit,
)
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


class NeverBursts(EventBurst):
    """A mutant: its events never become bursts."""

    def step(self, *arguments: Any) -> tuple[Outputs, EventBurstState]:
        outputs, state = super().step(*arguments)
        return outputs._replace(burst=torch.zeros_like(outputs.burst)), state


def test_only_the_code_of_bursts_needs_bursts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a burst the synapses of code "bursts" never change; the other codes go on as before."""
    monkeypatch.setattr(pairing, "EventBurst", NeverBursts)
    protocol = Pairing(cells=4, pairings=8)
    measured = protocol.measure(seed=2)
    assert float(measured.change["bursts"]["paired"].abs().max()) == 0
    failed = {finding.name for finding in protocol.findings(measured) if not finding.ok}
    assert failed == {
        "bursts: active synapses potentiated, paired",
        "bursts: active synapses depressed, paired, after a saccade",
    }


def test_an_area_that_never_reads_its_dendrite_is_out_of_range() -> None:
    protocol = Pairing(cells=2, pairings=1, window=20, apical=0.0)
    failed = [f.name for f in protocol.findings(protocol.measure()) if not f.ok]
    assert "rate: active synapses potentiated, paired" in failed
    assert "spikes: active synapses potentiated, paired" in failed


def test_the_dendrite_learns_to_predict_the_soma() -> None:
    protocol = DendriticPredictionLearning(neurons=4, repetitions=20, dt=0.25, pattern=80)
    measured = protocol.measure(seed=0)
    correlation, distance = measured.each
    assert correlation.shape == distance.shape == (20, 4)
    assert correlation[-2:].mean() > correlation[:2].mean() + 0.3
    assert distance[-2:].mean() < distance[:2].mean()
    assert protocol.findings(measured)[0].ok
    records = protocol.records(measured)
    assert len(records) == 80
    assert records[-1]["repetition"] == 20


def test_teaching_conductances_are_filtered_from_rest() -> None:
    """g(t) of a constant target is target (1 - exp(-t / tau)) at every step, and a sine lags."""
    protocol = DendriticPredictionLearning(dt=0.4, pattern=80, repetitions=20, tau_teaching=5.0)
    g_exc, g_inh = protocol.teaching()
    t = 0.4 * torch.arange(1, 4001, dtype=torch.float64)
    assert torch.allclose(g_inh, 540 * (1 - torch.exp(-t / 5)), rtol=1e-12)
    # A first-order low-pass of a sine of period T: gain 1 / sqrt(1 + (2 pi tau / T)^2), up to steps of dt.
    late = g_exc[-200:] - g_exc[-200:].mean()
    assert float(g_exc[-200:].mean()) == pytest.approx(162, rel=1e-6)
    omega = 2 * math.pi * 5 / 40
    assert float(late.abs().max()) == pytest.approx(144 / math.hypot(1, omega), rel=0.01)


def test_fit_is_correlation_and_distance() -> None:
    generator = torch.Generator().manual_seed(3)
    predictions, soma = torch.rand(2, 50, 4, dtype=torch.float64, generator=generator)
    matching = torch.rand(50, 1, dtype=torch.float64, generator=generator)
    correlation, distance = fit(predictions, soma, matching)
    for neuron in range(4):
        r = np.corrcoef(predictions[:, neuron], matching[:, 0])[0, 1]
        assert float(correlation[neuron]) == pytest.approx(r)
        rms = np.sqrt(np.mean((predictions[:, neuron] - soma[:, neuron]).numpy() ** 2))
        assert float(distance[neuron]) == pytest.approx(rms)


def test_references_are_the_recorded_neurons_of_nest() -> None:
    found = json.loads((GOLDEN / "nest_urbanczik_neurons.json").read_text("utf-8"))
    for key, reference in (
        ("correlation_first", CORRELATION_FIRST),
        ("correlation_last", CORRELATION_LAST),
        ("distance_first", DISTANCE_FIRST),
        ("distance_last", DISTANCE_LAST),
    ):
        values = np.array(found[key])
        assert reference == pytest.approx((values.mean(), values.std(ddof=1), 12), abs=1e-4)


def test_the_range_is_made_of_both_spreads() -> None:
    """4.5 standard errors of the difference of two averages (Welch), by hand."""
    reference = Reference(2.0, 0.3, 9)
    ours = torch.tensor([1.9, 2.3, 2.1, 2.5], dtype=torch.float64)
    finding = reference.finding("x", ours, "mV")
    error = math.sqrt(np.var([1.9, 2.3, 2.1, 2.5], ddof=1) / 4 + 0.3**2 / 9)
    assert (finding.low, finding.high) == pytest.approx((2 - 4.5 * error, 2 + 4.5 * error))
    assert finding.measured == pytest.approx(2.2)
    assert finding.ok
    # A dendrite that learns nothing stays about as far off as in its first repetitions.
    wrong = 3.93 + 0.26 * torch.linspace(-1.5, 1.5, 12, dtype=torch.float64)
    assert not DISTANCE_LAST.finding("x", wrong, "mV").ok


@pytest.mark.slow
def test_learning_figures_are_those_of_nest() -> None:
    """The whole protocol: teaching from the third repetition on raises correlation and lowers distance."""
    protocol = DendriticPredictionLearning()
    findings = protocol.findings(protocol.measure(seed=1))
    assert [finding.name for finding in findings if not finding.ok] == []
