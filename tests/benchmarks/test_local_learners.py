"""The bench of local learners: trains and probes what is missing, collects what is there."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import local_learners
from benchmarks.learner_tables import FIGURES, TEXT, collect, spread_of
from benchmarks.local_learners import METHODS, BenchOptions, longer_run
from clapp_snn.files import write_text
from clapp_snn.methods import get_method
from clapp_snn.training.config import write_config
from tests.small_data import write_images


def run(monkeypatch, out: Path, *options: str) -> int:
    tiny = ["--width", "0.03125", "--batch", "2", "--steps", "2", "--points", "1", "--seconds", "0"]
    data = ["--data", str(out.parent / "data"), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["local_learners", *data, *tiny, *options])
    return local_learners.main()


def cells(out: Path) -> dict[str, dict[str, float]]:
    return {p.stem: json.loads(p.read_text())["values"] for p in (out / "cells").glob("*.json")}


def test_missing_cells_are_measured_once_and_everything_is_collected(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    write_images(tmp_path / "data", train=10)
    out = tmp_path / "out"
    assert run(monkeypatch, out, "--methods", "[clapp-s]", "--seeds", "[1,2]") == 0
    first = cells(out)
    assert sorted(first) == ["clapp-s-s1", "clapp-s-s2"]
    for values in first.values():
        assert values["images/s"] > 0
        assert values["step MiB"] > values["weights MiB"] > 0
        for step in (0, 2):
            assert all(0 <= values[f"few-shot {k} at {step}"] <= 100 for k in range(1, 7))
    # Another process adds a method to the same folder; what is there stays.
    assert run(monkeypatch, out, "--methods", "[random,clapp-s]", "--seeds", "[1]") == 0
    assert cells(out).keys() == first.keys() | {"random-s1"}
    assert {k: v for k, v in cells(out).items() if k in first} == first
    said = capsys.readouterr().out
    assert (out / TEXT).read_text() in said
    rows = [line for line in said.splitlines() if line.startswith("| CLAPP-s |")]
    assert rows[-1] == "| CLAPP-s | 75 | Table 1 (74.0 in Table 6) |"
    assert all((out / name).exists() for name in FIGURES.values())
    # Settings are not mixed, and reading measures nothing.
    assert run(monkeypatch, out, "--learning_rate", "0.1") == 1
    assert run(monkeypatch, out, "--collect", "true") == 0
    assert cells(out).keys() == first.keys() | {"random-s1"}


def test_an_interrupted_run_goes_on_at_its_checkpoint(tmp_path: Path, monkeypatch) -> None:
    write_images(tmp_path / "data", train=10)
    out = tmp_path / "out"
    chosen = ("--methods", "[clapp-s]")

    def interrupted(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(local_learners, "probe_curve", interrupted)
        assert run(monkeypatch, out, *chosen) == 130
    metrics = out / "runs" / "clapp-s-s1" / "metrics.csv"
    before = metrics.read_text()
    assert before.count("\n") == 2
    assert not list((out / "cells").glob("*.json"))
    assert run(monkeypatch, out, *chosen) == 0
    assert metrics.read_text() == before
    assert list(cells(out)) == ["clapp-s-s1"]


def test_a_longer_run_is_read_where_it_was_probed_at_the_same_steps(tmp_path: Path) -> None:
    options = BenchOptions(steps=4, points=2, reuse=(tmp_path / "other", tmp_path / "long"))
    config = options.config("clapp", 1, tmp_path / "run")
    write_config(tmp_path / "other", replace(config, seed=2))
    write_config(tmp_path / "long", replace(config, out=tmp_path / "long", steps=6, keep=9))
    names = [(p, k, s) for s in (0, 2, 4, 6) for p in ("fast", "few-shot") for k in range(1, 7)]
    head = "step,protocol,layer,accuracy,low,high"
    rows = [head, *(f"{s},{p},{k},{10 * k + s},0,99" for p, k, s in names)]
    for run in options.reuse:
        write_text(run / "probe_curve.csv", "\n".join(rows))
    assert longer_run(options, config) == {
        f"{p} {k} at {s}": 10 * k + s for p, k, s in names if s < 6
    }
    assert longer_run(options, replace(config, learning_rate=0.1)) == {}
    write_text(options.reuse[1] / "probe_curve.csv", "\n".join(rows[:-24]))
    assert longer_run(options, config) == {}
    assert "reuse" not in options.settings()


def write_cells(out: Path, values: dict[str, list[dict[str, float]]]) -> None:
    settings = {"data": "x/data", "width": 1, "batch": 2, "steps": 20, "learning_rate": 0.1}
    write_text(out / "study.json", json.dumps(settings))
    for method, seeds in values.items():
        for seed, found in enumerate(seeds):
            record = {"condition": method, "seed": seed, "values": found, "seconds": 1.0}
            write_text(out / "cells" / f"{method}-s{seed}.json", json.dumps(record))


def accuracies(step: int, *layers: float) -> dict[str, float]:
    names = [f"{p} {k} at {step}" for p in ("fast", "few-shot") for k in (1, 2)]
    return dict(zip(names, layers * 2, strict=True))


def test_the_tables_say_what_the_cells_say(tmp_path: Path) -> None:
    cost = {"images/s": 10.0, "CPU ms/image": 100.0, "weights MiB": 2.0, "step MiB": 3.0}
    learned = [
        accuracies(0, 20, 30) | accuracies(20, 40, 35) | cost,
        accuracies(0, 22, 30) | accuracies(20, 50, 45) | cost | {"images/s": 12.0},
    ]
    write_cells(tmp_path, {"lpl": learned, "random": [accuracies(0, 20, 30)]})
    text = collect(tmp_path, METHODS).splitlines()
    assert (
        "| latent predictive learning | 2 | 45.0 (40.0 to 50.0) | 40.0 (35.0 to 45.0) | 45.0 (layer 1) "
        "| +24.0 |"
    ) in text
    assert "| random init | 1 | 20.0 | 30.0 | 30.0 (layer 2) | - |" in text
    assert "| method | layer | 0 | 20 |" in text
    assert "| latent predictive learning | 1 | 21.0 | 45.0 |" in text
    assert "| random init | 2 | 30.0 | - |" in text
    assert "| latent predictive learning | explicit | 12 | 100.00 | 1.00 | 2.0 | 3.0 |" in text


def test_means_and_ranges() -> None:
    assert spread_of([40.0]) == "40.0"
    assert spread_of([40.0, 43.0, 41.5]) == "41.5 (40.0 to 43.0)"


def test_every_method_of_the_bench_is_in_the_table_and_bad_options_are_refused(
    tmp_path: Path,
) -> None:
    assert all(get_method(name).name == name for name in METHODS)
    with pytest.raises(ValueError, match="cannot be cut into 5"):
        BenchOptions(steps=7)
    with pytest.raises(ValueError, match="Unknown method"):
        BenchOptions(methods=("clap",))
    with pytest.raises(FileNotFoundError, match="holds no measured cells"):
        collect(tmp_path, METHODS)
