"""`clapp-snn alignment` measures every checkpoint and leaves a table and a figure."""

import csv
import shutil
from pathlib import Path

import pytest

from clapp_snn.cli import main
from clapp_snn.commands.alignment import alignment

TRAIN = [
    "train", "--data", "photographs", "--width", "0.03125", "--batch", "4", "--steps", "2",
    "--checkpoint_every", "1", "--keep", "5", "--device", "cpu", "--quiet",
]  # fmt: skip


def test_table_and_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert main([*TRAIN, "--method", "clapp-s", "--out", str(run)]) == 0
    assert main(["alignment", str(run), "--batches", "2", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert str(run / "alignment.csv") in printed
    assert (run / "figures" / "alignment.png").stat().st_size > 5000
    with (run / "alignment.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["0", "1", "2"]
    for row in rows:
        assert float(row["layer_6"]) == pytest.approx(1, abs=1e-3)
        assert all(-1 <= float(row[f"layer_{layer}"]) <= 1 for layer in range(1, 7))
    with pytest.raises(ValueError, match="batches must be at least 1"):
        alignment(run, 0)


def test_other_methods_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert main([*TRAIN, "--method", "hinge-cpc", "--out", str(run)]) == 0
    assert main(["alignment", str(run), "--device", "cpu"]) == 1
    assert "no local update to compare" in capsys.readouterr().err


def test_a_run_without_checkpoints_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main([*TRAIN, "--method", "clapp-s", "--out", str(run)]) == 0
    shutil.rmtree(run / "checkpoints")
    assert main(["alignment", str(run), "--device", "cpu"]) == 1
    assert "has no checkpoints; train it first" in capsys.readouterr().err
