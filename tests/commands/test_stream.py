"""`clapp-snn stream` as a user runs it."""

from pathlib import Path

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
