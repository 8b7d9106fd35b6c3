"""The examples run as a user would run them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


def noise_folder(root: Path) -> Path:
    """Two classes of noise, brighter and darker, as image files."""
    random = np.random.default_rng(0)
    for split, count in (("train", 8), ("test", 4), ("unlabeled", 8)):
        for label, brightest in (("dark", 100), ("bright", 256)):
            folder = root / split if split == "unlabeled" else root / split / label
            folder.mkdir(parents=True, exist_ok=True)
            for index in range(count):
                pixels = random.integers(0, brightest, (96, 96, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{label}{index}.png")
    return root


def run(cache: Path, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CLAPP_SNN_CACHE": str(cache)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_experiment_ends_with_a_report_and_its_picture(tmp_path: Path) -> None:
    folder, picture = tmp_path / "run", tmp_path / "images" / "first.png"
    data, cache = noise_folder(tmp_path / "data"), tmp_path / "cache"
    printed = run(
        cache, "examples/stl10_rate.py", "--data", data, "--out", folder,
        "--width", "0.03125", "--batch", "8", "--steps", "2", "--engine", "torch", "--device", "cpu",
    )  # fmt: skip
    assert str(folder / "report.html") in printed
    assert (folder / "report.html").stat().st_size > 10_000
    assert (folder / "probe.csv").exists()
    assert str(picture) in run(cache, "examples/readme_picture.py", folder, "--out", picture)
    with Image.open(picture) as image:
        assert image.size == (1200, 500)
