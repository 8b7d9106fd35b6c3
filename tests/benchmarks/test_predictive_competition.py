"""SoftHebb with an apical bias: plain without one, its equation with one, and outputs that never feel it."""

import math
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import predictive_competition
from benchmarks.predictive_competition import BiasedSoftHebb, Form
from clapp_snn import native
from clapp_snn.circuit.soft_hebb import INVERSE_TEMPERATURES, SoftHebb, SoftHebbEncoder
from clapp_snn.encoders.vgg import VGG6_WHOLE, Architecture, ConvLayer
from clapp_snn.methods import get_method
from clapp_snn.randomness import generator
from clapp_snn.training.learner import make_learner
from tests.training import tiny

VIEWS, WIDTH = 8, 1 / 64


def views():
    return torch.randn(VIEWS, 1, 96, 96, generator=generator(0, "views"))


def test_without_strength_it_is_softhebb():
    own = BiasedSoftHebb(WIDTH, 3, Form())
    plain = SoftHebb(SoftHebbEncoder(VGG6_WHOLE, WIDTH), get_method("softhebb"))
    plain.reset_parameters(3)
    learner = make_learner(plain, 2e-4, VIEWS, tiny.SINGLE)
    for _ in range(2):
        reports = own.step(views(), VIEWS // 2)
        wanted = learner.step(views(), None, lambda area, loss: [])
        for (_, _, apart), each in zip(reports, wanted, strict=True):
            assert apart == pytest.approx(float(each.loss), rel=1e-5)
    for name, value in plain.encoder.state_dict().items():
        torch.testing.assert_close(own.encoder.state_dict()[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("engine", ["torch", "native"])
def test_a_bias_enters_the_competition_and_nothing_else(engine):
    """Place by place, from the equation."""
    if engine == "native" and not native.available():
        pytest.skip(native.why_unavailable())
    encoder = SoftHebbEncoder(Architecture("one", (ConvLayer(3, False),), 4, 4, 1))
    encoder.reset_parameters(generator(1))
    encoder.requires_grad_(False)
    weight = encoder.layer(0).weight
    weight.div_(25)
    encoder.engine = engine
    draws = generator(2)
    seen = torch.randn(2, 1, 4, 4, generator=draws)
    bias = torch.randn(2, 3, 4, 4, generator=draws)
    padded = torch.nn.functional.pad(seen, (1, 1, 1, 1)).double()
    wanted = torch.zeros_like(weight, dtype=torch.float64)
    for n in range(2):
        for row in range(4):
            for col in range(4):
                x = padded[n, :, row : row + 3, col : col + 3]
                u = [float((w.double() * x).sum()) for w in weight]
                rivals = [a + float(b) for a, b in zip(u, bias[n, :, row, col], strict=True)]
                total = sum(math.exp(INVERSE_TEMPERATURES[0] * a) for a in rivals)
                for k, rival in enumerate(rivals):
                    y = math.exp(INVERSE_TEMPERATURES[0] * rival) / total
                    y = y if rival == max(rivals) else -y
                    wanted[k] += y * (x - u[k] * weight[k].double())
    with torch.no_grad():
        found = encoder.change(0, seen, encoder.sum_inputs(0, seen), bias)
    assert float((found - wanted).norm() / wanted.norm()) < 1e-5


@pytest.mark.parametrize("deviations", [False, True])
def test_bias_changes_plasticity_and_never_the_output(deviations):
    forms = Form(), Form(3.0, deviations=deviations), Form(3.0, True, deviations)
    plain, biased, shuffled = (BiasedSoftHebb(WIDTH, 3, form) for form in forms)
    x = plain.encoder.patches(views())
    with torch.no_grad():
        outputs = [each._layer(0, x, VIEWS // 2)[0] for each in (plain, biased, shuffled)]
        bias, loss, gate = biased._predict(0, outputs[0], VIEWS // 2)
        moved, _, _ = shuffled._predict(0, outputs[0], VIEWS // 2)
    assert all(torch.equal(outputs[0], other) for other in outputs[1:])
    weights = [each.encoder.layer(0).weight for each in (plain, biased, shuffled)]
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])
    # Every view has the bias of the one before it; first views precede second views.
    torch.testing.assert_close(moved, bias.roll(1, 0))
    assert 0 < gate <= 1
    assert math.isfinite(loss)


def test_the_command_keeps_its_cells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys):
    monkeypatch.setattr(predictive_competition, "data_of", lambda _: tiny.dataset(size=96))
    arguments = ["--seeds", "1", "--steps", "2", "--width", "0.03125", "--batch", "4"]
    arguments += ["--conditions", "plain", "bias-3", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["predictive_competition", *arguments])
    predictive_competition.main()
    assert {path.stem for path in (tmp_path / "cells").iterdir()} == {"plain-s1", "bias-3-s1"}
    assert "few-shot 6 - plain" in capsys.readouterr().out
