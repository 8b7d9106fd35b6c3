"""The study of image patches: all points of all cells, probed where they belong, and resumed."""

import json
import sys
from pathlib import Path

from benchmarks import spiking_images
from tests.small_data import write_images


def run(folder: Path, monkeypatch, *options: str) -> dict[str, dict[str, float]]:
    arguments = ["--source", str(folder / "data"), "--out", str(folder / "out"), *options]
    arguments += ["--batch", "3", "--width", str(1 / 128), "--every", "2", "--seeds", "1"]
    monkeypatch.setattr(sys, "argv", ["spiking_images", *arguments])
    spiking_images.main()
    cells = (folder / "out" / "cells").glob("*.json")
    return {cell.stem: json.loads(cell.read_text())["values"] for cell in cells}


def test_both_codes_are_probed_before_and_after_learning(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    write_images(tmp_path / "data", train=24)
    points = ("--points", "0", "2", "--codes", "rate", "n20")
    found = run(tmp_path, monkeypatch, *points)
    assert sorted(found) == ["n20-s1", "rate-s1"]
    for values in found.values():
        for area in range(1, 7):
            assert 0 <= values[f"linear {area} at 0"] <= 100
            assert 0 <= values[f"5-shot {area} at 2"] <= 100
            assert values[f"100 loss {area} at 2"] > 0
            assert f"100 loss {area} at 0" not in values
    said = capsys.readouterr().out
    assert "| condition | seeds | linear 1 at 0 |" in said
    # Nothing is measured twice, and points are not lost with their cell.
    kept = tmp_path / "out" / "runs" / "rate-s1" / "run" / "probe_0.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"linear 1": 77.0}))
    (tmp_path / "out" / "cells" / "rate-s1.json").unlink()
    assert run(tmp_path, monkeypatch, *points)["rate-s1"]["linear 1 at 0"] == 77
