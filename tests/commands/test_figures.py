"""`draw_figures` draws what a run has data for, says what is missing, and describes every file."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from clapp_snn.commands import figures
from clapp_snn.commands.figure_index import Entry, update_index
from clapp_snn.commands.figures import draw_figures
from clapp_snn.commands.number_figures import (
    layer_curves,
    module_names,
)
from clapp_snn.commands.options import FigureOptions
from clapp_snn.commands.representation_figures import chosen_images
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.evaluation.embedding import embed
from clapp_snn.evaluation.probe_table import ProbeRow, ProbeTable
from clapp_snn.methods import get_method
from clapp_snn.modalities.images import IMAGES
from clapp_snn.report.html import read_index
from clapp_snn.stimuli.record import ArraySplit, Dataset
from clapp_snn.stimuli.splits import Absent
from clapp_snn.training.build import load_encoder
from clapp_snn.training.logbook import read_metrics
from clapp_snn.training.loop import train
from tests.training import tiny

ALWAYS = ["losses.png", "hinge_scores.png", "preferred_patches.png", "tsne.png"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(figures, "data_of", lambda config: tiny.dataset())
    train(tiny.config(tmp_path / "run"), tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    return tmp_path / "run"


def table() -> ProbeTable:
    rows = [
        ProbeRow("fast", encoder, layer, 0, 10.0 * layer + bonus, 24, None, "", 1.0, 99.0)
        for encoder, bonus in (("trained", 5.0), ("random", 0.0))
        for layer in range(1, 7)
    ]
    return ProbeTable([*rows, ProbeRow("fast", "pixels", 0, 0, 33.0, 24)])


def test_a_run_is_drawn_first_without_and_then_with_a_probe(run: Path) -> None:
    said: list[str] = []
    before = {path.name: path.read_bytes() for path in draw_figures(run, None, said.append)}
    assert list(before) == ALWAYS
    assert len(said) == 1
    assert f"clapp-snn probe {run}" in said[0]
    for path in (run / "figures").glob("*.png"):
        with Image.open(path) as image:
            assert image.size[0] >= 900
            assert image.size[1] >= 400
            assert len(image.convert("RGB").getcolors(10_000_000)) > 20

    table().write(run / "probe.csv")
    (run / "probe_curve.csv").write_text(
        "step,protocol,layer,accuracy,low,high\n3,fast,1,40,30,50\n6,fast,1,50,40,60\n"
    )
    after = {path.name: path.read_bytes() for path in draw_figures(run, None, said.append)}
    assert list(after) == ["accuracy_per_layer_fast.png", "learning_curves_fast.png", *ALWAYS]
    assert len(said) == 1
    assert {name: after[name] for name in ALWAYS} == before
    index = json.loads((run / "figures" / "index.json").read_text())
    assert [entry["file"] for entry in index["figures"]] == list(after)
    assert all(entry["alt"] and entry["caption"] for entry in index["figures"])
    assert "15.0, 25.0, 35.0, 45.0, 55.0, 65.0" in index["figures"][0]["alt"]
    data = json.loads((run / "data.json").read_text())
    assert data == {
        "name": "noise",
        "note": "noise",
        "classes": ["a", "b", "c"],
        "chance": pytest.approx(100 / 3),
        "fingerprint": tiny.dataset().fingerprint,
    }


def test_a_run_of_random_weights_has_no_losses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "data_of", lambda config: tiny.dataset())
    config = tiny.config(tmp_path / "run", method="random")
    train(config, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    said: list[str] = []
    paths = draw_figures(tmp_path / "run", say=said.append)
    assert [path.name for path in paths] == ["preferred_patches.png", "tsne.png"]
    assert any("nothing has been learned" in line for line in said)


def test_a_layer_that_does_not_exist_is_refused(run: Path) -> None:
    with pytest.raises(ValueError, match="layers 1 to 6"):
        draw_figures(run, FigureOptions(patch_layer=7))


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not the folder of a run"):
        draw_figures(tmp_path)


def test_curves_of_a_table_are_its_means() -> None:
    random, trained = sorted(layer_curves(table(), "fast"), key=lambda curve: curve.label)
    assert (random.label, trained.label) == ("random init", "trained")
    assert trained.layers == [1, 2, 3, 4, 5, 6]
    assert trained.accuracy == [15, 25, 35, 45, 55, 65]
    assert trained.low == [1.0] * 6
    raw = table().raw("fast")
    assert raw is not None
    assert (raw[0], raw[1].accuracy) == ("raw pixels", 33)
    assert table().raw("paper") is None


def test_metrics_are_read_by_column(tmp_path: Path) -> None:
    assert len(read_metrics(tmp_path / "none.csv")["step"]) == 0
    (tmp_path / "metrics.csv").write_text("step,loss_1\n5,2.5\n10,1.25\n")
    found = read_metrics(tmp_path / "metrics.csv")
    np.testing.assert_array_equal(found["step"], [5, 10])
    np.testing.assert_array_equal(found["loss_1"], [2.5, 1.25])
    (tmp_path / "metrics.csv").write_text("step,loss_1\n5,2.5\n10,1.2")
    assert read_metrics(tmp_path / "metrics.csv")["step"].tolist() == [5]
    (tmp_path / "metrics.csv").write_text("step,loss_1\n5\n10,1.25\n")
    with pytest.raises(ValueError, match=r"line 2 of .* is damaged: 1 of 2 values"):
        read_metrics(tmp_path / "metrics.csv")


def test_module_names_tell_the_layers_of_modules_with_several() -> None:
    assert module_names(get_method("clapp-s"))[:2] == ["area 1", "area 2"]
    assert module_names(get_method("clapp-s-4-upper"))[:2] == [
        "area 1 (layers 1-3)",
        "area 2 (layer 4)",
    ]


def test_chosen_images_are_different_and_of_shown_classes() -> None:
    images = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((3, 2, 2), np.uint8)
    split = ArraySplit(images, torch.arange(40) % 20)
    chosen = chosen_images(split, 10, seed=0)
    assert len(chosen) == 10
    assert len(set(chosen.indices.tolist())) == 10
    assert int(chosen.labels.max()) < 16
    assert chosen.read(torch.tensor([3]))[0, 0, 0, 0] == chosen.indices[3]
    assert len(chosen_images(split, 1000, seed=0)) == 32


def changed(**splits: object) -> Dataset:
    whole = tiny.dataset()
    return replace(whole, splits={**whole.splits, **splits})


def test_data_without_test_images_are_drawn_as_far_as_they_go(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "data_of", lambda config: changed(test=Absent("no test images")))
    said: list[str] = []
    names = [path.name for path in draw_figures(run, say=said.append)]
    assert names == ["losses.png", "hinge_scores.png"]
    assert "No preferred patches and no t-SNE: no test images" in said
    index = json.loads((run / "figures" / "index.json").read_text())
    assert [entry["file"] for entry in index["figures"]] == names


def test_too_few_images_and_silent_layers_have_no_map(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = tiny.dataset(3)
    monkeypatch.setattr(figures, "data_of", lambda config: changed(test=few.test))
    said: list[str] = []
    assert [p.name for p in draw_figures(run, say=said.append)] == ALWAYS[:-1]
    assert [line for line in said if "at least 4 images, not 3" in line]

    def silenced(*args: object) -> Encoder:
        encoder = load_encoder(*args)
        encoder.layer(2).weight.data.zero_()
        encoder.layer(2).bias.data.fill_(-1)
        return encoder

    monkeypatch.setattr(figures, "data_of", lambda config: tiny.dataset())
    monkeypatch.setattr("clapp_snn.commands.representation_figures.load_encoder", silenced)
    said.clear()
    assert [p.name for p in draw_figures(run, say=said.append)] == ALWAYS
    assert [line for line in said if "No t-SNE of layer 4: the features are the same" in line]


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (torch.full((24, 16), 0.3), "the same for all images"),
        (torch.rand(24, 1), "at least 2 channels"),
    ],
)
def test_features_without_a_map_are_refused(features: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        embed(features, 0)


def test_captions_of_what_was_drawn_survive_a_failure(run: Path) -> None:
    with pytest.raises(ValueError, match="layers 1 to 6"):
        draw_figures(run, FigureOptions(patch_layer=7))
    index = json.loads((run / "figures" / "index.json").read_text())
    assert [entry["file"] for entry in index["figures"]] == ["losses.png", "hinge_scores.png"]


def test_pictures_that_are_no_longer_drawn_go_and_those_of_others_stay(run: Path) -> None:
    table().write(run / "probe.csv")
    draw_figures(run, say=lambda _: None)
    (run / "figures" / "alignment.png").write_bytes(b"png")
    update_index(run, [Entry("alignment.png", "cosines", "Cosines.")], "alignment")
    (run / "figures" / "own.png").write_bytes(b"a picture of the user")
    (run / "probe.csv").unlink()
    names = [path.name for path in draw_figures(run, say=lambda _: None)]
    assert names == ALWAYS
    left = {path.name for path in (run / "figures").glob("*.png")}
    assert left == {*ALWAYS, "alignment.png", "own.png"}
    index = json.loads((run / "figures" / "index.json").read_text())
    assert [entry["file"] for entry in index["figures"]] == [*ALWAYS, "alignment.png"]
    assert index["figures"][-1]["caption"] == "Cosines."


def test_an_index_that_lacks_a_word_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "index.json").write_text('{"figures": [{"alt": "x"}]}')
    with pytest.raises(ValueError, match=r"index\.json is damaged"):
        read_index(tmp_path)
    update_index(tmp_path, [Entry("a.png", "words", "Words.")])
    assert [each["file"] for each in read_index(tmp_path)] == ["a.png"]
