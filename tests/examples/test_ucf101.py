"""The video example runs as a user would run it, from clips to the report."""

from pathlib import Path

from tests.examples.test_examples import run
from tests.stimuli.small_videos import write_pack


def test_clips_end_with_a_report(tmp_path: Path) -> None:
    pack, folder = tmp_path / "pack", tmp_path / "run"
    pack.mkdir()
    write_pack(pack / "act_train.npz", 8)
    write_pack(pack / "act_test.npz", 4)
    printed = run(
        tmp_path / "cache", "examples/ucf101_rate.py", "--data", f"clips:{pack}", "--out", folder,
        "--width", "0.03125", "--batch", "4", "--steps", "2", "--clip_encoder", "vgg5-frames",
        "--clip_frames", "5", "--clip_side", "67", "--device", "cpu",
    )  # fmt: skip
    assert str(folder / "report.html") in printed
    assert "learning_rate: 0.001" in (folder / "config.yaml").read_text()
    assert (folder / "probe.csv").exists()
    assert (folder / "figures" / "index.json").exists()
