"""The example on digits runs as a user would run it (few windows; nothing is learned in them)."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_it_prints_both_tables_and_saves_the_raster(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "examples/spiking_stream.py", "--out", tmp_path, "--windows", "20"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("untrained") == done.stdout.count(" raw ") * 3 / 2 == 6
    with Image.open(tmp_path / "raster.png") as image:
        assert image.size == (1440, 1230)
