"""The examples of protocols run as a user would run them."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_bac_firing(tmp_path: Path) -> None:
    printed = run("examples/bac_firing.py", "--dt", "1", "--out", tmp_path)
    assert str(tmp_path / "bac.png") in printed
    assert (tmp_path / "bac.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["critical_frequency", "multiplexing"])
def test_longer_protocols(name: str, tmp_path: Path) -> None:
    assert "OUT OF RANGE" not in run(f"examples/{name}.py", "--out", tmp_path)


def test_one_area(tmp_path: Path) -> None:
    picture = tmp_path / "images" / "one_area.png"
    printed = run("examples/one_area.py", "--out", picture)
    assert [line.split("gamma = ")[1][:2] for line in printed.splitlines()[:3]] == [
        "-1",
        "+1",
        "-1",
    ]
    with Image.open(picture) as image:
        assert image.size == (1440, 1230)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("stl10_rate", ("--quiet", "--bad", "3"), "there is no option --bad"),
        ("librispeech_rate", ("--quiet", "--bad", "3"), "there is no option --bad"),
        ("ucf101_rate", ("--quiet", "--bad", "3"), "there is no option --bad"),
        ("stl10_rate", ("--steps", "many"), "--steps takes int, not 'many'"),
    ],
)
def test_options_of_the_experiments_are_those_of_train(
    name: str, options: tuple[str, ...], said: str
) -> None:
    done = subprocess.run(
        [sys.executable, f"examples/{name}.py", *options],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"{name}.py: {said}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bac_firing", "--dt", "-1"), "dt"),
        (("bac_firing", "--out", "FILE"), "is a file, but a folder is needed"),
        (("one_area", "--out", "FOLDER"), "is a folder, but a file name is needed"),
        (("spiking_stream", "--windows", "-5"), "windows"),
        (("spiking_stream", "--out", "FILE"), "is a file, but a folder is needed"),
        (("stl10_rate", "--method", "foo"), "Unknown method 'foo'"),
        (("stl10_rate", "--data", "nosuch"), "no data: 'nosuch'"),
        (("export_nir", "--out", "FILE"), "FILE"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "FILE").write_text("mine")
    (tmp_path / "FOLDER").mkdir()
    name, *options = arguments
    places = [str(tmp_path / each) if each.isupper() else each for each in options]
    done = subprocess.run(
        [sys.executable, f"examples/{name}.py", *places],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "FILE").read_text() == "mine"
