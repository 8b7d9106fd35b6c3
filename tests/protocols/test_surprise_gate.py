"""The surprise gate against the exact law of burst counts: right gates pass at any seed, wrong ones fail."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binom

from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters, event_rate, fano_factor
from clapp_snn.protocols.burst_count_law import ScoreLaw, score_law
from clapp_snn.protocols.protocol import Finding
from clapp_snn.protocols.score_reading import Population, Reader, expected, population, reader
from clapp_snn.protocols.surprise_gate import SCORES, Gate, SurpriseGate, exact_law

REPEATS = 800


def test_law_of_one_unit_is_binomial() -> None:
    law = score_law(torch.tensor([[0.02]]), torch.tensor([[0.0]]), steps=300, weight=0.25)
    kept = law.score >= 0
    counts = np.arange(int(kept.sum()))
    assert np.allclose(law.score[kept], 0.25 * counts)
    assert np.allclose(law.probability[0, kept], binom.pmf(counts, 300, 0.02), atol=1e-14)
    assert float(law.probability[0, ~kept].sum()) < 1e-13


def test_law_has_the_closed_form_mean_and_spread() -> None:
    people, how, sigma = setting(seed=4, window=200.0)
    law = exact_law(people, how)
    assert torch.allclose(law.probability.sum(dim=1), torch.ones(len(SCORES)).double())
    mean = law.probability @ law.score
    assert torch.allclose(mean, people.u.double(), atol=1e-5)
    variance = law.probability @ law.score.square() - mean**2
    assert torch.allclose(variance.sqrt(), sigma, rtol=1e-6)


def test_answers_and_hinge_of_a_law_by_hand() -> None:
    """Scores -1, 0, 1, 2 with probabilities .1, .2, .3, .4; a score at the margin does not answer."""
    law = ScoreLaw(
        torch.tensor([-1.0, 0.0, 1.0, 2.0]).double(), torch.tensor([[0.1, 0.2, 0.3, 0.4]]).double()
    )
    assert float(law.answers(1)) == pytest.approx(0.3)
    assert float(law.answers(-1)) == pytest.approx(0.9)
    mean, sd = law.hinge(1)
    assert float(mean) == pytest.approx(0.1 * 2 + 0.2 * 1)
    assert float(sd) == pytest.approx((0.1 * 4 + 0.2 - 0.4**2) ** 0.5)


def setting(seed: int, window: float) -> tuple[Population, Reader, Any]:
    """Population and reader of the protocol, and the closed-form spread of its scores."""
    params = EventBurstParameters()
    people = population(64, SCORES, seed)
    how = reader(EventBurst(params), people, window)
    fano = fano_factor(event_rate(people.z, params, 1.0), 1.0)
    return people, how, expected(people, how, fano)[1]


def drawn(seed: int, window: float, margin: float = 1.0, gain: float = 1.0) -> Gate:
    """What the protocol would measure, with counts of a window drawn at once by NumPy.

    Bernoulli numbers of independent steps add up to binomial ones. `margin` and `gain` break gate or score.
    """
    people, how, sigma = setting(seed, window)
    rng = np.random.default_rng((seed, int(window)))
    events = np.clip(0.02 * people.z.numpy().astype(float), 0, 1)
    counts = np.zeros((len(SCORES), REPEATS))
    for sign in (1, -1):
        p = events * np.clip(sign * how.kappa * people.zhat.numpy(), 0, 1)
        size = (REPEATS, *p.shape)
        counts += sign * rng.binomial(int(window), p, size=size).sum(axis=2).T
    u_hat = torch.from_numpy(gain * counts / (20 * how.kappa * window / 1000))
    fixation, saccade = (u_hat < margin).double(), -(u_hat > -margin).double()
    return Gate(u_hat, exact_law(people, how), sigma, fixation, saccade)


def failed(gates: dict[float, Gate]) -> list[Finding]:
    return [finding for finding in SurpriseGate().findings(gates) if not finding.ok]


@pytest.mark.parametrize("seed", range(20))
def test_a_right_gate_is_in_range_at_every_seed(seed: int) -> None:
    assert failed({window: drawn(seed, window) for window in (200.0, 500.0)}) == []


@pytest.mark.parametrize("wrong", [{"margin": 0.85}, {"margin": 1.15}, {"gain": 1.15}])
def test_a_wrong_gate_is_out_of_range(wrong: dict[str, float]) -> None:
    """A margin or a score that is off by 15 per cent."""
    for seed in range(3):
        names = [finding.name for finding in failed({500.0: drawn(seed, 500.0, **wrong)})]
        assert any("P(gamma != 0)" in name for name in names)
    gate = drawn(0, 200.0)
    swapped = gate._replace(fixation=-gate.saccade, saccade=-gate.fixation)
    assert len(failed({200.0: swapped})) >= 2
