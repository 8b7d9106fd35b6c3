"""The example of neuron figures runs as a user would run it, at small size."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("f_i_curve", "burst_probability", "intervals", "psth", "raster", "gate")


@pytest.mark.slow
def test_it_draws_six_pictures(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "examples/neuron_figures.py", "--out", tmp_path, "--neurons", "40"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in NAMES:
        with Image.open(tmp_path / f"neuron_{name}.png") as image:
            assert image.width > 600


def test_the_pictures_of_the_page_are_there_and_small() -> None:
    for name in NAMES:
        path = ROOT / "docs" / "images" / f"neuron_{name}.png"
        assert path.stat().st_size < 80_000
        with Image.open(path) as image:
            assert image.width > 600
