"""The surprise nucleus: gating, read-out pulse, gate probability, and the smoothed hinge it descends."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from clapp_snn.circuit.coincidence import CoincidenceDetector, Currents
from clapp_snn.circuit.surprise import SurpriseNucleus, gate_probability, smoothed_hinge
from clapp_snn.functional.losses import broadcast_factor
from clapp_snn.neurons.interface import Outputs
from clapp_snn.randomness import generator
from tests.circuit.test_coincidence import golden_inputs, rows


def nucleus_after(u: Tensor) -> tuple[SurpriseNucleus, tuple]:
    """A nucleus that received ON minus OFF currents of `u` in one step."""
    nucleus = SurpriseNucleus()
    currents = Currents(u.clamp(min=0), (-u).clamp(min=0))
    return nucleus, nucleus.step(currents, nucleus.initial_state(u))


@given(
    st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=20),
    st.sampled_from([1.0, -1.0]),
)
def test_gamma_is_that_of_the_hinge_for_every_score(scores: list[float], sign: float) -> None:
    u = torch.tensor(scores, dtype=torch.float64)
    y = torch.full_like(u, sign)
    nucleus, state = nucleus_after(u)
    broadcast = nucleus.read(state, y)
    assert torch.equal(broadcast.gamma, broadcast_factor(u, y))
    assert not (broadcast.fixation * broadcast.saccade).any()
    assert not (broadcast.saccade if sign > 0 else broadcast.fixation).any()


def test_only_the_end_of_the_window_counts() -> None:
    """A score that crosses the margin and returns opens the gate as if it had never crossed."""
    nucleus = SurpriseNucleus()
    state = nucleus.initial_state(torch.zeros(1, 1))
    one, none = torch.tensor([3.0]), torch.tensor([0.0])
    state = nucleus.step(Currents(one, none), state)
    assert float(nucleus.read(state, torch.ones(1)).gamma) == 0
    state = nucleus.step(Currents(none, one), state)
    assert float(nucleus.read(state, torch.ones(1)).gamma) == 1


def test_the_membranes_leak_alike() -> None:
    nucleus = SurpriseNucleus(leak=0.5)
    state = nucleus.initial_state(torch.zeros(1, 1))
    for on, off in ((1.0, 0.0), (0.0, 0.25), (2.0, 1.0)):
        state = nucleus.step(Currents(torch.tensor([on]), torch.tensor([off])), state)
    assert float(state.saccade) == (1 * 0.5 - 0.25) * 0.5 + 1
    assert float(state.fixation) == -float(state.saccade)


@pytest.mark.parametrize("leak", [0.0, 1.5, math.nan])
def test_impossible_leaks_are_refused(leak: float) -> None:
    with pytest.raises(ValueError, match="leak of the nucleus"):
        SurpriseNucleus(leak=leak)


def test_golden_gate_probabilities() -> None:
    for row in rows("gate_probability.csv"):
        sigma = row["sigma_theory"]
        p = gate_probability(torch.tensor(row["mean_theory"], dtype=torch.float64), 1, sigma)
        assert float(p) == pytest.approx(row["P_H1_theory_y+1"], abs=1e-12)
        mean = torch.tensor(-row["mean_theory"], dtype=torch.float64)
        assert float(gate_probability(mean, -1, sigma)) == pytest.approx(float(p), abs=1e-12)


@pytest.mark.parametrize("row", rows("nucleus.csv"), ids=lambda r: str(list(r.values())[:4]))
def test_golden_nucleus(row: dict[str, float]) -> None:
    """Phi with the closed-form variance of a leaky nucleus equals the table (four decimals)."""
    z, zhat = golden_inputs(row["u"])
    detector = CoincidenceDetector(window=row["T_ms"], tau=row["tau_nucleus_ms"])
    _, variance = detector.moments(z, zhat, torch.ones(()).double(), 1 - 20 * z * 0.001)
    p = gate_probability(
        torch.tensor(row["u"], dtype=torch.float64), row["y"], float(variance.sqrt())
    )
    assert float(p) == pytest.approx(row["P_gamma_theory"], abs=1e-4)


@pytest.mark.parametrize(
    ("u", "y"), [(0.0, 1.0), (1.0, 1.0), (2.5, 1.0), (-2.0, -1.0), (0.5, -1.0)]
)
def test_bursts_open_the_gate_with_the_probability_of_phi(u: float, y: float) -> None:
    """Events and bursts through detector and nucleus, golden inputs, T = 200 ms.

    Tolerance: 4.5 binomial standard errors, and what separates a lattice sum of bursts from a Gaussian:
    skewness |g| / 6 times |x^2 - 1| phi(x) <= 0.4, and half a lattice step J / 2 times the density
    0.4 / sigma.
    """
    samples = 4000
    z, zhat = golden_inputs(u)
    ones = torch.ones(samples).double()
    detector = CoincidenceDetector()
    nucleus = SurpriseNucleus()
    stream = generator(9, "gate", int(10 * u))
    # All steps of a window at once: binomial counts, since nothing leaks.
    p = detector.burst_probability(zhat, ones[0])
    q = (20 * z * 0.001 * p[:, None]).expand(samples, -1, -1, -1)
    count = torch.binomial(torch.full_like(q, 200), q, generator=stream)
    out = Outputs(count, count, count)
    currents, _ = detector.step(out, detector.initial_state(count), detector.weight(ones))
    state = nucleus.step(currents, nucleus.initial_state(count))
    measured = float(nucleus.read(state, y * ones).gamma.abs().mean())
    variance = float(detector.moments(z, zhat, ones[0], 1 - 20 * z * 0.001).variance)
    sigma, J = math.sqrt(variance), float(detector.weight(ones[0]))
    expected = float(gate_probability(torch.tensor(u, dtype=torch.float64), y, sigma))
    skewness = J**3 * float((4 * z * zhat).sum()) / sigma**3
    tolerance = 4.5 * math.sqrt(expected * (1 - expected) / samples)
    tolerance += 0.4 * (abs(skewness) / 6 + J / 2 / sigma)
    assert tolerance < 0.07
    assert abs(measured - expected) < tolerance


@pytest.mark.parametrize("y", [1.0, -1.0])
@pytest.mark.parametrize("sigma", [0.1, 1.0, 3.0])
def test_mean_gamma_is_the_gradient_of_the_smoothed_hinge(y: float, sigma: float) -> None:
    """Three ways: autograd through the closed form, Phi, and noisy scores through the nucleus (4.5 s.e.)."""
    u = torch.linspace(-3, 3, 13, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(smoothed_hinge(u, y, sigma).sum(), u)
    probability = gate_probability(u.detach(), y, sigma)
    torch.testing.assert_close(-slope, y * probability, rtol=1e-10, atol=1e-12)

    samples = 20_000
    xi = torch.randn(samples, 13, generator=generator(4), dtype=torch.float64)
    noisy = u.detach() + sigma * xi
    nucleus, state = nucleus_after(noisy.flatten())
    gamma = nucleus.read(state, torch.full((samples * 13,), y)).gamma.view_as(noisy)
    error = 4.5 * (probability * (1 - probability) / samples).sqrt() + 1e-12
    assert bool(((gamma.mean(0) - y * probability).abs() <= error + 10 / samples).all())
    hinge = (1 - y * noisy).clamp(min=0)
    spread = 4.5 * hinge.std(0) / math.sqrt(samples)
    exact = smoothed_hinge(u.detach(), y, sigma)
    assert bool(((hinge.mean(0) - exact).abs() <= spread + 1e-3 * sigma).all())


def test_less_noise_means_the_hinge_itself() -> None:
    u = torch.tensor([-1.0, 0.3, 1.7], dtype=torch.float64)
    assert torch.allclose(smoothed_hinge(u, 1, 1e-6), (1 - u).clamp(min=0), atol=1e-12)


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, math.inf])
def test_impossible_margins_are_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin of the nucleus"):
        SurpriseNucleus(margin=margin)


@pytest.mark.parametrize(
    "y",
    [
        torch.ones(3, 1),
        torch.ones(2),
        torch.tensor(1.0),
        torch.zeros(3),
        torch.full((3,), math.nan),
    ],
)
def test_saccade_signals_that_are_no_sign_for_every_sample_are_refused(y: Tensor) -> None:
    nucleus, state = nucleus_after(torch.zeros(3))
    with pytest.raises(ValueError, match=r"\+1 \(fixation\) or -1 \(saccade\) for every sample"):
        nucleus.read(state, y)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_membranes_that_are_not_finite_are_refused(value: float) -> None:
    nucleus, state = nucleus_after(torch.tensor([0.0, value]))
    with pytest.raises(ValueError, match="not finite"):
        nucleus.read(state, torch.ones(2))


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan])
@pytest.mark.parametrize("function", [gate_probability, smoothed_hinge])
def test_noise_must_be_positive(function, sigma: float) -> None:
    for spread in (sigma, torch.tensor([1.0, sigma])):
        with pytest.raises(ValueError, match="sigma must be a positive"):
            function(torch.zeros(2), 1.0, spread)
