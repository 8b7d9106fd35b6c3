"""The throughput benchmark from end to end, and its arithmetic."""

import re
from typing import cast

import pytest
from torch import Tensor

from benchmarks import rate_throughput
from benchmarks.cell import Cell, Measured, images_of, step_of
from benchmarks.machine import Rates, floor_line, gflop_per_image
from benchmarks.profiling import print_profile
from benchmarks.rate_throughput import compare

# Multiply-adds of the layers' forward pass for an image, in millions: the table of VGG-6 at width 1.
FORWARD = (14, 3699, 1850, 3699, 3699, 1850)


def test_arithmetic_of_a_step_is_that_of_the_table() -> None:
    assert gflop_per_image(1.0, "local") == pytest.approx(2 * 2 * 14.812, rel=1e-4)
    assert gflop_per_image(1.0, "autograd") == gflop_per_image(1.0, "local")
    backprop = 2 * (2 * FORWARD[0] + 3 * sum(FORWARD[1:])) / 1e3
    assert gflop_per_image(1.0, "backprop") == pytest.approx(backprop, rel=1e-3)


def test_distance_to_the_floor() -> None:
    rates = {"float32": Rates(matmul=80.0, fastest=100.0)}
    floor = 1e3 * 59.248 / 100
    line = floor_line([("local", "float32", "local", 1.0)], 1.0, rates)
    assert re.search(r"local .*/ 592 = ", line)
    assert float(line.rsplit("= ", 1)[1]) == pytest.approx(1e3 / floor, abs=0.01)


def test_compare_prints_a_ratio_for_every_code(capsys: pytest.CaptureFixture[str]) -> None:
    compare(
        widths=(1 / 32,), batches=(4,), methods=("clapp",), engines=("torch",),
        peer_precision="float32", repeats=1, seconds=0.1,
    )  # fmt: skip
    printed = capsys.readouterr().out
    rows = re.findall(r"^(local torch|autograd|backprop) +float32 .* ([\d.]+)x$", printed, re.M)
    assert [name for name, _ in rows] == ["local torch", "autograd", "backprop"]
    assert float(rows[1][1]) == 1.0
    assert all(float(ratio) > 0 for _, ratio in rows)
    assert "measured / floor" in printed
    assert "Winograd" not in printed


def test_the_fastest_peer_is_the_measure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    speeds = {("local", "auto"): 60.0, ("autograd", "torch"): 10.0, ("autograd", "compiled"): 20.0}

    def measured(cell: Cell) -> Measured:
        return Measured(speeds.get((cell.code, cell.engine), 5.0), 0.1, 1.0, "")

    monkeypatch.setattr(rate_throughput, "in_fresh_process", measured)
    compare(
        widths=(1 / 32,), batches=(4,), methods=("clapp",), peer_engines=("torch", "compiled"),
        repeats=2, seconds=0.01,
    )  # fmt: skip
    rows = re.findall(r"^(\w+ \w+) +float32 .* ([\d.]+)x$", capsys.readouterr().out, re.M)
    assert dict(rows) == {
        "local auto": "3.00", "autograd torch": "0.50", "autograd compiled": "1.00",
        "backprop torch": "0.25", "backprop compiled": "0.25",
    }  # fmt: skip


@pytest.mark.slow
def test_the_compiled_peer_takes_the_same_step() -> None:
    images = images_of(Cell("autograd", "clapp-s", 1 / 32, 4))
    losses = []
    for engine in ("torch", "compiled"):
        step, said = step_of(Cell("autograd", "clapp-s", 1 / 32, 4, engine=engine), images.device)
        assert said == f"autograd, {engine}"
        totals = [step(images, number) for number in range(3)]
        losses.append([float(cast(Tensor, total).detach()) for total in totals])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_method_without_peer_is_refused() -> None:
    with pytest.raises(ValueError, match="no plain autograd peer of \\['clapp-s-retro'\\]"):
        compare(methods=("clapp", "clapp-s-retro"))


def test_profile_names_the_convolution(capsys: pytest.CaptureFixture[str]) -> None:
    print_profile(Cell("local", "clapp", 1 / 32, 4, engine="torch"), steps=1)
    printed = capsys.readouterr().out
    assert re.search(r"[\d.]+ %.*aten::.*conv", printed)
    assert "ms a step" in printed
