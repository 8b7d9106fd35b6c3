"""The wheel holds everything, and works where the repository is not: commands and examples.

The environment is new and holds nothing but the wheel; what the package needs comes from that of the tests.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email import message_from_string
from importlib.metadata import version
from pathlib import Path

import pytest

from clapp_snn import native
from tests.examples.test_examples import noise_folder

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE")
EXAMPLES = {
    "stl10_rate": "--data data --width 0.03125 --batch 8 --steps 2 --engine torch --device cpu --out rate",
    "spiking_stream": "--windows 20 --out stream",
    "one_area": "--out one_area.png",
    "bac_firing": "--dt 1 --out reproduce",
    "export_nir": "--out nir",
}

pytestmark = pytest.mark.slow


def run(command: list[str | Path], folder: Path) -> str:
    """Output of a command in a folder; nothing but the new environment's own path."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    kept |= {"XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, cwd=folder, env=kept
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: an old build folder beside the sources would be taken over."""
    tree = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "clapp_snn", tree / "clapp_snn", ignore=ignored)
    for name in SOURCES:
        shutil.copy(ROOT / name, tree)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    run([*build, "--wheel-dir", tree / "dist", tree], tree)
    (found,) = (tree / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the programs of a new environment with the wheel."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    bin_, python = home / "bin", home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install"]
    run([*pip, "--no-deps", "--no-index", "--quiet", wheel], home)
    site = run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], home)
    # A path in a .pth file is searched last, and its own .pth files (such as editable installs) are not read.
    others = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    Path(site.strip(), "dependencies.pth").write_text("\n".join(others) + "\n")
    return bin_


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where commands run; a few images of noise are there, and compiled kernels are kept there."""
    work = tmp_path_factory.mktemp("work")
    noise_folder(work / "data")
    return work


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    package = ROOT / "clapp_snn"
    wanted = {
        str(path.relative_to(ROOT))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = zipfile.ZipFile(wheel).namelist()
    held = {name for name in names if ".dist-info/" not in name}
    assert held == wanted
    assert {"clapp_snn/py.typed", "clapp_snn/native/window.c", "clapp_snn/report/page.html"} < held
    assert "clapp_snn/assets/lif_digits/weights.safetensors" in held


def test_the_metadata_name_licence_python_and_program(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (home,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    metadata = message_from_string(archive.read(f"{home}/METADATA").decode())
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Version"] == version("clapp-snn")
    assert "MIT License" in archive.read(f"{home}/licenses/LICENSE").decode()
    assert "clapp-snn = clapp_snn.cli:main" in archive.read(f"{home}/entry_points.txt").decode()
    assert metadata.get_payload().startswith("# clapp_snn")


def test_it_is_imported_from_where_it_was_installed(installed: Path, folder: Path) -> None:
    code = "import clapp_snn, sys; print(clapp_snn.__file__); print(sys.path)"
    place, path = run([installed / "python", "-c", code], folder).splitlines()
    assert Path(place).is_relative_to(installed.parent)
    assert f"'{ROOT}'" not in path


@pytest.mark.skipif(not native.available(), reason=native.why_unavailable())
def test_the_program_trains_with_the_shipped_c_sources(installed: Path, folder: Path) -> None:
    program = installed / "clapp-snn"
    assert "event_burst" in run([program, "stream", "--help"], folder)
    assert "clapp-s" in run([program, "info", "methods"], folder)
    options = "--data photographs --width 0.03125 --batch 8 --steps 5 --engine native --out run"
    run([program, "train", *options.split()], folder)
    assert "step_00000005" in run([program, "info", "run"], folder)
    assert list((folder / "cache" / "clapp_snn" / "native").iterdir())
    run([program, "report", "run"], folder)
    assert (folder / "run" / "report.html").stat().st_size > 3000


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(name: str, installed: Path, folder: Path) -> None:
    shutil.copy(ROOT / "examples" / f"{name}.py", folder)
    printed = run([installed / "python", f"{name}.py", *EXAMPLES[name].split()], folder)
    assert EXAMPLES[name].split()[-1] in printed
