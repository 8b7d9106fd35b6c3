"""The command line as a user meets it: options, overrides, one-line errors."""

from pathlib import Path

import pytest
import torch

from clapp_snn.cli import main
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.config import read_config

TINY = ["--width", "0.03125", "--batch", "8", "--steps", "2", "--engine", "torch", "--quiet"]


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The single line an expected failure prints."""
    assert main(arguments) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1, printed
    assert "Traceback" not in printed
    return printed


def test_train_then_info(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(tmp_path / "run")
    assert main(["train", *TINY, "--out", run]) == 0
    assert "step 2 of 2" in capsys.readouterr().out
    assert main(["info", run]) == 0
    assert "step_00000002" in capsys.readouterr().out


def test_yaml_file_is_read_and_overridden(tmp_path: Path) -> None:
    file = tmp_path / "options.yaml"
    file.write_text("method: clapp\nwidth: 0.03125\nbatch: 4\nsteps: 1\nseed: 5\n")
    run = tmp_path / "run"
    assert main(["train", "--config", str(file), "--batch", "6", "--out", str(run), "--quiet"]) == 0
    config = read_config(run)
    assert (config.method, config.batch, config.seed) == ("clapp", 6, 5)


def test_random_streams_fix_the_result(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert main(["train", *TINY, "--out", str(tmp_path / name)]) == 0
    a, b = (load_checkpoint(tmp_path / name).model for name in ("a", "b"))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_info_prints_methods_and_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "methods"]) == 0
    assert "hinge-cpc-time-local" in capsys.readouterr().out
    assert main(["info", "network"]) == 0
    tables = capsys.readouterr().out
    assert "16,224,512" in tables
    assert "18,553,152" in tables
    assert main(["info"]) == 0
    assert "PyTorch" in capsys.readouterr().out
    assert main(["info", "photographs"]) == 0
    assert "stand-in" in capsys.readouterr().out


def test_expected_failures_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert "no data" in fails(capsys, "train", *TINY, "--data", nowhere, "--out", nowhere)
    assert "not the folder of a run" in fails(capsys, "probe", nowhere)
    assert "larger than the data" in fails(
        capsys, "train", *TINY, "--batch", "3200", "--out", nowhere
    )
    assert "no run to resume" in fails(capsys, "train", *TINY, "--out", nowhere, "--resume")
    assert "only STL-10 can be downloaded" in fails(
        capsys, "train", *TINY, "--download", "--out", nowhere
    )
    assert not Path(nowhere).exists()
    run = str(tmp_path / "run")
    assert main(["train", *TINY, "--out", run]) == 0
    capsys.readouterr()
    assert "--resume" in fails(capsys, "train", *TINY, "--out", run)
    assert "differs" in fails(capsys, "train", *TINY, "--out", run, "--resume", "--seed", "9")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--method", "clap"], "Unknown method"),
        (["train", "--sharing", "paper"], "one partner image"),
        (["train", "--widht", "1"], "widht"),
        (["train", "--batch", "many"], "batch"),
        (["train", "--learning-rate", "1"], "do you mean --learning_rate?"),
        (["train", "--seed", "abc"], "--seed takes int, not 'abc'"),
        (["train", "--sharing", "foo"], "--sharing takes 'code' or 'paper', not 'foo'"),
        (["probe", "x", "--protocols", "fast"], "--protocols takes a list such as '[a,b]'"),
        (["probe", "x", "--protocols", "[slow]"], "'paper' or 'speaker', not 'slow'"),
        (["probe", "x", "--protocols", "[fast,3]"], "'paper' or 'speaker', not '3'"),
        (["train", "x"], "unrecognized arguments: x"),
        (["figures", "x", "--tsne_images", "-1"], "tsne_images"),
        (["train", "--batch", "1"], "another image"),
        (["info", "nowhere"], "methods, network, machine"),
        (["train", "--device", "cuda:9"], "--device takes"),
        (["dream"], "dream"),
        (["train", "--out", ""], "the value of --out is empty"),
        (["train", "--out="], "the value of --out is empty"),
        (["probe", ""], "a word is empty"),
        ([], "command"),
    ],
)
def test_bad_options(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = int(stop.code or 0)
    assert status != 0
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1


def test_files_that_hold_no_text_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    binary = b"\xff\xfe\x00"
    (tmp_path / "options.yaml").write_bytes(binary)
    with pytest.raises(SystemExit):
        main(["train", "--config", str(tmp_path / "options.yaml")])
    assert "options.yaml holds no text (UTF-8)" in capsys.readouterr().err
    run = tmp_path / "run"
    assert main(["train", *TINY, "--out", str(run)]) == 0
    capsys.readouterr()
    for name in ("metrics.csv", "probe.csv", "probe_curve.csv", "finetune.csv", "config.yaml"):
        before = (run / name).read_bytes() if (run / name).exists() else None
        (run / name).write_bytes(binary)
        assert f"{name} is damaged: it holds no text" in fails(capsys, "report", str(run))
        (run / name).unlink() if before is None else (run / name).write_bytes(before)
    assert main(["report", str(run)]) == 0


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_a_pickle_is_refused_whatever_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / name)
    run = str(tmp_path / "run")
    assert main(["train", *TINY, "--out", run]) == 0
    capsys.readouterr()
    printed = fails(capsys, "probe", run, "--weights", str(tmp_path / name))
    assert "pickle" in printed
