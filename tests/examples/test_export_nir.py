"""The export example runs as a user would run it, and all spikes agree."""

import re
from pathlib import Path

from tests.examples.test_examples import run


def test_no_spike_differs_anywhere(tmp_path: Path) -> None:
    text = run(tmp_path, "examples/export_nir.py", "--out", tmp_path / "out")
    different = [int(each) for each in re.findall(r"(\d+) of +\d+", text)]
    assert len(different) >= 10
    assert set(different) == {0}
    assert (tmp_path / "out" / "report.html").is_file()
