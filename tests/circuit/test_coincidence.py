"""The score from bursts: calibration, closed-form moments against golden values and against simulation."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.coincidence import CoincidenceDetector, Readout
from clapp_snn.neurons.interface import Outputs
from clapp_snn.randomness import generator

GOLDEN = Path(__file__).parent.parent / "golden"
ONE = torch.ones((), dtype=torch.float64)
NO_CUBIC = (1 - 1 / math.sqrt(3)) / 2


def rows(name: str) -> list[dict[str, float]]:
    with (GOLDEN / name).open(encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def golden_inputs(u: float) -> tuple[Tensor, Tensor]:
    """Activities, and predictions shifted along them to the score `u`."""
    data = np.load(GOLDEN / "score_estimator_inputs.npz")
    z, zhat = torch.from_numpy(data["z"]), torch.from_numpy(data["zh"])
    return z, zhat + (u - z @ zhat) * z / (z @ z)


def test_weight_per_burst_is_the_calibration_formula() -> None:
    """J = 1 / (rho kappa T M), half of it for two sigmoid populations."""
    kappa = torch.tensor([0.5, 2.0], dtype=torch.float64)
    J = 1 / (20 * kappa * 0.2 * 3)
    half_wave = CoincidenceDetector("half_wave", copies=3)
    opponent = CoincidenceDetector("opponent", copies=3, p0=0.2)
    single = CoincidenceDetector("single", copies=3, p0=0.2)
    for detector, expected in ((half_wave, J), (opponent, J / 2), (single, J)):
        torch.testing.assert_close(detector.weight(kappa), expected, rtol=1e-12, atol=0)
        product = detector.weight(kappa) * kappa
        torch.testing.assert_close(product[0], product[1], rtol=1e-12, atol=0)


def test_a_leak_shortens_the_window_to_its_effective_length() -> None:
    """Discrete sum against tau (1 - exp(-T / tau)): apart by dt / (2 tau) = 2e-4."""
    detector = CoincidenceDetector(rho=20.0, window=500.0, dt=0.1, tau=250.0)
    effective = 0.250 * (1 - math.exp(-2))
    assert float(detector.weight(ONE)) == pytest.approx(1 / (20 * effective), rel=3e-4)


@pytest.mark.parametrize(
    "row", rows("readout_linearity.csv"), ids=lambda r: str(list(r.values())[:2])
)
def test_linearity_of_the_sigmoid_readouts_is_the_golden_one(row: dict[str, float]) -> None:
    p0, x = row["p0"], row["abs_s_zhat"]
    kappa = p0 * (1 - p0) * ONE
    z = torch.ones(1, dtype=torch.float64)

    def bias(readout: Readout, zhat: float) -> float:
        mean = CoincidenceDetector(readout, p0=p0).moments(z, zhat * z, kappa).mean
        return float(mean) / zhat - 1

    assert bias("single", x) == pytest.approx(row["relbias_baseline_pos"], abs=1e-12)
    assert bias("single", -x) == pytest.approx(row["relbias_baseline_neg"], abs=1e-12)
    assert bias("opponent", x) == pytest.approx(row["relbias_opponent"], abs=1e-12)


def opponent_error(p0: float, s: float) -> float:
    z = torch.ones(1, dtype=torch.float64)
    detector = CoincidenceDetector("opponent", p0=p0)
    return float(detector.moments(z, z, s * p0 * (1 - p0) * ONE).mean) - 1


def test_the_cubic_error_vanishes_at_the_default_baseline() -> None:
    """The error starts with s^2 (1 - 6 p0 (1 - p0)) / 6, and with s^4 where this is 0."""
    assert opponent_error(NO_CUBIC, 0.2) / opponent_error(NO_CUBIC, 0.1) == pytest.approx(
        16, rel=0.02
    )
    for p0 in (0.1, 0.3):
        leading = 0.05**2 / 6 * (1 - 6 * p0 * (1 - p0))
        assert opponent_error(p0, 0.05) == pytest.approx(leading, rel=0.01)
    assert abs(opponent_error(NO_CUBIC, 1.46)) < 0.02


def test_the_bias_of_a_single_population() -> None:
    """(1 - 2 p0) s / 2 sum z zhat^2 to leading order; +2.31 for p0 = 0.2, s = 2 and the golden inputs."""
    z, zhat = golden_inputs(1.0)
    p0 = 0.2
    detector = CoincidenceDetector("single", p0=p0)

    def bias(s: float) -> float:
        return float(detector.moments(z, zhat, s * p0 * (1 - p0) * ONE).mean) - 1

    leading = (1 - 2 * p0) / 2 * float((z * zhat.square()).sum())
    assert bias(1e-3) / 1e-3 == pytest.approx(leading, rel=1e-3)
    assert bias(2.0) == pytest.approx(2.31, abs=0.005)


@pytest.mark.parametrize(
    "row", rows("gate_probability.csv"), ids=lambda r: f"u={r['u']} T={r['T_s']}"
)
def test_half_wave_moments_are_the_golden_ones(row: dict[str, float]) -> None:
    z, zhat = golden_inputs(row["u"])
    mean, variance = CoincidenceDetector(window=row["T_s"] * 1000).moments(z, zhat, ONE)
    assert float(mean) == pytest.approx(row["mean_theory"], abs=1e-12)
    assert math.sqrt(float(variance)) == pytest.approx(row["sigma_theory"], rel=1e-12)


@pytest.mark.parametrize("row", rows("nucleus.csv"), ids=lambda r: str(list(r.values())[:4]))
def test_leaky_variance_is_the_golden_one(row: dict[str, float]) -> None:
    """Bernoulli events: Fano factor 1 - rho z dt. The table has four decimals."""
    z, zhat = golden_inputs(row["u"])
    detector = CoincidenceDetector(window=row["T_ms"], tau=row["tau_nucleus_ms"])
    mean, variance = detector.moments(z, zhat, ONE, 1 - 20 * z * 0.001)
    assert float(mean) == pytest.approx(row["u"], abs=1e-12)
    assert float(variance) == pytest.approx(row["var_V_theory"], rel=1e-4)


CASES: list[tuple[Readout, float, int, float]] = [
    ("half_wave", 0.0, 1, math.inf),
    ("half_wave", 0.0, 3, 60.0),
    ("opponent", 0.2113, 2, math.inf),
    ("opponent", 0.3, 1, 40.0),
    ("single", 0.2, 2, math.inf),
]


@pytest.mark.parametrize(("readout", "p0", "copies", "tau"), CASES)
def test_simulated_moments_equal_the_closed_form(
    readout: Readout, p0: float, copies: int, tau: float
) -> None:
    """Bernoulli events and bursts through the detector's own steps, mean within 4.5 standard errors.

    Variance of a sample variance: (2 + excess kurtosis) / R; a sum of n events has excess kurtosis about
    1 / n, up to the spread of its weights (leak and p (1 - p)), for which 1 / 10 here is generous.
    """
    samples, units, slope = 4000, 12, 0.6
    stream = generator(3, "moments", readout, copies)
    z = 2 * torch.rand(units, generator=stream, dtype=torch.float64)
    zhat = torch.randn(units, generator=stream, dtype=torch.float64) / 2
    kappa = slope * (p0 * (1 - p0) if p0 else 1) * ONE
    detector = CoincidenceDetector(readout, window=100.0, copies=copies, p0=p0, tau=tau)
    q = 20 * z * 0.001
    p = detector.burst_probability(zhat, kappa)
    state = detector.initial_state(torch.zeros(samples, 1, dtype=torch.float64))
    weight = detector.weight(kappa).expand(samples)
    shape = (samples, len(p), copies, units)
    for _ in range(detector.steps):
        event = (torch.rand(shape, generator=stream) < q).double()
        burst = event * (torch.rand(shape, generator=stream) < p[:, None]).double()
        _, state = detector.step(Outputs(event, event, burst), state, weight)
    mean, variance = detector.moments(z, zhat, kappa, 1 - q)
    assert abs(float(state.u.mean() - mean)) < 4.5 * math.sqrt(float(variance) / samples)
    assert abs(float(state.u.var() / variance) - 1) < 4.5 * math.sqrt(2.1 / samples)


def test_half_wave_is_unbiased_for_noisy_predictions() -> None:
    """[x]_+ - [-x]_+ = x: averaging over noise of zhat leaves u (identity, to rounding)."""
    z, zhat = golden_inputs(0.7)
    noise = torch.randn(50, 256, generator=generator(1), dtype=torch.float64)
    noise -= noise.mean(0)
    means = (
        CoincidenceDetector().moments(z, zhat + noise / 20, torch.full((50,), 0.5).double()).mean
    )
    assert float(means.mean()) == pytest.approx(0.7, abs=1e-12)


def test_the_rate_neurons_coincidence_is_the_score() -> None:
    z, zhat = golden_inputs(0.3)
    detector = CoincidenceDetector("single", rho=1000.0, window=1.0)
    out = Outputs(*(each.view(1, 1, 1, -1) for each in (z, z, z * zhat)))
    state = detector.initial_state(z[None])
    _, state = detector.step(out, state, detector.weight(ONE.view(1)))
    assert float(state.u) == pytest.approx(0.3, abs=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"readout": "guess"}, "half_wave, opponent or single"),
        ({"rho": 0.0}, "rho of a detector must be positive"),
        ({"copies": 0}, "copies of a detector must be positive"),
        ({"window": 10.5}, "whole number of steps"),
        ({"readout": "opponent"}, "no baseline"),
        ({"p0": 1.0}, "no baseline"),
        ({"tau": math.nan}, "tau of a detector must be positive"),
    ],
)
def test_impossible_detectors_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CoincidenceDetector(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"copies": 1.5}, "copies of a detector must be a whole number"),
        ({"copies": math.nan}, "copies of a detector must be positive"),
        ({"window": math.inf}, "window of a detector must be positive and finite"),
        ({"rho": math.inf}, "rho of a detector must be positive and finite"),
    ],
)
def test_detectors_without_whole_copies_or_an_end_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CoincidenceDetector(**options)


@pytest.mark.parametrize(
    ("readout", "copies", "shape"),
    [
        ("half_wave", 1, (4, 2, 5, 3)),
        ("half_wave", 5, (4, 2, 1, 3)),
        ("half_wave", 2, (4, 2, 1, 3, 3)),
        ("single", 1, (4, 2, 1, 3)),
        ("opponent", 1, (4, 1, 1, 3)),
        ("half_wave", 1, (4, 2, 3)),
    ],
)
def test_outputs_of_other_pathways_or_copies_are_refused(readout, copies: int, shape) -> None:
    detector = CoincidenceDetector(readout, copies=copies, p0=0.2)
    bursts = torch.ones(shape)
    state = detector.initial_state(bursts)
    with pytest.raises(ValueError, match=f"The {readout} read-out of {copies} copies needs"):
        detector.step(Outputs(bursts, bursts, bursts), state, torch.ones(4))


def test_every_sample_needs_its_weight() -> None:
    detector, bursts = CoincidenceDetector(), torch.ones(4, 2, 1, 3)
    with pytest.raises(ValueError, match="as many membranes and weights"):
        detector.step(
            Outputs(bursts, bursts, bursts), detector.initial_state(bursts), torch.ones(4, 1)
        )
