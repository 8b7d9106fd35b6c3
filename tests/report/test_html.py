"""The report holds every number of the run, escapes everything and needs nothing but itself."""

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from clapp_snn.evaluation.finetune import FinetuneRow, write_finetune
from clapp_snn.evaluation.probe_table import ProbeRow, ProbeTable
from clapp_snn.methods import METHODS, TABLES, get_method
from clapp_snn.modalities import modality_of
from clapp_snn.report.html import purpose, read_progress, write_report
from clapp_snn.report.recipe import recipe
from clapp_snn.training.config import TrainConfig, write_config
from clapp_snn.training.environment import record_environment
from tests.training import tiny

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M8AAAIFAQIBfXU5AAAAAElFTkSuQmCC"
)
ROWS = [
    ProbeRow("fast", "trained", 1, 0, 61.25, 800, None, "centre crop", 57.81, 64.57),
    ProbeRow("fast", "trained", 2, 0, 66.36, 800, None, "centre crop", 63.01, 69.55),
    ProbeRow("fast", "random", 1, 0, 59.13, 800, None, "centre crop", 55.69, 62.48),
    ProbeRow("fast", "<b>other</b>", 2, 0, 12.44, 800, None, "", 10.32, 14.93),
    ProbeRow("fast", "pixels", 0, 0, 19.66, 800, None, "", 17.02, 22.53),
    ProbeRow("few-shot", "trained", 1, 0, 52.75, 800, None, "5 shots", 52.31, 53.22),
]


class Page(HTMLParser):
    """Cells, tags and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(run: Path) -> tuple[str, Page]:
    path = write_report(run)
    assert path == run / "report.html"
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    run = tmp_path / "a run & more"
    run.mkdir()
    write_config(run, tiny.config(run))
    return run


@pytest.fixture
def full(bare: Path) -> Path:
    ProbeTable(list(ROWS)).write(bare / "probe.csv")
    record_environment(
        bare,
        {
            "command": "clapp-snn train --out '<script>alert(1)</script>'",
            "packages": {"torch": "2.99", "pillow": None},
            "gpus": [{"name": "Some GPU", "memory": 1}],
            "git": None,
        },
    )
    (bare / "metrics.csv").write_text(
        "step,epoch,images,seconds,images_per_second,loss_1,gate_1\n"
        "10,0.5,160,2.5,64,1.9876,0.991\n20,1,320,5.1,64,1.2345,0.6543\n"
    )
    folder = bare / "figures"
    folder.mkdir()
    for name in ("losses.png", "extra_one.png"):
        (folder / name).write_bytes(PNG)
    data = {
        "name": "pets <3", "note": "a \"small\" stand-in", "classes": ["cat", "a<b"], "chance": 50.0,
    }  # fmt: skip
    (bare / "data.json").write_text(json.dumps(data))
    ends = [FinetuneRow(start, 1.0, 48, 0, epoch, accuracy, None)
            for start, epoch, accuracy in (("learned", 1, 51.25), ("learned", 2, 61.75),
                                           ("scratch", 2, 43.5))]  # fmt: skip
    write_finetune(bare / "finetune.csv", ends)
    record = {
        "figures": [
            {"file": "losses.png", "alt": 'Loss "curves" <1>', "caption": "Loss & gate."},
            {"file": "gone.png", "alt": "x", "caption": "Not here."},
        ],
    }  # fmt: skip
    (folder / "index.json").write_text(json.dumps(record))
    return bare


def test_every_number_of_the_tables_is_there(full: Path) -> None:
    _, page = read(full)
    for row in ROWS:
        for value in (row.accuracy, row.low, row.high):
            assert f"{value:.1f}" in page.text
    for value in ("61.8", "43.5", "1.988", "1.234", "99.1 %", "65.4 %", "20 steps", "320 images"):
        assert value in page.text
    assert "51.2" not in page.text
    assert "2.99" in page.text
    assert "pillow not installed" in page.text
    assert "Some GPU" in page.text
    assert "learning_rate: 0.001" in page.text
    assert "Figure: extra one" in str(page.tags)


def test_the_title_names_method_and_data(full: Path) -> None:
    text, page = read(full)
    assert "<h1>CLAPP-s on pets &lt;3</h1>" in text
    assert 'a "small" stand-in' in page.text


def test_everything_is_escaped(full: Path) -> None:
    text, page = read(full)
    assert "<script" not in text
    assert "<b>" not in text
    assert "&lt;b&gt;other&lt;/b&gt;" in text
    assert "'<script>alert(1)</script>'" in page.text
    alts = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert alts == ['Loss "curves" <1>', "Figure: extra one"]


def test_pictures_are_embedded_and_nothing_is_loaded(full: Path) -> None:
    text, page = read(full)
    sources = [attributes["src"] or "" for tag, attributes in page.tags if tag == "img"]
    prefix = "data:image/png;base64,"
    assert [base64.b64decode(source.removeprefix(prefix)) for source in sources] == [PNG, PNG]
    assert not re.search(r"https?://|@import|url\(", text)
    assert not {"link", "script", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert "Not here." not in page.text


def test_light_and_dark(full: Path) -> None:
    text, _ = read(full)
    assert "prefers-color-scheme: dark" in text


def test_missing_parts_are_named_with_the_command(bare: Path) -> None:
    _, page = read(bare)
    quoted = f"'{bare}'"
    assert f"No probe yet: run clapp-snn probe {quoted}." in page.text
    assert f"No figures yet: run clapp-snn figures {quoted}." in page.text
    assert "No description of the data" in page.text
    assert "no record of its environment" in page.text
    assert "Nothing has been learned in this run yet" in page.text


def test_several_seeds_are_a_mean_with_its_spread(bare: Path) -> None:
    rows = [ProbeRow("fast", "trained", 1, seed, 60.0 + 2 * seed, 800) for seed in range(3)]
    ProbeTable(rows).write(bare / "probe.csv")
    _, page = read(bare)
    assert "over 3 seeds" in page.text
    for value in ("62.0", "60.0 to 64.0"):
        assert value in page.text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("figures/index.json", "{"),
        ("figures/index.json", "[]"),
        ("metrics.csv", "step,loss_1\n1,none\n"),
        ("probe.csv", "protocol\nfast\n"),
        ("environment.json", "{}"),
        ("data.json", "{}"),
        ("finetune.csv", "start,epoch\nlearned,1\n"),
    ],
)
def test_a_damaged_file_is_named(bare: Path, name: str, content: str) -> None:
    path = bare / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        write_report(bare)
    assert not (bare / "report.html").exists()


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not the folder of a run"):
        write_report(tmp_path)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_can_say_what_it_does(method: str) -> None:
    sentence = purpose(TrainConfig(method=method))
    assert sentence.startswith("A VGG-6 encoder")
    assert ("local rule" in sentence) == METHODS[method].explicit


@pytest.mark.parametrize(("modality", "method"), [(m, row) for m in TABLES for row in TABLES[m]])
def test_every_method_has_a_report(tmp_path: Path, modality: str, method: str) -> None:
    data = {"images": "photographs", "speech": "utterances", "video": "clips"}[modality]
    write_config(tmp_path, TrainConfig(method=method, data=data, out=tmp_path))
    unit = modality_of(TrainConfig(method=method, data=data)).unit
    (tmp_path / "metrics.csv").write_text(
        f"step,epoch,{unit},seconds,{unit}_per_second,loss_1,gate_1\n10,0.5,160,2.5,64,1.5,0.25\n"
    )
    _, page = read(tmp_path)
    record = get_method(method, modality)
    assert ("only such samples change weights" in page.text) == (
        record.hinge and (record.objective is None or record.objective.gate)
    )


def test_areas_are_told_where_they_were_measured(bare: Path) -> None:
    (bare / "metrics.csv").write_text(
        "step,epoch,images,seconds,images_per_second,loss_1,gate_1,loss_2,gate_2,loss_3,gate_3\n"
        "10,0.5,160,2.5,64,1.75,0.9,nan,nan,nan,nan\n20,1,320,5,64,nan,nan,1.25,0.5,nan,nan\n30,1."
    )
    progress = read_progress(bare / "metrics.csv")
    assert progress is not None
    assert progress.step == 20  # the last line is cut off
    first, second, third = progress.areas
    assert (first.first_loss, first.last_loss, second.last_gate) == (1.75, 1.75, 0.5)
    assert np.isnan(third.first_loss)
    _, page = read(bare)
    assert "nan" not in page.text


def test_the_recipe_measures_what_the_tables_hold(bare: Path) -> None:
    assert recipe(bare) == ["clapp-snn probe NEW_FOLDER"]
    rows = [
        ProbeRow("few-shot", "trained", 1, 1, 50.0, 24, note="3 shots, 200 episodes"),
        ProbeRow("paper", "trained", 1, 1, 50.0, 24, note="epoch 10, fresh crops"),
        ProbeRow("fast", "trained", 1, 0, 50.0, 24, note="centre crop, l2 = 1"),
    ]
    ProbeTable(rows).write(bare / "probe.csv")
    known = FinetuneRow("learned", 0.25, 12, 2, 7, 50.0, 1.0, None, 7, 16, 1e-3)
    ends = [known, replace(known, fraction=1.0), FinetuneRow("scratch", 0.5, 24, 2, 7, 50.0, 1.0)]
    write_finetune(bare / "finetune.csv", ends)
    (bare / "probe_curve.csv").write_text(
        "step,protocol,layer,accuracy,low,high\n0,few-shot,1,20,10,30\n5,few-shot,1,20,10,30\n"
    )
    (bare / "alignment.csv").touch()
    assert recipe(bare) == [
        "clapp-snn probe NEW_FOLDER --protocols '[\"fast\"]'",
        'clapp-snn probe NEW_FOLDER --protocols \'["few-shot", "paper"]\' --seed 1 --shots 3 '
        "--paper_epochs 10",
        "clapp-snn probe NEW_FOLDER --protocols '[\"few-shot\"]' --baselines false --curve true",
        "clapp-snn finetune NEW_FOLDER --fractions '[0.25, 1.0]' --epochs 7 --batch 16 --learning_rate 0.001 "
        "--seed 2",
        "clapp-snn finetune NEW_FOLDER --fractions '[0.5]' --epochs 7 --seed 2",
        "clapp-snn alignment NEW_FOLDER",
    ]
    text, _ = read(bare)
    assert "clapp-snn alignment NEW_FOLDER\n" in text
    (bare / "probe_curve.csv").write_text("step\n")
    with pytest.raises(ValueError, match=r"probe_curve\.csv is damaged"):
        recipe(bare)
