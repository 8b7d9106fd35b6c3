"""What the probe command keeps, and for whom."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from clapp_snn.cli import main
from clapp_snn.commands.options import ProbeOptions
from clapp_snn.commands.probe import probe, reported
from clapp_snn.evaluation import finetune as module
from clapp_snn.evaluation.finetune import FinetuneRow, read_finetune
from clapp_snn.evaluation.probe_table import ProbeTable
from clapp_snn.methods import get_method
from tests.training import tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a small folder of images, one of which cannot be read."""
    home = tmp_path_factory.mktemp("home")
    data = tiny.dataset(30, size=96)
    labels = data.train.labels
    assert labels is not None
    for part in ("train", "test"):
        for index in range(30):
            folder = home / "images" / part / f"class{int(labels[index])}"
            folder.mkdir(parents=True, exist_ok=True)
            pixels = data.train.read(labels.new_tensor([index]))[0].permute(1, 2, 0).numpy()
            Image.fromarray(pixels).save(folder / f"{index:02}.png")
    (home / "images" / "train" / "class0" / "broken.png").write_bytes(b"no image")
    options = ["--width", "0.03125", "--batch", "8", "--steps", "4", "--checkpoint_every", "2"]
    out = home / "run"
    status = main(
        ["train", *options, "--data", str(home / "images"), "--out", str(out), "--quiet", "--keep", "9",
         "--skip_unreadable", "true", "--unlabeled_from_train", "true"]
    )  # fmt: skip
    assert status == 0
    return out


OPTIONS = ProbeOptions(protocols=("fast", "few-shot"), shots=2)


def test_unreadable_files_stay_left_out_when_the_run_is_probed(run: Path) -> None:
    table = probe(run, OPTIONS, say=lambda _: None)
    assert {row.encoder for row in table.rows} == {"trained", "random", "pixels"}
    assert len(ProbeTable.read(run / "probe.csv").rows) == 2 * (6 + 6 + 1)


def test_foreign_weights_leave_the_results_of_the_run_alone(run: Path) -> None:
    probe(run, OPTIONS, say=lambda _: None)
    before = (run / "probe.csv").read_bytes()
    first = run / "checkpoints" / "step_00000002"
    table = probe(run, ProbeOptions(protocols=("fast",), weights=first), say=lambda _: None)
    assert len(table.rows) == 6 + 6 + 1
    options = ProbeOptions(protocols=("fast",), weights=first, baselines=False)
    alone = probe(run, options, say=lambda _: None)
    assert alone.rows == [row for row in table.rows if row.encoder == "trained"]
    assert (run / "probe.csv").read_bytes() == before


def test_numbers_of_other_networks_are_called_so() -> None:
    own, other = (reported(get_method(name), "STL-10") for name in ("clapp", "softhebb"))
    assert "73.6 % (Table 1" in own
    assert "comparable" not in own
    assert other.endswith("76.2 % (arXiv:2209.11883, abstract, other network; not comparable).")
    assert "Nothing is published" in reported(get_method("clapp-s-no-gamma"), "STL-10")


def test_rows_are_saved_as_they_are_measured(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that fails half-way has written what it had."""
    (run / "probe.csv").unlink(missing_ok=True)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("stopped")

    monkeypatch.setattr("clapp_snn.evaluation.run_probes.linear_probe", fail)
    options = ProbeOptions(protocols=("fast", "paper"), paper_epochs=1)
    with pytest.raises(RuntimeError, match="stopped"):
        probe(run, options, say=lambda _: None)
    assert len(ProbeTable.read(run / "probe.csv").rows) == 6 + 6 + 1


def test_an_unfinished_probe_is_left_alone_by_others(run: Path) -> None:
    """Neither a probe of other protocols nor one of other weights may remove it, wherever those lie."""
    unfinished = run / "probe_states" / "step_00000004" / "probe_trained_0.safetensors"
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    unfinished.write_bytes(b"epochs of work")
    probe(run, ProbeOptions(protocols=("fast",)), say=lambda _: None)
    foreign = run / "checkpoints" / "step_00000004"
    for path in (foreign, foreign / ".." / "step_00000004" / "."):
        options = ProbeOptions(protocols=("fast",), weights=path)
        probe(run, options, say=lambda _: None)
    assert unfinished.read_bytes() == b"epochs of work"
    shutil.rmtree(run / "probe_states")


def test_papers_protocol_and_curve(run: Path) -> None:
    options = ProbeOptions(protocols=("paper", "fast"), paper_epochs=1, curve=True)
    table = probe(run, options, say=lambda _: None)
    assert {row.layer for row in table.rows if row.protocol == "paper"} == set(range(7))
    lines = (run / "probe_curve.csv").read_text().split()
    steps = {line.split(",")[0] for line in lines[1:]}
    assert steps == {"0", "2", "4"}
    assert not (run / "probe_states").exists() or not any((run / "probe_states").iterdir())


def test_finetune_command(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["finetune", str(run), "--epochs", "1", "--batch", "8"]) == 0
    assert "scratch" in capsys.readouterr().out
    assert len(read_finetune(run / "finetune.csv")) == 4
    assert main(["finetune", str(run), "--epochs", "1", "--batch", "8", "--seed", "1"]) == 0
    assert {row.seed for row in read_finetune(run / "finetune.csv")} == {0, 1}


def test_a_finished_start_survives_an_interruption(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / "finetune.csv").unlink(missing_ok=True)
    train = module._train

    def interrupted(name: str, *args: object) -> list[FinetuneRow]:
        if name == "scratch":
            raise KeyboardInterrupt
        return train(name, *args)

    monkeypatch.setattr(module, "_train", interrupted)
    assert main(["finetune", str(run), "--epochs", "1", "--batch", "8"]) == 130
    assert {row.start for row in read_finetune(run / "finetune.csv")} == {"learned"}


def test_diverging_fine_tuning_is_one_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Adam's first step has the size of its rate: weights of 1e30 overflow float32 in the second layer."""
    assert main(["finetune", str(run), "--learning_rate", "1e30"]) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("clapp-snn finetune: Fine-tuning from ")
    assert message.endswith("Use a smaller learning rate.")


def test_learning_curves_of_other_protocols_stay(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    folder = tmp_path / "run"
    for protocols in (("fast", "few-shot"), ("few-shot",)):
        options = ProbeOptions(protocols=protocols, curve=True, baselines=False)
        probe(folder, options, say=lambda _: None)
    lines = (folder / "probe_curve.csv").read_text().split()[1:]
    assert {tuple(line.split(",")[:2]) for line in lines} == {
        (step, protocol) for step in ("0", "2", "4") for protocol in ("fast", "few-shot")
    }
    assert len(lines) == len(set(lines)) == 3 * 2 * 6
    before = (folder / "probe_curve.csv").read_bytes()
    weights = next((folder / "checkpoints").glob("step_*"))
    with pytest.raises(ValueError, match="leave --weights or --curve out"):
        probe(folder, ProbeOptions(weights=weights, curve=True), say=lambda _: None)
    assert (folder / "probe_curve.csv").read_bytes() == before
