"""The examples run as a user would run them."""

import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_experiment_ends_with_a_report_and_its_picture(tmp_path: Path) -> None:
    folder, picture = tmp_path / "run", tmp_path / "images" / "first.png"
    printed = run(
        "examples/stl10_rate.py", "--out", folder, "--width", "0.03125", "--batch", "8",
        "--steps", "2", "--engine", "torch", "--device", "cpu",
    )  # fmt: skip
    assert str(folder / "report.html") in printed
    assert (folder / "report.html").stat().st_size > 10_000
    assert (folder / "probe.csv").exists()
    assert str(picture) in run("examples/readme_picture.py", folder, "--out", picture)
    with Image.open(picture) as image:
        assert image.size == (1200, 500)
