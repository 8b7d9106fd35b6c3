"""`clapp-snn export` and `verify` on a small run: files, report, refusals, and nothing half-written."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from clapp_snn.cli import main
from clapp_snn.commands.export import export
from clapp_snn.commands.export_files import (
    CHIP_SAMPLES,
    MANIFEST,
    SAMPLES,
    read_samples,
    write_samples,
)
from clapp_snn.commands.export_options import ExportOptions
from clapp_snn.commands.export_source import open_source
from clapp_snn.commands.spike_probe import look, rate_accuracy, spike_accuracy
from clapp_snn.commands.verify import Differs, verify
from clapp_snn.export.canonical import Network
from clapp_snn.export.convert import Conversion
from clapp_snn.export.interpreter import run as judge
from clapp_snn.export.nir_file import read_graph
from clapp_snn.export.target import Energy, Limit, Placement
from clapp_snn.export.targets import TARGETS
from clapp_snn.training.checkpoint import load_checkpoint, save_checkpoint
from clapp_snn.training.stream_build import build_network, open_objects
from clapp_snn.training.stream_config import StreamConfig, read_stream_config, write_stream_config
from clapp_snn.training.stream_loop import train_stream

QUICK = ExportOptions(steps=16, samples=2, probe=False)
CONFIG = StreamConfig(neuron="rate", units=(24, 16), windows=3, batch=4, log_every=3, seed=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "digits"
    train_stream(replace(CONFIG, out=folder), quiet=True)
    return folder


class Model:
    """Fires what the judge fires, two steps later in each layer."""

    delay = 2
    memory_bytes = 4321

    def __init__(self, network: Network) -> None:
        self.network = network

    def run(self, spikes: np.ndarray) -> list[np.ndarray]:
        return [
            np.concatenate([np.zeros_like(z[: 2 * (k + 1)]), z[: len(z) - 2 * (k + 1)]])
            for k, z in enumerate(judge(self.network, spikes))
        ]


class Chip:
    """A chip for tests with room for `neurons` of them."""

    name, title, learns = "xylo", "a test chip", False
    energy = Energy(10.0, 5.0, "measured by nobody")

    def __init__(self, neurons: int) -> None:
        self.neurons = neurons

    def check(self, network: Network) -> list[Limit]:
        return [Limit("neurons", network.neurons, self.neurons, "", "Use fewer units.")]

    def place(self, network: Network) -> list[Placement]:
        return [Placement("everything", "core 7")]

    def quantise(self, network: Network, samples: object = None) -> Model:
        return Model(network)

    def write(
        self, folder: Path, network: Network, learning: object, samples: object = None
    ) -> list[Path]:
        (folder / "chip.txt").write_text("weights")
        return [folder / "chip.txt"]


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Chip:
    made = Chip(1000)
    monkeypatch.setitem(TARGETS, "xylo", made)
    return made


def test_nir_export_is_verified(run: Path, tmp_path: Path) -> None:
    result = export(run, replace(QUICK, out=tmp_path / "out"))
    names = {path.name for path in result.folder.iterdir()}
    assert names == {
        "network.nir",
        "network_nir104.nir",
        "circuit.nir",
        "samples.npz",
        "report.md",
        "report.html",
        MANIFEST,
    }
    assert "| snnTorch | 2 | 0 of 512 |" in result.report
    assert "| norse | 2 | 0 of 512 |" in result.report
    assert "plasticity (Eqs. 6-8)" in result.report
    for path in (result.folder, result.folder / MANIFEST, result.folder / "network.nir"):
        assert all(each.different == 0 for each in verify(path))
    assert {each.tool for each in verify(result.folder)} >= {
        "judge, when exported",
        "Euler steps of the file",
        "snnTorch",
        "norse",
    }


def test_chip_that_fits(run: Path, tmp_path: Path, chip: Chip) -> None:
    result = export(run, replace(QUICK, target="xylo", out=tmp_path / "out"))
    assert result.fits
    assert (result.folder / "xylo/chip.txt").is_file()
    text = result.report
    assert "The network fits on a test chip." in text
    assert "| neurons | 40 | 1000 | 4.0 % | yes |" in text
    assert "| everything | core 7 |" in text
    assert "| a test chip | 2 | 0 of 512 |" in text
    assert "4321 bytes" in text
    assert "measured by nobody" in text
    found = verify(result.folder)
    assert [each.tool for each in found].count("a test chip, when exported") == 2
    given, wanted = (read_samples(result.folder / name) for name in (CHIP_SAMPLES, SAMPLES))
    assert len(given.inputs) == 16 + 2 * Model.delay
    for k, layer in enumerate(wanted.layers):
        late = (k + 1) * Model.delay
        assert (given.layers[k][late : late + 16] == layer).all()


def test_chip_that_is_too_small(
    run: Path, tmp_path: Path, chip: Chip, capsys: pytest.CaptureFixture[str]
) -> None:
    chip.neurons = 39
    out = tmp_path / "out"
    arguments = ["export", str(run), "--target", "xylo", "--out", str(out), "--steps", "8"]
    assert main([*arguments, "--probe", "false"]) == 1
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert "does not fit on xylo" in shown.err
    assert "neurons: 40 of 39. Use fewer units." in (out / "report.md").read_text()
    assert not (out / "xylo").exists()


def test_learning_where_there_is_none(run: Path, tmp_path: Path, chip: Chip) -> None:
    with pytest.raises(ValueError, match="xylo cannot learn"):
        export(run, replace(QUICK, target="xylo", learning=True, out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", ["clapp-pp-dfb", "clapp-pp-both"])
def test_a_network_with_feedback_is_exported_without_its_rule(method: str, tmp_path: Path) -> None:
    config = replace(CONFIG, method=method, out=tmp_path / "run")
    train_stream(config, quiet=True)
    with pytest.raises(ValueError, match="feedback from others"):
        export(tmp_path / "run", replace(QUICK, learning=True, out=tmp_path / "no"))
    assert export(tmp_path / "run", replace(QUICK, out=tmp_path / "out"))


def test_failure_leaves_nothing(
    run: Path, tmp_path: Path, chip: Chip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> list[Path]:
        raise OSError("disk full")

    monkeypatch.setattr(chip, "write", fail)
    with pytest.raises(OSError, match="disk full"):
        export(run, replace(QUICK, target="xylo", out=tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_an_export_is_replaced_and_other_folders_are_not(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(run, replace(QUICK, out=out))
    export(run, replace(QUICK, out=out, steps=8))
    assert json.loads((out / MANIFEST).read_text())["steps"] == 8
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("irreplaceable")
    with pytest.raises(FileExistsError, match="is no export"):
        export(run, replace(QUICK, out=other))
    assert (other / "thesis.tex").read_text() == "irreplaceable"


def test_changes_are_found(run: Path, tmp_path: Path) -> None:
    folder = export(run, replace(QUICK, out=tmp_path / "out")).folder
    samples = read_samples(folder / SAMPLES)
    samples.layers[0][3] = ~samples.layers[0][3]
    write_samples(folder / SAMPLES, samples)
    with pytest.raises(Differs, match=r"samples\.npz has changed"):
        verify(folder)
    record = json.loads((folder / MANIFEST).read_text())
    record["files"].pop("samples.npz")
    (folder / MANIFEST).write_text(json.dumps(record))
    with pytest.raises(
        Differs, match=r"48 of 768 spikes of layer 1 differ \(judge, when exported\)"
    ):
        verify(folder)
    record["files"] = {"../secret": "0"}
    (folder / MANIFEST).write_text(json.dumps(record))
    with pytest.raises(ValueError, match="outside its folder"):
        verify(folder)
    (folder / MANIFEST).write_text("{}")
    with pytest.raises(ValueError, match="no manifest of format"):
        verify(folder)


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path)]) == 1
    assert "is no run" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def complaint(run: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The line that an export of `run` ends with; it leaves nothing behind."""
    out = run.parent / "out"
    assert main(["export", str(run), "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert sorted(path.name for path in run.parent.iterdir()) == [run.name]
    return error


@pytest.mark.parametrize("units", [(24,), (24, 20), (16, 24), (24, 16, 8)])
def test_a_checkpoint_of_another_configuration(
    run: Path, tmp_path: Path, units: tuple[int, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "digits"
    shutil.copytree(run, copy)
    write_stream_config(copy, replace(read_stream_config(copy), units=units))
    error = complaint(copy, capsys)
    assert f"The weights in {copy} do not fit areas of {list(units)} units" in error
    assert "size mismatch" not in error


def test_a_run_with_weights_that_are_not_finite(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "digits"
    shutil.copytree(run, copy)
    kept = load_checkpoint(copy)
    folder = kept.folder.parent
    name = next(name for name in kept.model if name.endswith("0.weight"))
    kept.model[name][0, 0] = torch.nan
    save_checkpoint(folder, kept.step + 1, kept.model, kept.optimizer, kept.state)
    assert "finite" in complaint(copy, capsys)


def test_probe_of_counts_comes_close_to_that_of_activities(run: Path) -> None:
    source = open_source(run, Conversion(peak=0.25), 2)
    objects = open_objects(CONFIG)
    looks = look(build_network(CONFIG), objects.train, objects.test, 0)
    few = looks._replace(
        train=looks.train[:300],
        test=looks.test[:300],
        train_labels=looks.train_labels[:300],
        test_labels=looks.test_labels[:300],
    )
    rate = rate_accuracy(source.layers, few, 0)
    network = source.converted.network
    found = spike_accuracy(source.converted, lambda x: judge(network, x), few, [2, 128], 0)
    late = spike_accuracy(source.converted, Model(network).run, few, [128], 0, delay=2)
    assert late[128] == found[128]
    assert all(abs(a - b) < 8 for a, b in zip(rate, found[128], strict=True))
    assert found[2][1] < found[128][1]


@pytest.mark.parametrize("target", ["loihi2", "spinnaker"])
def test_late_layers_answer_to_the_last_input(run: Path, tmp_path: Path, target: str) -> None:
    """The samples of a chip with delays last as much longer as its last layer comes later."""
    result = export(run, replace(QUICK, target=target, steps=12, out=tmp_path / "out"))
    assert all(each.different == 0 for each in verify(result.folder))
    given, wanted = (read_samples(result.folder / name) for name in (CHIP_SAMPLES, SAMPLES))
    assert len(given.inputs) == 12 + 2
    assert not given.inputs[12:].any()
    for k, layer in enumerate(wanted.layers):
        moved = given.layers[k][k + 1 : k + 13] != layer
        assert layer[-3:].any()
        assert moved.mean() < 0.05


def test_learning_for_spinnaker(run: Path, tmp_path: Path) -> None:
    options = replace(QUICK, target="spinnaker", learning=True, out=tmp_path / "out")
    folder = export(run, options).folder / "spinnaker"
    record = json.loads((folder / "learning" / "network.json").read_text())
    assert {each["name"] for each in record["sources"]} == {"input", "fixation", "saccade", "end"}
    assert record["rule"]["name"] == "CLAPP"
    assert record["steps_of_a_window"] == 128
    assert any("W_pred" in each for each in record["differences"])


def test_a_probe_of_few_steps_waits_for_late_layers(run: Path) -> None:
    """Counts of a chip that is two steps late a layer are those of the judge, however short the sample."""
    source = open_source(run, Conversion(peak=0.5), 2)
    objects = open_objects(CONFIG)
    looks = look(build_network(CONFIG), objects.train, objects.test, 0)
    few = looks._replace(
        train=looks.train[:60],
        test=looks.test[:60],
        train_labels=looks.train_labels[:60],
        test_labels=looks.test_labels[:60],
    )
    network = source.converted.network
    exact = spike_accuracy(source.converted, lambda x: judge(network, x), few, [3], 0)
    late = spike_accuracy(source.converted, Model(network).run, few, [3], 0, delay=2)
    assert late == exact


def test_more_samples_than_could_be_read_again(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="use fewer --steps"):
        export(run, replace(QUICK, steps=10**9, out=tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_a_silent_area_leaves_out_the_circuit_alone(run: Path, tmp_path: Path) -> None:
    options = replace(QUICK, steps=1, probe=False, out=tmp_path / "out")
    result = export(run, options)
    assert not (result.folder / "circuit.nir").exists()
    assert "circuit.nir: Area 1 predicts nothing on these samples" in result.report
    assert all(each.different == 0 for each in verify(result.folder))
    with pytest.raises(ValueError, match="predicts nothing"):
        export(run, replace(options, learning=True, out=tmp_path / "other"))


def test_a_file_without_a_time_step_is_verified_with_one(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = read_graph(
        export(run, replace(QUICK, probe=False, out=tmp_path / "out")).folder / "network.nir"
    )
    step = float(graph.metadata.pop("dt"))
    nir.write(tmp_path / "plain.nir", graph)
    plain = str(tmp_path / "plain.nir")
    assert main(["verify", plain]) == 1
    assert "does not say its time step" in capsys.readouterr().err
    assert main(["verify", plain, "--step", str(step)]) == 0
