"""Files of an export: whole or not at all, checked when they are read, whoever wrote them."""

from pathlib import Path

import numpy as np
import pytest

from clapp_snn.cli import main
from clapp_snn.commands.export_files import (
    MANIFEST,
    Samples,
    read_samples,
    whole_folder,
    write_manifest,
    write_samples,
)
from clapp_snn.export.nir_encoder import encoder_graph
from clapp_snn.export.nir_file import write_graph
from tests.export.networks import conv


def test_an_interrupted_folder_is_removed(tmp_path: Path) -> None:
    def interrupted() -> None:
        with whole_folder(tmp_path / "out") as folder:
            (folder / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_in_an_export_are_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def export() -> None:
        with whole_folder(out) as folder:
            (folder / "chip").mkdir()
            (folder / "chip" / "weights").write_text("1")
            record = {"target": "nir"}
            write_manifest(folder, record, [folder / "chip" / "weights"])

    export()
    export()
    (out / "notes").mkdir()
    (out / "notes" / "thesis.tex").write_text("irreplaceable")
    with pytest.raises(FileExistsError, match=r"thesis\.tex, which no export wrote"):
        export()
    assert (out / "notes" / "thesis.tex").read_text() == "irreplaceable"
    assert (out / "chip" / "weights").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_earlier_export_survives_a_failure_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, move = tmp_path / "out", Path.replace
    with whole_folder(out) as folder:
        write_manifest(folder, {"target": "nir"}, [])

    def fail(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise OSError("disk full")
        return move(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"), whole_folder(out):
        pass
    assert (out / MANIFEST).is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_samples_round_trip_and_refusals(tmp_path: Path) -> None:
    r = np.random.default_rng(0)
    written = Samples(r.random((5, 2, 3)) < 0.5, [r.random((5, 2, 4)) < 0.5])
    path = tmp_path / "samples.npz"
    write_samples(path, written)
    read = read_samples(path)
    assert (read.inputs == written.inputs).all()
    assert (read.layers[0] == written.layers[0]).all()
    np.savez(path, input=np.zeros(1, np.uint8), input_shape=np.array([2**40]))
    with pytest.raises(ValueError, match="impossible shape"):
        read_samples(path)
    np.savez(path, input=np.array([object()]), input_shape=np.array([1]))
    with pytest.raises(ValueError, match="holds no samples"):
        read_samples(path)
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ValueError, match="holds no samples"):
        read_samples(path)


def test_samples_that_unpack_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb is refused before it is unpacked; so are more, or fewer, bits than a shape has."""
    path = tmp_path / "samples.npz"
    monkeypatch.setattr("clapp_snn.commands.export_files.LARGEST_SAMPLES", 2**20)
    np.savez_compressed(path, input=np.zeros(2**20 + 1, np.uint8), input_shape=np.array([8]))
    assert path.stat().st_size < 2**12
    with pytest.raises(ValueError, match="unpacks to"):
        read_samples(path)
    np.savez(path, input=np.zeros(1, np.uint8), input_shape=np.array([2**32, 2**32]))
    with pytest.raises(ValueError, match="impossible shape"):
        read_samples(path)
    np.savez(path, input=np.zeros(3, np.uint8), input_shape=np.array([2, 4]))
    with pytest.raises(ValueError, match="too few or too many"):
        read_samples(path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[" * 100_000, "not valid JSON"),
        ('{"format": 1, "target": "nir"}', "lacks the target or the checksums"),
        ('{"format": 1, "target": ["nir"], "files": {}}', "lacks the target or the checksums"),
        ('{"format": 1, "target": "nir", "files": {"a": 1}}', "lacks the target or the checksums"),
        (" " * (2**20 + 1), "larger than"),
        ("\udcff", "not valid JSON"),
    ],
    ids=["deep", "no files", "no target", "no checksum", "large", "no text"],
)
def test_hostile_manifests(
    tmp_path: Path, text: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / MANIFEST).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert main(["verify", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_a_file_alone_is_verified_on_random_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_graph(tmp_path / "conv.nir", encoder_graph(conv()))
    assert main(["verify", str(path)]) == 0
    assert "snnTorch" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "absent.nir")]) == 1
    assert "no file" in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:500])
    assert main(["verify", str(path)]) == 1
    error = capsys.readouterr().err
    assert "cannot be read" in error
    assert error.count("\n") == 1


def test_a_file_that_is_too_large_to_run_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("clapp_snn.commands.verify.LARGEST_SAMPLES", 100 * 4 * 100)
    path = write_graph(tmp_path / "conv.nir", encoder_graph(conv()))
    assert main(["verify", str(path)]) == 1
    assert "A layer of 256 neurons is too large" in capsys.readouterr().err
