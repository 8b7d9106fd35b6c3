"""`clapp-snn compare` pools the runs of a method as its seeds and refuses what does not belong."""

import csv
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from clapp_snn import cli
from clapp_snn.commands import compare as module
from clapp_snn.commands.compare import compare
from clapp_snn.evaluation.probe_table import ProbeRow, ProbeTable
from clapp_snn.figures import style
from clapp_snn.training.config import TrainConfig, write_config
from tests.training import tiny


def made(folder: Path, method: str, seed: int, top: float, **changes: object) -> Path:
    """A folder with the files that a probed run has."""
    folder.mkdir()
    config = replace(tiny.config(folder), method=method, seed=seed, **changes)
    write_config(folder, config)
    rows = [ProbeRow("fast", "pixels", 0, 0, 20.0, 24)]
    for layer in range(1, 7):
        rows.append(ProbeRow("fast", "trained", layer, 0, top + layer, 24))
        rows.append(ProbeRow("fast", "random", layer, 0, 30.0 + seed, 24))
    ProbeTable(rows).write(folder / "probe.csv")
    (folder / "probe_curve.csv").write_text(
        "step,protocol,layer,accuracy,low,high\n"
        + "".join(f"{step},fast,6,{top + step / 100},0,1\n" for step in (100, 200))
    )
    return folder


def cells(path: Path) -> dict[tuple[str, int, int], dict[str, str]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["label"], int(row["steps"]), int(row["layer"])): row for row in rows}


def test_seeds_of_a_method_are_pooled(tmp_path: Path) -> None:
    runs = [
        made(tmp_path / "a", "clapp-s", 1, 40.0),
        made(tmp_path / "b", "clapp-s", 2, 46.0),
        made(tmp_path / "c", "clapp", 1, 38.0),
    ]
    said: list[str] = []
    paths = compare(runs, tmp_path / "out", said.append)
    assert [path.name for path in paths] == [
        "compare.txt",
        "compare.csv",
        "accuracy_compared_fast.png",
        "curves_compared_fast.png",
    ]
    found = cells(paths[1])
    both = found["CLAPP-s", 0, 6]
    assert float(both["mean"]) == pytest.approx(49.0)
    assert float(both["sd"]) == pytest.approx(statistics.stdev([46.0, 52.0]))
    assert both["runs"] == "2"
    assert found["CLAPP", 0, 6]["sd"] == ""
    assert float(found["CLAPP-s", 200, 6]["mean"]) == pytest.approx(45.0)
    # Random init depends on the seed alone: two seeds, three runs.
    assert found["random init", 0, 1]["runs"] == "2"
    assert float(found["random init", 0, 1]["mean"]) == pytest.approx(31.5)
    assert "| CLAPP-s | 2 | 44.0 ± 4.2 |" in said[0]
    assert said[0].index("CLAPP |") < said[0].index("random init") < said[0].index("raw pixels")


def test_the_same_method_has_the_same_colour_in_every_panel(tmp_path: Path) -> None:
    runs = [made(tmp_path / "a", "clapp-s", 1, 40.0), made(tmp_path / "b", "clapp", 1, 46.0)]
    configs = {run: module.read_config(run) for run in runs}
    labels = module._labels(configs)
    ends, curves = module._ends(configs, labels), module._curves(configs, labels)
    figure = module._learning(ends, curves, "fast", "data", "fast linear probe")
    (panel,) = [axes for axes in figure.axes if axes.get_visible()]
    colours = {line.get_label(): to_hex(line.get_color()) for line in panel.get_lines()}
    assert colours["CLAPP-s"] == style.CYCLE[0].lower()
    assert colours["CLAPP"] == style.CYCLE[1].lower()
    assert panel.get_lines()[0].get_ydata().tolist() == [41.0, 42.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"data": "elsewhere"}, "different data"), ({"seed": 1}, "share settings and seed")],
)
def test_runs_that_do_not_belong_together(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    runs = [
        made(tmp_path / "a", "clapp-s", 1, 40.0),
        made(tmp_path / "b", "clapp-s", **{"seed": 2, "top": 46.0, **changes}),
    ]
    with pytest.raises(ValueError, match=message):
        compare(runs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_command_line_says_which_run_lacks_a_probe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = made(tmp_path / "a", "clapp", 1, 40.0)
    (run / "probe.csv").unlink()
    assert cli.main(["compare", str(run), "--out", str(tmp_path / "out")]) == 1
    assert "clapp-snn probe" in capsys.readouterr().err


def test_runs_that_differ_in_more_than_their_seed_are_told_apart(tmp_path: Path) -> None:
    runs = [
        made(tmp_path / "a", "clapp-s", 1, 40.0, steps=4),
        made(tmp_path / "b", "clapp-s", 1, 46.0, learning_rate=2e-4),
        made(tmp_path / "c", "clapp-s", 2, 46.0, learning_rate=2e-4, keep=7),
        made(tmp_path / "d", "clapp", 1, 38.0),
    ]
    (text, *_) = compare(runs, tmp_path / "out", lambda _: None)
    labels = {line.split("|")[1].strip() for line in text.read_text().splitlines() if "|" in line}
    assert {
        "CLAPP",
        "CLAPP-s, steps 4, learning_rate 0.001",
        "CLAPP-s, steps 6, learning_rate 0.0002",
    } <= labels


def test_untrained_networks_of_other_kinds_are_told_apart(tmp_path: Path) -> None:
    runs = [
        made(tmp_path / "a", "clapp-s", 1, 40.0),
        made(tmp_path / "b", "softhebb", 1, 46.0),
        made(tmp_path / "c", "clapp", 1, 38.0, color=True),
    ]
    for order in (runs, runs[::-1]):
        found = cells(compare(order, tmp_path / "out", lambda text: None)[1])
        names = {label for label, _, _ in found}
        assert {
            "random init, patches",
            "random init, patches, colour",
            "random init, SoftHebb's neurons",
            "raw pixels, patches",
            "raw pixels, patches, colour",
            "raw pixels, whole images",
        } < names


def test_figures_show_the_levels_of_all_kinds(tmp_path: Path) -> None:
    runs = [made(tmp_path / "a", "clapp-s", 1, 40.0), made(tmp_path / "b", "softhebb", 1, 46.0)]
    configs = {run: module.read_config(run) for run in runs}
    labels = module._labels(configs)
    ends, curves = module._ends(configs, labels), module._curves(configs, labels)
    kinds = {"random init, patches", "random init, SoftHebb's neurons"}
    for figure, raw in (
        (module._learning(ends, curves, "fast", "data", "probe"), set()),
        (
            module._accuracy(ends, "fast", "data", "probe"),
            {"raw pixels, patches", "raw pixels, whole images"},
        ),
    ):
        lines = {line.get_label() for axes in figure.axes for line in axes.get_lines()}
        assert lines == {"CLAPP-s", "SoftHebb", *kinds, *raw}


@pytest.mark.parametrize(("seeds", "banded"), [((1, 2), True), ((1,), False)])
def test_a_band_is_drawn_and_told_only_where_runs_spread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: tuple[int, ...], banded: bool
) -> None:
    drawn: list[tuple[Figure, Path]] = []
    monkeypatch.setattr(style, "save", lambda figure, path: drawn.append((figure, path)) or path)
    runs = [made(tmp_path / f"{seed}", "clapp-s", seed, 40.0 + seed) for seed in seeds]
    compare(runs, tmp_path / "out", lambda text: None)
    for figure, _ in drawn:
        (legend,) = figure.legends or [
            axes.get_legend() for axes in figure.axes if axes.get_legend()
        ]
        assert ("band" in legend.get_title().get_text()) == banded
        assert any(axes.collections for axes in figure.axes) == banded


def test_untrained_networks_that_answer_alike_are_one() -> None:
    """How a recurrent layer learns does not touch what it answers before; what None means is None."""
    speech = [
        TrainConfig(method="clapp-s", data="utterances", recurrence=r)
        for r in (None, "bptt", "eprop")
    ]
    assert len({module._untrained(config) for config in speech}) == 1
    video = TrainConfig(method="clapp-s", data="clips")
    named = replace(video, normalisation="batch", block_order="relu-norm", clip_encoder="vgg5")
    assert module._untrained(video) == module._untrained(named)
    assert module._untrained(video) != module._untrained(replace(video, normalisation="none"))


def test_probes_of_other_settings_or_weights_are_not_pooled(tmp_path: Path) -> None:
    runs = [made(tmp_path / "a", "clapp-s", 1, 40.0), made(tmp_path / "b", "clapp-s", 2, 46.0)]
    rows = [ProbeRow("paper", "trained", 1, 0, 50.0, 24, note="epoch 300", step=100)]
    ProbeTable(rows).write(runs[0] / "probe.csv")
    found = cells(compare(runs[:1], tmp_path / "out", lambda text: None)[1])
    assert ("CLAPP-s", 100, 1) in found
    for change in ({"note": "epoch 10"}, {"step": 9000}):
        ProbeTable([replace(rows[0], **change)]).write(runs[1] / "probe.csv")
        with pytest.raises(ValueError, match=r"CLAPP-s was read out in different ways \(paper\)"):
            compare(runs, tmp_path / "other", lambda text: None)
    assert not (tmp_path / "other").exists()
