"""`clapp-snn stream` on every kind of data, and what it says of bad ones."""

import os
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from clapp_snn.cli import main
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.stream_session import StreamSession
from tests.small_data import write_events, write_images, write_sounds

OPTIONS = ["--windows", "3", "--batch", "4", "--quiet"]
DENSE = ["--units", "[6,5]", "--window", "50"]
STEPPED = ["--units", "[6]", "--simulation", "stepped", "--dt", "2", "--copies", "2"]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_events(folder / "events")
    write_sounds(folder / "sounds.npz")
    write_images(folder / "images")
    return folder


def probe(run: Path) -> list[list[str]]:
    return [line.split(",") for line in (run / "stream_probe.csv").read_text().split()[1:]]


@pytest.mark.parametrize(
    ("data", "source", "options", "areas"),
    [
        ("events", "events", DENSE, 2),
        ("events", "events", [*DENSE, "--neuron", "rate", "--resolution", "full"], 2),
        ("events", "events", [*DENSE, "--fold", "2", "--folds", "3"], 2),
        ("events", "events", [*STEPPED, "--window", "100"], 1),
        ("events", "events", ["--encoder", "vgg6", "--width", "0.008"], 6),
        ("sounds", "sounds.npz", DENSE, 2),
        ("sounds", "sounds.npz", [*STEPPED, "--window", "200"], 1),
        ("images", "images", [*DENSE, "--glance", "8"], 2),
        ("images", "images", ["--encoder", "vgg6", "--width", "0.008", "--color", "true"], 6),
    ],
)
def test_every_kind_of_data(home, tmp_path, capsys, data, source, options, areas) -> None:
    run = ["--data", data, "--source", str(home / source), "--out", str(tmp_path / "run")]
    assert main(["stream", *run, *options, *OPTIONS]) == 0, capsys.readouterr().err
    rows = probe(tmp_path / "run")
    assert [row[1] for row in rows] == [str(area) for area in range(areas + 1)] * 2
    assert float(rows[0][2]) > 60, "the classes of the small data are easy to tell apart"
    assert rows[0][2] == rows[areas + 1][2], "raw input is the same beside both networks"


def changed(home: Path, folder: Path, **arrays: object) -> Path:
    """The small recordings, some arrays of the training pack exchanged."""
    folder.mkdir()
    (folder / "small_test.npz").write_bytes((home / "events" / "small_test.npz").read_bytes())
    old = dict(np.load(home / "events" / "small_train.npz"))
    new = {key: value(old[key]) if callable(value) else value for key, value in arrays.items()}
    np.savez(folder / "small_train.npz", **(old | new))
    return folder


def put(place: int, value: int):
    """The array with one value exchanged."""

    def exchange(array: np.ndarray) -> np.ndarray:
        array = array.astype(np.int64)
        array[place] = value
        return array

    return exchange


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"dt": put(4, -400_000)}, r"event 4 of recording 0 .*(earlier|negative)"),
        ({"addr": put(2, 2312)}, r"event 2 of recording 0 has address 2312, outside the sensor"),
        ({"offsets": put(1, 0)}, r"recording 0 is empty; leave it out"),
        ({"addr": lambda a: a[:-3]}, r"do not fit together; the data are truncated"),
        ({"dt": lambda a: a // 2}, r"recording 0 ends after 157\.\d ms, inside or before its last"),
    ],
    ids=["unsorted", "outside", "empty", "mixed up", "ends inside a fixation"],
)
def test_bad_recordings_are_one_line(home, tmp_path, capsys, arrays, message) -> None:
    source = changed(home, tmp_path / "bad", **arrays)
    run = ["--data", "events", "--source", str(source), "--out", str(tmp_path / "run")]
    assert main(["stream", *run, *OPTIONS]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "small_train.npz" in error
    assert re.search(message, error), error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("data", ["events", "sounds", "images"])
def test_truncated_and_missing_files_are_one_line(home, tmp_path, capsys, data) -> None:
    source = tmp_path / "cut.npz"
    if data == "sounds":
        source.write_bytes((home / "sounds.npz").read_bytes()[:-500])
    elif data == "events":
        source = changed(home, tmp_path / "cut")
        pack = source / "small_train.npz"
        pack.write_bytes(pack.read_bytes()[:-500])
    else:
        source = write_images(tmp_path / "cut")
        file = source / "train_X.bin"
        file.write_bytes(file.read_bytes()[:-500])
    for path in (source, tmp_path / "nowhere"):
        run = ["--data", data, "--source", str(path), "--out", str(tmp_path / "run")]
        assert main(["stream", *run, *OPTIONS]) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1, error
        assert str(path) in error


def test_a_package_that_is_not_installed_is_named(home, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    run = ["--data", "sounds", "--source", str(home / "sounds.npz"), "--out", str(tmp_path / "run")]
    assert main(["stream", *run, *OPTIONS]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "pip install 'clapp-snn[sound]'" in error


def test_interrupted_in_mid_window_and_resumed(home, tmp_path, capsys, monkeypatch) -> None:
    """The 70th of 50 steps a window: exit status of an interrupt, then the end of an uninterrupted run."""
    run = ["stream", "--data", "events", "--source", str(home / "events"), "--window", "100"]
    run += ["--engine", "torch", *STEPPED, *OPTIONS, "--out"]
    assert main([*run, str(tmp_path / "whole")]) == 0
    advance, calls = StreamSession.advance, iter(range(1, 10**6))

    def counting(self: StreamSession):
        if next(calls) == 70:
            os.kill(os.getpid(), signal.SIGINT)
        return advance(self)

    with monkeypatch.context() as patch:
        patch.setattr(StreamSession, "advance", counting)
        assert main([*run, str(tmp_path / "parts")]) == 130
    assert not (tmp_path / "parts" / "stream_probe.csv").exists()
    assert main([*run, str(tmp_path / "parts"), "--resume"]) == 0
    assert probe(tmp_path / "whole") == probe(tmp_path / "parts")
    weights = [load_checkpoint(tmp_path / name).model for name in ("whole", "parts")]
    assert all(tensor.equal(weights[1][name]) for name, tensor in weights[0].items())
