"""Eqs. 6-8 from window averages: against the formulas, and how they converge to the rates."""

import math

import pytest
import torch
from torch import Tensor

from clapp_snn.functional.window_plasticity import (
    WindowTraces,
    apical_input_from_bursts,
    post_factor,
    window_update,
)
from clapp_snn.randomness import generator


def random_traces(samples: int, pre: int, post: int) -> WindowTraces:
    stream = generator(0, "traces")

    def draw(size: int) -> Tensor:
        return torch.rand(samples, size, generator=stream, dtype=torch.float64)

    d, d_prev = ((draw(post) > 0.5).double() for _ in range(2))
    A = draw(post) - 0.5
    return WindowTraces(draw(pre), draw(post), d, A, draw(post), draw(pre), d_prev)


@pytest.mark.parametrize("retro", ["tied", "free", "zero"])
def test_every_synapse_changes_as_written(retro) -> None:
    """The equations with explicit loops over synapses."""
    samples, pre, post = 3, 4, 5
    t = random_traces(samples, pre, post)
    stream = generator(1)
    W_pred, W_own = torch.randn(2, post, post, generator=stream, dtype=torch.float64)
    gamma = torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64)
    W_retro = {"tied": W_pred.T, "free": W_own, "zero": torch.zeros_like(W_own)}[retro]
    update = window_update(gamma, t, W_pred, W_own if retro == "free" else None, retro)
    for j in range(post):
        bias = 0.0
        for i in range(pre):
            weight = 0.0
            for s in range(samples):
                R = sum(W_retro[j, k] * t.z[s, k] for k in range(post))
                weight += gamma[s] * t.A[s, j] * t.d[s, j] * t.x[s, i]
                weight += gamma[s] * R * t.d_prev[s, j] * t.x_prev[s, i]
            assert float(update.weight[j, i]) == pytest.approx(float(weight), abs=1e-12)
        for s in range(samples):
            R = sum(W_retro[j, k] * t.z[s, k] for k in range(post))
            bias += float(gamma[s] * (t.A[s, j] * t.d[s, j] + R * t.d_prev[s, j]))
        assert float(update.bias[j]) == pytest.approx(bias, abs=1e-12)
        for k in range(post):
            pred = sum(float(gamma[s] * t.z[s, j] * t.c[s, k]) for s in range(samples))
            assert float(update.W_pred[j, k]) == pytest.approx(pred, abs=1e-12)
            if update.W_retro is not None:
                assert float(update.W_retro[k, j]) == pytest.approx(pred, abs=1e-12)
    assert (update.W_retro is not None) == (retro == "free")


def test_pairings_of_basal_and_apical_input() -> None:
    """Basal input alone, apical input alone: no change. Both: change proportional to the apical input, of
    active synapses only, mirrored after a saccade."""
    t = random_traces(1, 6, 5)
    x = t.x.clone()
    x[:, ::2] = 0
    quiet = t._replace(x=x, d=torch.ones_like(t.d), x_prev=0 * t.x_prev, d_prev=0 * t.d_prev)
    W, one = torch.zeros(5, 5, dtype=torch.float64), torch.ones(1, dtype=torch.float64)

    def change(traces: WindowTraces, gamma: Tensor = one) -> Tensor:
        return window_update(gamma, traces, W, None, "zero").weight

    assert not change(quiet._replace(A=0 * t.A)).any()
    assert not change(quiet._replace(x=0 * x)).any()
    paired = change(quiet._replace(A=t.A.abs()))
    assert bool((paired[:, 1::2] > 0).all())
    assert not paired[:, ::2].any()
    torch.testing.assert_close(change(quiet._replace(A=3 * t.A.abs())), 3 * paired)
    torch.testing.assert_close(change(quiet._replace(A=t.A.abs()), -one), -paired)


def test_a_retrodiction_matrix_belongs_to_free_retro_only() -> None:
    t, W, gamma = random_traces(1, 2, 3), torch.zeros(3, 3).double(), torch.ones(1).double()
    for retro, own in (("tied", W), ("free", None)):
        with pytest.raises(ValueError, match="exactly when retro='free'"):
            window_update(gamma, t, W, own, retro)


def test_post_factor_of_drive_and_of_events() -> None:
    drive, z = torch.tensor([[-0.1, 0.2, 0.3]]), torch.tensor([[0.0, 0.0, 5.0]])
    assert post_factor(drive, z).tolist() == [[0, 1, 1]]
    assert post_factor(drive, z, "event").tolist() == [[0, 0, 1]]
    with pytest.raises(
        ValueError, match="one of drive, event, surrogate, burst, burst_ratio, not 'x'"
    ):
        post_factor(drive, z, "x")


def test_the_surrogate_is_the_slope_of_a_smooth_step() -> None:
    """1 / (pi (1 + (pi v)^2)) is the derivative of arctan(pi v) / pi^2, by autograd."""
    v = torch.linspace(-3, 3, 13, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad((torch.arctan(math.pi * v) / math.pi**2).sum(), v)
    torch.testing.assert_close(post_factor(v.detach(), 0 * slope, "surrogate"), slope)


def test_bursts_tell_the_apical_input_where_there_were_events() -> None:
    share, z = torch.tensor([[0.6, 0.0, -0.4]]), torch.tensor([[2.0, 0.0, 0.5]])
    A = apical_input_from_bursts(share, z)
    torch.testing.assert_close(A, torch.tensor([[0.3, 0.0, -0.8]]))
    torch.testing.assert_close(A * post_factor(z, z, "burst"), share)
    assert post_factor(-z, z, "burst_ratio").tolist() == [[1, 0, 1]]


@pytest.mark.parametrize("T", [1.0, 5.0, 20.0])
def test_counts_turn_towards_the_rates_as_predicted(T: float) -> None:
    """Cosine of eq. 8 between Poisson counts of T seconds and rates: [f(z) f(c)]^(-1/2), within 0.01,
    f(v) = 1 + |v|_1 / (n |v|^2), n = rho T. 200 windows; the spread of one cosine is below 0.02."""
    stream = generator(2, "rates")
    z, c = (2 * torch.rand(2, 64, generator=stream, dtype=torch.float64) - 0.4).clamp(min=0)
    n = 20 * T

    def counts(rate: Tensor) -> Tensor:
        return torch.poisson(n * rate.expand(200, -1), generator=stream) / n

    zero = torch.zeros(1, 64, dtype=torch.float64)
    W, one = torch.zeros(64, 64, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    exact = torch.outer(z, c)
    cosines = []
    for z_hat, c_hat in zip(counts(z), counts(c), strict=True):
        traces = WindowTraces(zero, z_hat[None], zero, zero, c_hat[None], zero, zero)
        change = window_update(one, traces, W, None, "tied").W_pred
        cosines.append(float((change * exact).sum() / change.norm() / exact.norm()))

    def f(v: Tensor) -> float:
        return 1 + float(v.sum() / (n * v.square().sum()))

    assert sum(cosines) / 200 == pytest.approx(1 / math.sqrt(f(z) * f(c)), abs=0.01)
