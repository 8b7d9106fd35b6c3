"""The demo from pixels to report, cut short."""

from pathlib import Path

import pytest

from clapp_snn.cli import main


def test_demo_ends_with_table_figures_and_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), "--steps", "2"]) == 0
    printed = capsys.readouterr().out
    assert "layer 6" in printed
    assert str(out / "report.html") in printed
    assert (out / "figures" / "accuracy_per_layer_fast.png").stat().st_size > 10_000
    assert main(["demo", "--out", str(out), "--steps", "2"]) == 1
    assert "--force" in capsys.readouterr().err
    assert (out / "report.html").exists()


def test_demo_removes_nothing_that_is_not_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("ten years")
    assert main(["demo", "--out", str(tmp_path), "--steps", "1", "--force"]) == 1
    assert "not the folder of a run" in capsys.readouterr().err
    assert precious.read_text() == "ten years"
