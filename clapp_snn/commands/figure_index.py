"""figures/index.json: what the report says about the pictures of a run, and which command drew them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from clapp_snn.files import write_text
from clapp_snn.report.html import read_index
from clapp_snn.run_files import FIGURE_INDEX, FIGURES

FIGURES_COMMAND = "figures"


class Entry(NamedTuple):
    """A picture in run/figures with its alternative text and caption."""

    file: str
    alt: str
    caption: str


def update_index(
    folder: Path, drawn: Sequence[Entry], command: str = FIGURES_COMMAND, *, complete: bool = True
) -> None:
    """Write what a command has drawn in place of what it drew before; entries of other commands stay.

    Args:
        folder: of the run.
        drawn: in the order of the report.
        command: that drew them.
        complete: nothing was left undrawn, so earlier pictures of the command that were not drawn again are
            out of date and removed; else they and their entries stay.
    """
    try:
        known = read_index(folder)
    except ValueError:  # a damaged index is made anew
        known = []
    names = {entry.file for entry in drawn}
    mine = [each for each in known if each.get("command", FIGURES_COMMAND) == command]
    stale = [each for each in mine if each["file"] not in names]
    kept = [each for each in known if each not in mine] + ([] if complete else stale)
    entries = [{**entry._asdict(), "command": command} for entry in drawn]
    text = json.dumps({"figures": [*entries, *kept]}, indent=2, ensure_ascii=False)
    write_text(folder / FIGURES / FIGURE_INDEX, text + "\n")
    for each in stale if complete else ():
        (folder / FIGURES / Path(each["file"]).name).unlink(missing_ok=True)
