"""The demo from pixels to report, cut short."""

from dataclasses import replace
from pathlib import Path

import pytest

from clapp_snn.cli import main
from clapp_snn.commands.demo import demo_config, is_demo
from clapp_snn.evaluation.probe_table import ProbeTable
from clapp_snn.training.config import write_config


def test_demo_ends_with_table_figures_and_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clapp_snn.commands.demo.EPOCHS", 1)
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), "--steps", "2"]) == 0
    printed = capsys.readouterr().out
    assert "layer 6" in printed
    assert str(out / "report.html") in printed
    for protocol in ("fast", "few-shot", "paper"):
        assert (out / "figures" / f"accuracy_per_layer_{protocol}.png").stat().st_size > 10_000
    rows = ProbeTable.read(out / "probe.csv").rows
    notes = {row.note for row in rows if row.protocol == "paper"}
    assert notes == {"epoch 1, fresh crops"}
    assert {row.encoder for row in rows} == {"trained", "random", "pixels"}
    assert main(["demo", "--out", str(out), "--steps", "2"]) == 1
    assert "--force" in capsys.readouterr().err
    assert (out / "report.html").exists()


def test_demo_removes_nothing_that_is_not_a_demo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("ten years")
    assert main(["demo", "--out", str(tmp_path), "--steps", "1", "--force"]) == 1
    assert "something else than a demo" in capsys.readouterr().err
    assert precious.read_text() == "ten years"
    assert main(["demo", "--out", str(precious), "--steps", "1"]) == 1
    assert "is a file, but a folder is needed" in capsys.readouterr().err
    (tmp_path / "config.yaml").write_text("a: 1\n")
    assert main(["demo", "--out", str(tmp_path), "--steps", "1", "--force"]) == 1
    assert precious.read_text() == "ten years"


def test_a_demo_is_known_by_its_configuration_and_files(tmp_path: Path) -> None:
    write_config(tmp_path, demo_config(tmp_path, 20, 3))
    assert is_demo(tmp_path)
    (tmp_path / "finetune.csv").write_text("results that a demo does not make\n")
    assert not is_demo(tmp_path)
    write_config(tmp_path / "other", replace(demo_config(tmp_path, 20, 3), method="clapp"))
    assert not is_demo(tmp_path / "other")
    assert main(["demo", "--out", str(tmp_path / "other"), "--steps", "-1", "--force"]) == 1
    assert (tmp_path / "other" / "config.yaml").exists()
