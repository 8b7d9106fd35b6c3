"""`clapp-snn train` looks at the run's folder before it opens or downloads data."""

import os
from pathlib import Path

import pytest

from clapp_snn.cli import main
from clapp_snn.commands import train
from clapp_snn.training.config import TrainConfig, write_config

OPTIONS = ("train", "--data", "stl10:nowhere", "--download", "--width", "0.125")


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def arrive(*_: object, **__: object) -> None:
        raise AssertionError("data were opened first")

    monkeypatch.setattr(train, "data_of", arrive)


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The single line it prints."""
    assert main([*OPTIONS, *options]) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "Errno" not in printed
    return printed


@pytest.fixture
def run(tmp_path: Path) -> str:
    folder = tmp_path / "run"
    write_config(folder, TrainConfig(data="stl10:nowhere", width=0.125))
    return str(folder)


def test_a_run_that_is_there_needs_resume(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "already holds a run" in refused(capsys, "--out", run)
    assert "seed: 2 -> 3" in refused(capsys, "--out", run, "--resume", "--seed", "3")
    assert "no run to resume" in refused(capsys, "--out", run + "2", "--resume")
    assert not Path(run + "2").exists()


def test_the_same_run_goes_on_to_its_data(run: str) -> None:
    with pytest.raises(AssertionError, match="data were opened"):
        main([*OPTIONS, "--out", run, "--resume"])
    assert os.listdir(run) == ["config.yaml"]


@pytest.mark.parametrize("more", [[], ["--resume"]])
@pytest.mark.parametrize("below", ["", "/x", "/x/y"])
def test_a_file_in_the_way_is_named(
    run: str, below: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    printed = refused(capsys, "--out", f"{run}/config.yaml{below}", *more)
    assert f"{run}/config.yaml is a file, but a folder is needed" in printed


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")
def test_a_place_that_takes_no_folder_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    printed = refused(capsys, "--out", "/proc/clapp/run")
    assert "/proc/clapp/run cannot be made or written to" in printed
    assert "choose another place" in printed
