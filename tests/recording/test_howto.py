"""The page on recording does what it says."""

import re
from pathlib import Path

import pytest
from PIL import Image

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "recording.md"


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("neo")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 4
    names: dict = {}
    for block in blocks:
        exec(block, names)
    assert names["drive"].to_numpy()["soma"].shape == (100, 2)
    assert (names["frame"]["neuron"] == names["event"]["neuron"]).all()
    assert names["rates"].event.shape == (3,)
    for picture in re.findall(r"\]\((\.\./images/[^)]*)\)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / picture).stat().st_size < 80_000
    with Image.open(tmp_path / "raster.png") as image:
        assert image.width > 1000
