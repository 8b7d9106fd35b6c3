"""Video through the shared loop, checkpoints and commands."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clapp_snn.commands.options import ProbeOptions
from clapp_snn.commands.probe import probe
from clapp_snn.commands.train import train
from clapp_snn.methods import get_method
from clapp_snn.methods.video import VIDEO_METHODS
from clapp_snn.modalities import modality_of, video
from clapp_snn.modalities.video import VIDEO
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.config import TrainConfig, read_config
from clapp_snn.training.distributed import World
from clapp_snn.training.learner import make_learner
from tests.stimuli.small_videos import write_pack, write_ucf101


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    write_pack(folder / "act_train.npz", 8, frames=6)
    write_pack(folder / "act_test.npz", 4, frames=6)
    return folder


def config(pack: Path, out: Path | None = None, **changes: object) -> TrainConfig:
    options: dict[str, object] = {
        "data": f"clips:{pack}",
        "out": out,
        "width": 1 / 32,
        "batch": 4,
        "learning_rate": 1e-3,
        "clip_encoder": "vgg5-frames",
        "clip_frames": 5,
        "clip_side": 67,
        "steps": 4,
        "checkpoint_every": 2,
        "log_every": 1,
        "device": "cpu",
    }
    return TrainConfig(**(options | changes))  # type: ignore[arg-type]


def test_the_modality_follows_from_the_data() -> None:
    for data in ("clips", "clips:some/folder", "ucf101:some/folder"):
        assert modality_of(TrainConfig(data=data)) is VIDEO
    assert modality_of(TrainConfig()).name == "images"


def test_a_run_can_be_resumed_exactly(pack: Path, tmp_path: Path) -> None:
    whole = config(pack, tmp_path / "whole")
    train(whole, quiet=True)
    half = config(pack, tmp_path / "half", steps=2)
    train(half, quiet=True)
    train(replace(half, steps=4), quiet=True, resume=True)
    one, two = (load_checkpoint(tmp_path / name) for name in ("whole", "half"))
    assert one.step == two.step == 4
    assert one.model.keys() == two.model.keys()
    for name, tensor in one.model.items():
        assert torch.equal(tensor, two.model[name]), name
    assert any("running_mean" in name for name in one.model)
    with (tmp_path / "whole" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["clips"] for row in rows] == ["4", "8", "12", "16"]
    assert {"loss_5", "gate_5", "clips_per_second"} <= rows[0].keys()
    assert (tmp_path / "whole" / "scores.npz").exists()


@pytest.mark.parametrize("method", VIDEO_METHODS)
def test_every_method_runs(pack: Path, tmp_path: Path, method: str) -> None:
    run = config(pack, tmp_path / method, method=method, steps=2)
    result = train(run, quiet=True)
    assert result.step == (0 if method == "random" else 2)
    before, after = (
        load_checkpoint(path).model
        for path in (
            tmp_path / method / "checkpoints/step_00000000",
            tmp_path / method,
        )
    )
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    if method == "random":
        assert moved == []
    else:
        assert "encoder.blocks.0.weight" in moved


@pytest.mark.parametrize(
    "options",
    [
        {"normalisation": "none"},
        {"block_order": "norm-relu"},
        {"clip_encoder": "vgg5-overlap", "clip_frames": 19, "clip_every": 1},
        {"batch": 4, "group": 2},
        {"precision": "bfloat16"},
    ],
)
def test_every_option_runs(tmp_path: Path, options: dict[str, object]) -> None:
    write_pack(tmp_path / "act_train.npz", 4, frames=19)
    write_pack(tmp_path / "act_test.npz", 2, frames=19)
    run = config(tmp_path, tmp_path / "run", **({"steps": 1} | options))
    assert train(run, quiet=True).step == 1
    assert read_config(tmp_path / "run") == run


def test_probes_of_a_run_write_their_tables(pack: Path, tmp_path: Path) -> None:
    train(config(pack, tmp_path / "run", steps=2), quiet=True)
    said: list[str] = []
    options = ProbeOptions(protocols=("fast", "paper"), paper_epochs=1, curve=True, device="cpu")
    table = probe(tmp_path / "run", options, said.append)
    found = {(row.protocol, row.encoder, row.layer) for row in table.rows}
    layers = range(1, 6)
    wanted = {(p, e, i) for p in ("fast", "paper") for e in ("trained", "random") for i in layers}
    assert found == wanted | {("fast", "pixels", 0)}
    assert all(row.top3 is not None and row.n_test == 4 for row in table.rows)
    curve = (tmp_path / "run" / "probe_curve.csv").read_text().splitlines()
    assert len(curve) == 1 + 2 * 5
    assert "UCF-101" not in said[-1]
    last = tmp_path / "run" / "checkpoints" / "step_00000002"
    options = replace(options, curve=False, weights=last, baselines=False)
    alone = probe(tmp_path / "run", options, said.append)
    assert [replace(row, step=2) for row in alone.rows] == [
        row for row in table.rows if row.encoder == "trained"
    ]
    with pytest.raises(ValueError, match="Unknown probe protocol few-shot for video"):
        probe(tmp_path / "run", ProbeOptions(protocols=("few-shot",)), said.append)


def test_weight_decay_is_published_unless_given(pack: Path) -> None:
    for given, wanted in ((None, 1e-5), (0.0, 0.0), (0.1, 0.1)):
        network, _ = VIDEO.build(config(pack, weight_decay=given), torch.device("cpu"), 2)
        learner = make_learner(network, 1e-3, 4, World(0, 1, torch.device("cpu")))
        assert {o.param_groups[0]["weight_decay"] for o in learner.optimizers} == {wanted}


def test_ucf101_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAPP_SNN_CACHE", str(tmp_path / "cache"))
    write_ucf101(tmp_path / "ucf", each=1)
    run = config(
        tmp_path,
        tmp_path / "run",
        data=f"ucf101:{tmp_path / 'ucf'}",
        steps=1,
        batch=2,
        clip_frames=7,
    )
    train(run, quiet=True)
    said: list[str] = []
    table = probe(tmp_path / "run", ProbeOptions(device="cpu"), said.append)
    assert {row.n_test for row in table.rows} == {3}
    described = (tmp_path / "run" / "data.json").read_text()
    assert "3 of 3 videos of the test list" in described


def test_unset_lengths_are_those_published() -> None:
    ucf = TrainConfig(data="ucf101:x")
    assert (video._frames(ucf), video._every(ucf), video._side(ucf)) == (54, 3, 128)
    assert video._settings(ucf).frames == 72
    assert video._settings(replace(ucf, clip_frames=30)).frames == 30
    assert video._settings(replace(ucf, clip_test="subset")).published_test
    assert video._settings(TrainConfig(data="clips")).frames == 54


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": "photographs", "block_order": "norm-relu"}, "block_order is an option for video"),
        ({"data": "photographs", "clip_frames": 9}, "clip_frames is an option for video"),
        ({"data": "clips", "color": True}, "color is an option for images"),
        ({"data": "clips", "engine": "native"}, "engine is an option for images"),
        ({"data": "clips", "recurrence": "eprop"}, "recurrence is an option for speech"),
        ({"data": "clips", "method": "clapp"}, "Unknown method 'clapp' for video"),
        ({"data": "clips", "clip_test": "subset"}, "protocol of UCF-101"),
        ({"data": "clips", "clip_side": 0}, "clip_side must be at least 1"),
        ({"data": "clips", "weight_decay": -1.0}, "weight_decay must not be negative"),
        (
            {"data": "clips", "normalisation": "none", "block_order": "norm-relu"},
            "block_order has no meaning",
        ),
    ],
)
def test_impossible_configurations_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainConfig(**options)  # type: ignore[arg-type]


def test_errors_before_training_are_clear(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be downloaded"):
        VIDEO.open(TrainConfig(data="clips"), download=True)
    with pytest.raises(ValueError, match="None of the 8 train recordings is long enough"):
        VIDEO.open(config(pack, clip_frames=54))
    with pytest.raises(ValueError, match="cannot predict 3 steps ahead"):
        VIDEO.build(config(pack, clip_frames=3), torch.device("cpu"), 2)
    train(config(pack, tmp_path / "run", steps=1), quiet=True)
    with pytest.raises(ValueError, match=r"do not fit a vgg5-frames of width 0\.0625"):
        video._load(
            config(pack, width=1 / 16),
            load_checkpoint(tmp_path / "run").folder,
            torch.device("cpu"),
        )


def test_paper_numbers_are_those_of_table_1() -> None:
    numbers = {name: get_method(name, "video").reported for name in VIDEO_METHODS}
    assert numbers == {
        "clapp-s": 41.6,
        "gim-layerwise": 41.2,
        "cpc": 35.7,
        "hinge-cpc": 36.1,
        "supervised": 51.5,
        "supervised-greedy": None,
        "random": 30.5,
    }
