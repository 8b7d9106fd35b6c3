import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import Architecture, ConvLayer
from clapp_snn.evaluation.finetune import (
    FinetuneRow,
    FinetuneSettings,
    balanced_subset,
    differentiable_features,
    finetune,
    finetune_text,
    last_epochs,
    merged,
    read_finetune,
    write_finetune,
)
from clapp_snn.evaluation.interfaces import standard_views
from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.randomness import generator
from tests.evaluation.fakes import dataset

VIEWS = standard_views()
TABLE = Architecture("tiny", (ConvLayer(4, pool=False), ConvLayer(6, pool=True)))


def encoder(seed: int = 0) -> Encoder:
    network = Encoder(TABLE)
    network.reset_parameters(generator(seed, "init"))
    return network


def test_differentiable_forward_equals_the_encoders_features() -> None:
    network = encoder()
    images = torch.randn(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    expected = network.features(images)[-1].mean(dim=(1, 2))
    torch.testing.assert_close(differentiable_features(network, images), expected)


def test_gradient_reaches_every_layer_and_equals_finite_differences() -> None:
    network = encoder().double()
    network.precision = torch.float64
    images = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0)).double()
    probe = torch.randn(2, 6, generator=torch.Generator().manual_seed(1)).double()
    (differentiable_features(network, images) * probe).sum().backward()
    for index in (0, 1):
        weight = network.layer(index).weight
        shift = torch.zeros_like(weight)
        shift[1, 0, 1, 2] = 1e-6
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight += sign * shift
                values.append(float((differentiable_features(network, images) * probe).sum()))
                weight -= sign * shift
        slope = (values[0] - values[1]) / 2e-6
        assert abs(slope) > 1e-6
        assert float(weight.grad[1, 0, 1, 2]) == pytest.approx(slope, rel=1e-4)


def test_training_leaves_the_given_encoders_alone_and_improves() -> None:
    starts = {"learned": encoder(1), "scratch": encoder(2)}
    before = {name: [p.clone() for p in start.parameters()] for name, start in starts.items()}
    settings = FinetuneSettings(epochs=12, batch=8, learning_rate=3e-3)
    rows = finetune(starts, dataset(classes=2), VIEWS, 0, settings)
    for name, start in starts.items():
        assert all(map(torch.equal, before[name], start.parameters()))
        mine = [row for row in rows if row.start == name]
        assert [row.epoch for row in mine] == list(range(13))
        assert mine[0].train_loss is None
        assert mine[-1].train_loss < mine[1].train_loss
        assert mine[-1].accuracy > 90


def test_both_starts_see_the_same_draws_and_runs_repeat() -> None:
    settings = FinetuneSettings(epochs=1, batch=8, fractions=(0.5, 1.0))
    rows = finetune({"a": encoder(1), "b": encoder(1)}, dataset(), VIEWS, 3, settings)
    assert [row.labelled for row in rows if row.epoch == 1] == [24, 24, 48, 48]
    values = {
        name: [(r.fraction, r.epoch, r.accuracy, r.train_loss) for r in rows if r.start == name]
        for name in "ab"
    }
    assert values["a"] == values["b"]


def test_subsets_are_balanced_and_never_empty() -> None:
    labels = torch.tensor([0] * 10 + [1] * 30 + [2] * 2)
    chosen = balanced_subset(labels, 3, 0.2, torch.Generator().manual_seed(0))
    assert torch.bincount(labels[chosen]).tolist() == [2, 6, 1]
    assert torch.equal(chosen, chosen.unique())


def test_divergence_names_start_and_epoch() -> None:
    broken = encoder()
    with torch.no_grad():
        broken.layer(0).bias.fill_(float("nan"))
    with pytest.raises(DivergenceError, match="from 'scratch' diverged in epoch 1"):
        finetune({"scratch": broken}, dataset(), VIEWS, 0, FinetuneSettings(epochs=1))


def test_senseless_settings_are_refused() -> None:
    for options in ({"epochs": 0}, {"learning_rate": 0.0}):
        with pytest.raises(ValueError, match="must be positive"):
            FinetuneSettings(**options)
    for fractions in ((), (0.0,), (1.5,)):
        with pytest.raises(ValueError, match="Label fractions"):
            FinetuneSettings(fractions=fractions)


def test_table_as_file_and_text(tmp_path: Path) -> None:
    settings = FinetuneSettings(epochs=1)
    rows = finetune({"learned": encoder(), "scratch": encoder(1)}, dataset(), VIEWS, 0, settings)
    write_finetune(tmp_path / "finetune.csv", rows)
    assert read_finetune(tmp_path / "finetune.csv") == rows
    with (tmp_path / "finetune.csv").open(newline="") as file:
        stored = list(csv.DictReader(file))
    assert [(r["start"], int(r["epoch"]), float(r["accuracy"])) for r in stored] == [
        (row.start, row.epoch, row.accuracy) for row in rows
    ]
    lines = finetune_text(rows).splitlines()
    assert lines[1].split() == ["epoch", "learned", "(48)", "scratch", "(48)"]
    assert [float(value) for value in lines[3].split()[1:]] == [
        pytest.approx(row.accuracy, abs=0.06) for row in rows if row.epoch == 1
    ]


def test_experiments_are_kept_beside_each_other(tmp_path: Path) -> None:
    """Other seeds and shares stay, a repeated one is replaced, and so is what other weights had."""
    old = [
        FinetuneRow("learned", 0.5, 24, 0, 1, 50.0, 1.0, 100),
        FinetuneRow("scratch", 0.5, 24, 0, 1, 40.0, 1.0),
        FinetuneRow("learned", 0.25, 24, 0, 1, 45.0, 1.0, 100),
    ]
    other = FinetuneRow("learned", 0.5, 24, 1, 1, 52.0, 1.0, 100)
    assert merged(old, [other]) == [*old, other]
    again = FinetuneRow("learned", 0.5, 24, 0, 1, 51.0, 1.0, 100)
    assert merged(old, [again]) == [*old[1:], again]
    newer = FinetuneRow("learned", 0.5, 24, 1, 1, 55.0, 1.0, 200)
    assert merged([*old, other], [newer]) == [old[1], newer]
    write_finetune(tmp_path / "finetune.csv", old)
    assert read_finetune(tmp_path / "finetune.csv") == old
    text = finetune_text([*old, other])
    assert "learned (24, seed 0)" in text
    assert "learned (24, seed 1)" in text
    assert [text.count(value) for value in ("50.0", "45.0", "52.0", "40.0")] == [1, 1, 1, 1]
    assert [row.accuracy for row in last_epochs([*old, other])] == [45.0, 50.0, 52.0, 40.0]


def test_starts_of_other_settings_do_not_stand_side_by_side() -> None:
    """An interrupted second session leaves its own start, not the other one of the first."""
    old = [
        FinetuneRow(start, 0.5, 24, seed, 10, 50.0, 1.0, step, 10, 32, 2e-4)
        for seed in (0, 1) for start, step in (("learned", 100), ("scratch", None))
    ]  # fmt: skip
    new = FinetuneRow("learned", 0.5, 24, 0, 3, 30.0, 1.0, 100, 3, 32, 2e-4)
    assert merged(old, [new]) == [*old[2:], new]
    unknown = [replace(row, epochs=None, batch=None, learning_rate=None, step=None) for row in old]
    assert merged(unknown, [new]) == [*unknown[1:], new]
    assert merged(old, [replace(new, epochs=10, learning_rate=1e-3)])[0] == old[2]
    assert merged(old, [alike := replace(new, epochs=10)]) == [*old[1:], alike]
