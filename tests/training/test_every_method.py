"""Every row of the method table trains: two steps, finite numbers, weights that moved and can be read."""

import csv
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.methods import METHODS
from clapp_snn.modalities.images import IMAGES
from clapp_snn.training.build import build_hierarchy
from clapp_snn.training.checkpoint import list_checkpoints, load_checkpoint
from clapp_snn.training.config import read_config
from clapp_snn.training.loop import train
from tests.training import tiny


def run_two_steps(run: Path, method: str, **changes: object) -> tuple[dict[str, Tensor], ...]:
    """Weights before and after a run, and its metrics checked on the way."""
    config = tiny.config(run, method=method, steps=2, log_every=1, engine="auto", **changes)
    result = train(config, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    learns = METHODS[method].task != "none"
    assert (result.step, result.total) == ((2, 2) if learns else (0, 0))
    modules = range(1, len(METHODS[method].splits) + 1)
    with (run / "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == (["1", "2"] if learns else [])
    for row in rows:
        assert {f"{what}_{m}" for what in ("loss", "gate") for m in modules} < row.keys()
        assert all(math.isfinite(float(value)) for value in row.values()), row
    folders = list_checkpoints(run / "checkpoints")
    return load_checkpoint(folders[0]).model, load_checkpoint(run).model


def reloaded(run: Path) -> Hierarchy:
    """A network built from nothing but the folder of the run."""
    network, _ = build_hierarchy(read_config(run), torch.device("cpu"), classes=3)
    network.load_state_dict(load_checkpoint(run).model)
    return network


@pytest.mark.parametrize("method", METHODS)
def test_two_steps_of_every_method(tmp_path: Path, method: str) -> None:
    before, after = run_two_steps(tmp_path / "run", method)
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    assert all(bool(tensor.isfinite().all()) for tensor in after.values())
    assert moved == (set(after) if METHODS[method].task != "none" else set())
    loaded = reloaded(tmp_path / "run").state_dict()
    assert loaded.keys() == after.keys()
    assert all(torch.equal(loaded[name], after[name]) for name in after)


def test_two_steps_in_colour(tmp_path: Path) -> None:
    """The first layer sees three channels, and learns from each of them."""
    before, after = run_two_steps(tmp_path / "run", "clapp-s", color=True)
    assert after["encoder.layers.0.weight"].shape[1] == 3
    changed = {name: after[name] != before[name] for name in after}
    assert all(bool(each.any()) for each in changed.values())
    assert changed["encoder.layers.0.weight"].any(dim=(0, 2, 3)).tolist() == [True] * 3
    encoder = reloaded(tmp_path / "run").encoder
    features = encoder.features(torch.zeros(1, 3, 64, 64))
    assert [f.shape[3] for f in features] == encoder.channels
