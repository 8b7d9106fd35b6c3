"""`clapp-snn stream` as a user runs it."""

from pathlib import Path

import pytest
import torch

from clapp_snn.cli import main

OPTIONS = ["--units", "[8,6]", "--windows", "5", "--batch", "4", "--window", "50", "--quiet"]


def test_train_probe_and_refuse_a_second_run(tmp_path: Path, capsys) -> None:
    arguments = ["stream", "--out", str(tmp_path / "run"), *OPTIONS]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "window 5 of 5" in printed
    head, *rows = (tmp_path / "run" / "stream_probe.csv").read_text().split()
    assert head == "weights,area,linear,five_shot,local"
    assert [row.split(",")[:2] for row in rows] == [
        [weights, str(area)] for weights in ("untrained", "trained") for area in range(3)
    ]
    assert main(arguments) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_options_from_a_file_and_impossible_ones(tmp_path: Path, capsys) -> None:
    file = tmp_path / "options.yaml"
    file.write_text("neuron: lif\n")
    assert main(["stream", "--config", str(file), "--out", str(tmp_path / "run")]) == 1
    assert "cannot be drawn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "what"),
    [("", "no options"), ("# seed: 1\n", "no options"), ("- seed\n", "no mapping")],
)
@pytest.mark.parametrize("command", ["stream", "train"])
def test_files_without_options_are_refused_in_one_line(
    tmp_path: Path, capsys, command: str, text: str, what: str
) -> None:
    file = tmp_path / "options.yaml"
    file.write_text(text)
    with pytest.raises(SystemExit) as stopped:
        main([command, "--config", str(file), "--out", str(tmp_path / "run")])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"clapp-snn {command}: {file} holds {what}")
    assert not (tmp_path / "run").exists()


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_written(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run = tmp_path / "run"
    assert main(["stream", "--device", "cuda", "--out", str(run)]) == 1
    assert capsys.readouterr().err == (
        "clapp-snn stream: device='cuda', but PyTorch finds no CUDA device; use device='cpu'.\n"
    )
    assert not run.exists()
    assert main(["stream", "--device", "cuda", "--engine", "native", "--out", str(run)]) == 1
    assert "engine='native' computes on the CPU" in capsys.readouterr().err
