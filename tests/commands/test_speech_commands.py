"""Train, probe, figures, report, compare and info on speech, as a user would call them."""

import json
from pathlib import Path

import pytest

from clapp_snn.cli import main
from clapp_snn.commands.drawing import Run
from clapp_snn.commands.info import info
from clapp_snn.commands.number_figures import accuracy_figure
from clapp_snn.commands.options import FigureOptions
from clapp_snn.commands.train import data_of
from clapp_snn.evaluation.probe_table import ProbeTable
from clapp_snn.methods import get_method
from clapp_snn.training.config import read_config
from tests.stimuli.speech_files import write_corpus


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus and two runs on it."""
    folder = tmp_path_factory.mktemp("speech")
    write_corpus(folder / "corpus", speakers=2, train=2, test=1)
    options = [
        "train", "--data", f"librispeech:{folder / 'corpus'}", "--width", "0.0156", "--batch", "4",
        "--group", "4", "--steps", "2", "--log_every", "1", "--checkpoint_every", "1", "--device",
        "cpu", "--quiet", "--keep", "5",
    ]  # fmt: skip
    assert main([*options, "--out", str(folder / "bptt")]) == 0
    assert main([*options, "--recurrence", "eprop", "--out", str(folder / "eprop")]) == 0
    return folder


def test_probe_figures_report_and_comparison(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("bptt", "eprop"):
        run = str(home / name)
        asked = ["--protocols", '["fast", "speaker", "paper"]', "--paper_epochs", "1"]
        assert main(["probe", run, *asked, "--curve", "true", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "MFCC" in printed or "mfcc" in printed
    table = ProbeTable.read(home / "bptt" / "probe.csv")
    for protocol in ("fast", "speaker", "paper"):
        assert table.encoders(protocol) == ["trained", "random", "mfcc"]
        assert [mean.layer for mean in table.layer_means(protocol, "trained")] == [1, 2, 3, 4, 5, 6]
        raw = table.raw(protocol)
        assert raw is not None
        assert raw[0] == "MFCC"
    newest = max((home / "bptt" / "checkpoints").iterdir())
    alone = ["probe", str(home / "bptt"), "--weights", str(newest), "--baselines", "false"]
    assert main([*alone, "--protocols", "[fast]", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "trained" in printed
    assert "random" not in printed
    assert "mfcc" not in printed.lower()
    curve = (home / "bptt" / "probe_curve.csv").read_text().splitlines()
    # Three checkpoints, two quick protocols, six layers.
    assert len(curve) == 1 + 3 * 2 * 6
    assert main(["figures", str(home / "bptt")]) == 0
    drawn = json.loads((home / "bptt" / "figures" / "index.json").read_text())["figures"]
    names = {entry["file"] for entry in drawn}
    assert {"accuracy_per_layer_fast.png", "losses.png", "hinge_scores.png"} <= names
    config, method = read_config(home / "bptt"), get_method("clapp-s", "speech")
    run = Run(home / "bptt", config, method, data_of(config), FigureOptions(), print)
    for protocol, has_chance in (("fast", True), ("speaker", False)):
        lines = accuracy_figure(run, table, protocol).figure.axes[0].lines
        assert ("chance" in [line.get_label() for line in lines]) == has_chance
    assert "tsne.png" not in names
    assert main(["report", str(home / "bptt")]) == 0
    page = (home / "bptt" / "report.html").read_text()
    assert "speech (five convolutions and a GRU)" in page
    assert "8 windows in" in page
    for protocol in ("fast", "speaker", "paper"):
        assert f"{protocol} probe" in page
    assert "MFCC" in page
    runs = [str(home / "bptt"), str(home / "eprop")]
    assert main(["compare", *runs, "--out", str(home / "compared")]) == 0
    text = (home / "compared" / "compare.txt").read_text()
    assert "CLAPP-s, eprop" in text
    assert "MFCC" in text


def test_commands_that_need_images_say_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["finetune"], ["alignment"], ["export", "--target", "nir"]):
        assert main([command[0], str(home / "bptt"), *command[1:]]) == 1
        told = capsys.readouterr().err
        assert f"`{command[0]}` needs a run that learned from images" in told
    assert main(["probe", str(home / "bptt"), "--protocols", '["few-shot"]']) == 1
    assert "Unknown probe protocol few-shot for speech" in capsys.readouterr().err


def test_info_knows_all_modalities(home: Path) -> None:
    methods = info("methods")
    header = methods.splitlines()[0]
    assert "STL-10 %" in header
    assert "LibriSpeech phones %" in header
    row = next(line for line in methods.splitlines() if line.startswith("clapp-s "))
    assert " 75 " in row
    assert "61.7" in row
    assert "test: 2 windows" in info(f"librispeech:{home / 'corpus'}")
    assert "5,841,920" in info("network")
    assert "23,143,424" in info("network")
