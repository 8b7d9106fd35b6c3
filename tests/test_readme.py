"""The code on the first page and on the page about methods runs as it stands there."""

import re
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent


def blocks(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_the_code_of_the_readme_runs(capsys) -> None:
    """Every block in order; they show something, and leave weights that are finite."""
    found = blocks("README.md")
    assert found
    names: dict[str, Any] = {}
    for number, block in enumerate(found):
        exec(compile(block, f"README.md, block {number + 1}", "exec"), names)
    assert capsys.readouterr().out.strip()
    network = names["network"]
    assert all(bool(torch.isfinite(weight).all()) for weight in network.parameters())


def test_the_page_on_methods_runs() -> None:
    names: dict[str, Any] = {}
    for number, block in enumerate(blocks("docs/howto/new_method.md")):
        exec(compile(block, f"new_method.md, block {number + 1}", "exec"), names)
    assert names["method"].objective.negatives == 4
    assert names["network"].method is names["method"]
    assert sum(weight.numel() for weight in names["network"].parameters()) > 1000
