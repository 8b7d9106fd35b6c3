"""The comparison of speech runs, on the embedded utterances."""

import sys
from pathlib import Path

import pytest

from benchmarks.speech_pairs import compare, main
from clapp_snn.modalities.speech import SPEECH
from clapp_snn.stimuli.corpus import open_corpus
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.loop import train
from tests.training import tiny


def test_runs_are_compared_in_pairs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig(
        method="clapp-s", data="utterances", out=tmp_path / "one", width=1 / 64, batch=2, group=2,
        steps=1, device="cpu",
    )  # fmt: skip
    train(config, open_corpus("utterances", False), tiny.SINGLE, SPEECH, quiet=True)
    capsys.readouterr()
    command = ["speech_pairs", str(tmp_path / "one"), "--step", "1", "--layers", "6"]
    monkeypatch.setattr(sys, "argv", command)
    main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["MFCC", "random", "one"]
    assert len(lines[0].split()) == 3
    assert len(lines[2].split()) == 1 + 2 * 6
    assert [line.split(":")[0] for line in lines[5:]] == [
        "random - MFCC",
        "one - MFCC",
        "one - random",
    ]
    assert lines[5].endswith("*")
    with pytest.raises(ValueError, match="no checkpoint at step 7"):
        compare([tmp_path / "one"], step=7)
