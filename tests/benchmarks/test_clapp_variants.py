"""The variants of CLAPP: their updates are slopes of what they say they compute, in float64."""

import sys
from pathlib import Path

import pytest
import torch

from benchmarks import clapp_variants
from benchmarks.clapp_variants import VARIANTS, Centred, LongContext, SlowMoments, Spread
from clapp_snn.circuit.area import Area
from clapp_snn.functional.saccades import Draw
from clapp_snn.methods import get_method
from tests.training import tiny

GROUPS, GRID, IMAGES, CHANNELS = 1, 7, 6, 5


def area_of(kind: type[Area]) -> Area:
    """With tied matrices, so that the rule is the slope of one loss."""
    objective = get_method("clapp-s").objective
    assert objective is not None
    area = kind(CHANNELS, CHANNELS, objective).double()
    area.reset_parameters(torch.Generator().manual_seed(1))
    return area


def stimulus(area: Area, seed: int = 0) -> tuple[torch.Tensor, list[Draw]]:
    generator = torch.Generator().manual_seed(seed)
    shape = (GROUPS, GRID, IMAGES, GRID, CHANNELS)
    z = 3 * torch.rand(shape, generator=generator, dtype=torch.float64)
    streams = [[torch.Generator().manual_seed(7 + k)] for k in range(area.losses)]
    return z, area.draw(streams, IMAGES, GRID, "cpu")


def slopes(area: Area, z: torch.Tensor, draws: list[Draw], context: torch.Tensor):
    """Minus the gradient of the plain rule's loss with respect to z, through what `context` makes of it."""
    plain = area_of(Area)
    plain.load_state_dict(area.state_dict())
    loss = Area.compare(plain, context, context, draws).loss
    return -torch.autograd.grad(loss, z)[0]


def test_long_context_is_the_slope_of_its_loss():
    area = area_of(LongContext)
    z, draws = stimulus(area)
    signals = area.compare(z, z, draws)
    watched = z.clone().requires_grad_()
    mean = torch.stack([watched[:, : row + 1].mean(1) for row in range(GRID)], 1)
    loss = Area.compare(area, watched, mean, draws).loss
    (slope,) = torch.autograd.grad(loss, watched)
    assert signals.context is not None
    assert float((signals.target + signals.context + slope).norm() / slope.norm()) < 1e-9


def test_centred_is_the_slope_of_the_centred_score():
    area = area_of(Centred)
    first, draws = stimulus(area)
    area.compare(first, first, draws)
    z, draws = stimulus(area, seed=1)
    signals = area.compare(z, z, draws)
    watched = z.clone().requires_grad_()
    expected = slopes(area, watched, draws, watched - first.flatten(0, -2).mean(0))
    assert signals.context is not None
    assert float((signals.target + signals.context - expected).norm() / expected.norm()) < 1e-9


def test_spread_adds_the_slope_of_the_logarithm_of_variance():
    area, plain = area_of(Spread), area_of(Area)
    z, draws = stimulus(area)
    added = area.compare(z, z, draws).target - plain.compare(z, z, draws).target
    watched = z.clone().requires_grad_()
    away = watched - z.flatten(0, -2).mean(0)
    variance = away.flatten(0, -2).square().mean(0) + Spread.FLOOR
    (slope,) = torch.autograd.grad(Spread.STRENGTH / 2 * variance.log().mean(), watched)
    assert float((added - slope).norm() / slope.norm()) < 0.02  # 1 / n against 1 / (n - 1)


def test_slow_moments_follow_by_a_hundredth():
    moments = SlowMoments()
    ones, threes = torch.ones(2, 1), torch.full((2, 1), 3.0)
    assert moments.update(ones)[0].item() == 1
    assert moments.update(threes)[0].item() == 1
    assert moments.update(threes)[0].item() == pytest.approx(1.02)


def test_the_study_compares_variants_with_the_plain_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(clapp_variants, "data_of", lambda config: tiny.dataset(images=30))
    command = [
        "--batch",
        "4",
        "--out",
        str(tmp_path),
        "--seeds",
        "1",
        "2",
        "--steps",
        "1",
        "--width",
        "0.03125",
    ]
    chosen = ["--conditions", "plain", "long-context"]
    monkeypatch.setattr(sys, "argv", ["clapp_variants", *command, *chosen])
    clapp_variants.main()
    printed = capsys.readouterr().out
    assert printed.count("| long-context | 2 |") == 3
    assert set(VARIANTS) == {"plain", "centred", "spread", "long-context"}
