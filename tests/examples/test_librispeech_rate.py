"""The speech example runs as a user would run it."""

from pathlib import Path

from tests.examples.test_examples import run
from tests.stimuli.speech_files import write_corpus


def test_speech_ends_with_a_report(tmp_path: Path) -> None:
    corpus, folder = write_corpus(tmp_path / "corpus"), tmp_path / "run"
    printed = run(
        tmp_path / "cache", "examples/librispeech_rate.py", "--data", f"librispeech:{corpus}",
        "--out", folder, "--width", "0.0156", "--batch", "4", "--steps", "2", "--recurrence", "eprop",
        "--device", "cpu",
    )  # fmt: skip
    assert str(folder / "report.html") in printed
    assert "MFCC" in (folder / "report.html").read_text(encoding="utf-8")
    assert (folder / "probe.csv").exists()
