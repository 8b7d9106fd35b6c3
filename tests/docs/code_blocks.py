"""Runs the code of a page as a reader would: Python blocks in one session, `clapp-snn` lines in a shell.

    python -m tests.docs.code_blocks docs/tutorial/*.md

runs pages one after the other in a temporary folder and keeps the pictures that they show in docs/images.
"""

import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from clapp_snn.cli import main as clapp_snn

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHOWN = re.compile(r"!\[[^\]]*\]\([^)]*/images/([\w.]+)\)")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of every block of code, in order."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


def pictures(page: Path) -> list[str]:
    """Names of the pictures that a page shows."""
    return SHOWN.findall(page.read_text(encoding="utf-8"))


def run_page(page: Path) -> dict[str, Any]:
    """Run a page in the present folder and return the names that its Python code leaves.

    Blocks that are neither python nor sh are not run. Lines of sh blocks are calls of clapp-snn.

    Raises RuntimeError for a command that fails or is another one.
    """
    names: dict[str, Any] = {"__name__": "__page__"}
    for number, (language, text) in enumerate(blocks(page), start=1):
        if language == "python":
            exec(compile(text, f"{page.name}, block {number}", "exec"), names)
        elif language == "sh":
            for line in text.splitlines():
                call(line)
    return names


def call(line: str) -> None:
    """One line of a shell block: clapp-snn, called in this process."""
    program, *arguments = shlex.split(line, comments=True)
    if program != "clapp-snn":
        raise RuntimeError(f"Only clapp-snn is run from pages, not {line!r}.")
    if status := clapp_snn(arguments):
        raise RuntimeError(f"{line!r} ended with status {status}.")


def main(pages: list[Path]) -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for page in pages:
            run_page(page)
            for name in pictures(page):
                print(shutil.copy(next(Path().rglob(name)), IMAGES))


if __name__ == "__main__":
    main([Path(each).resolve() for each in sys.argv[1:]])
