"""Runs of `clapp-snn stream` as folders: info, probe, figures and report know them."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from clapp_snn.cli import main
from clapp_snn.commands.stream_figures import _accuracy
from clapp_snn.training.stream_config import read_stream_config

OPTIONS = [
    "--units", "[8,6]", "--windows", "6", "--batch", "4", "--window", "50", "--log_every", "2", "--quiet",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("stream") / "run"
    assert main(["stream", "--out", str(run), *OPTIONS]) == 0
    return run


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_info_shows_configuration_and_checkpoints(run: Path, capsys) -> None:
    assert main(["info", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "clapp-snn stream" in printed
    assert "neuron: event_burst" in printed
    assert "step_00000006" in printed


def test_probe_reads_the_same_numbers_again(run: Path, capsys) -> None:
    first = (run / "stream_probe.csv").read_text()
    (run / "stream_probe.csv").unlink()
    assert main(["probe", str(run)]) == 0
    assert "untrained" in capsys.readouterr().out
    assert (run / "stream_probe.csv").read_text() == first


def test_options_of_other_runs_are_refused_in_one_line(run: Path, capsys) -> None:
    for command in (
        ["probe", str(run), "--shots", "3"],
        ["figures", str(run), "--patch_layer", "2"],
    ):
        assert main(command) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert command[2] in error


def test_other_commands_say_which_kind_of_run_it_is(run: Path, capsys) -> None:
    assert main(["finetune", str(run)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "run of `clapp-snn stream`" in error


def test_figures_and_report_of_a_run(run: Path, capsys) -> None:
    assert main(["figures", str(run)]) == 0
    names = ["accuracy_per_area", "learning", "scores", "raster"]
    index = json.loads((run / "figures" / "index.json").read_text())["figures"]
    assert [entry["file"] for entry in index] == [f"{name}.png" for name in names]
    assert all(entry["alt"] and entry["caption"] for entry in index)
    for name in names:
        with Image.open(run / "figures" / f"{name}.png") as image:
            assert len(set(image.convert("L").resize((60, 40)).tobytes())) > 2
    assert main(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    assert page.count("<img ") == len(names)
    assert page.count("data:image/png;base64,") == len(names)
    assert 'src="http' not in page
    row = (run / "stream_probe.csv").read_text().split()[2].split(",")
    assert f"<td>{float(row[2]):.1f}</td>" in page
    assert "6 windows" in page


def test_the_axis_of_accuracies_counts_areas(run: Path) -> None:
    (axes,) = _accuracy(run / "stream_probe.csv", read_stream_config(run)).figure.axes
    assert axes.get_xlabel() == "area"


def test_what_is_missing_is_said(run: Path, capsys) -> None:
    (run / "stream_probe.csv").unlink()
    (run / "metrics.csv").unlink()
    assert main(["figures", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "no probe yet" in printed
    assert "nothing has been learned" in printed
    assert main(["report", str(run)]) == 0
    page = (run / "report.html").read_text()
    for words in ("No probe yet", "Nothing has been learned", "No figures yet"):
        assert words in page


def test_rate_neurons_have_no_raster(tmp_path: Path, capsys) -> None:
    out = tmp_path / "rate"
    assert main(["stream", "--out", str(out), "--neuron", "rate", *OPTIONS]) == 0
    assert main(["figures", str(out)]) == 0
    assert "no spikes" in capsys.readouterr().out
    assert not (out / "figures" / "raster.png").exists()


def test_a_damaged_table_is_named(run: Path, capsys) -> None:
    (run / "stream_probe.csv").write_text("weights,area\ntrained,one\n")
    assert main(["report", str(run)]) == 1
    assert "stream_probe.csv is damaged" in capsys.readouterr().err
