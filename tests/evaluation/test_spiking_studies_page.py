"""The page on studies does what it says."""

import re
from pathlib import Path
from typing import get_args

from clapp_snn.circuit.ablations import Ablation

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "spiking_studies.md"


def test_the_page_runs_and_names_every_ablation() -> None:
    text = PAGE.read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict = {}
    exec(compile(block, "operations", "exec"), names)
    assert len(names["operations"]) == 2
    assert names["operations"][0].events > 0
    assert set(re.findall(r"^\| `(\w+)`", text, flags=re.MULTILINE)) | {"none"} == set(
        get_args(Ablation)
    )
