"""What the site is made of: a page for every module, tables for diagrams, complete model cards."""

import importlib.util
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import pytest

import clapp_snn
from clapp_snn import run_files

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
CARDS = sorted((DOCS / "cards").glob("*.md"))
SECTIONS = ["Equations", "Biological", "Assumed", "Tested against", "Where it fails"]


def of_site(name: str) -> ModuleType:
    """A module of docs/_site, which is no package."""
    spec = importlib.util.spec_from_file_location(f"site_{name}", DOCS / "_site" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_public_module_has_its_page_in_its_room() -> None:
    pages = of_site("pages")
    names = pages.modules(ROOT / "clapp_snn")
    found = pkgutil.walk_packages(clapp_snn.__path__, "clapp_snn.")
    public = {each.name for each in found if not re.search(r"\._", each.name)}
    assert set(names) == public | {"clapp_snn"}
    listed = []
    for entry in pages.by_room(names):
        ((title, target),) = entry.items()
        inside = target if isinstance(target, list) else [entry]
        listed += [page for each in inside for page in each.values()]
        assert all(f"clapp_snn.{title}" in page for each in inside for page in each.values()) or (
            title == "clapp_snn"
        )
    assert sorted(listed) == sorted(f"api/{name}.md" for name in names)


def test_patterns_of_the_navigation_become_pages() -> None:
    expand = of_site("pages").expand
    there = ["cards/a.md", "cards/b.md", "index.md", "comparison.md"]
    assert expand({"Home": "index.md"}, there, []) == [{"Home": "index.md"}]
    assert expand({"Cards": "cards/*.md"}, there, []) == [{"Cards": ["cards/a.md", "cards/b.md"]}]
    nested = {"Results": [{"Comparison": "comparison*.md"}, {"None": "none*.md"}]}
    assert expand(nested, there, []) == [{"Results": [{"Comparison": "comparison.md"}]}]


def test_the_diagram_of_rooms_becomes_a_table_with_the_same_arrows() -> None:
    pages = of_site("pages")
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    (diagram,) = pages.MERMAID.findall(text)
    rows = pages.arrows_as_table(diagram).splitlines()[2:]
    arrows = sum(len(row.split("|")[2].split(",")) for row in rows)
    written = [line.split("-->") for line in diagram.splitlines() if "-->" in line]
    assert arrows == sum(len(a.split("&")) * len(b.split("&")) for a, b in written) > 15
    assert "| circuit: areas and their stack | encoders, methods, neurons |" in rows


def test_files_outside_the_site_are_named_and_missing_ones_stay_links() -> None:
    name = of_site("pages").name_repository_files
    page = DOCS / "howto" / "chips.md"
    same = "[r](../results.md) [no](../../no-such-file) [out](../../../README.md) ![p](../images/p.png)"
    assert name(same, page, DOCS) == same
    assert name("see [this](../../README.md).", page, DOCS) == "see this (`README.md`)."


def test_shared_entries_of_docstrings_get_a_name_each() -> None:
    text = (
        "What it does.\n\nArgs:\n    low, high: of the range,\n        both counted.\n    other: left.\n\n"
        "Shapes a, b: stay.\n    a, b: as code stays, too.\n"
    )
    assert of_site("arguments").separate(text) == (
        "What it does.\n\nArgs:\n    low: of the range,\n        both counted.\n    high: of the range,\n"
        "        both counted.\n    other: left.\n\nShapes a, b: stay.\n    a, b: as code stays, too.\n"
    )


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_a_card_says_what_is_biological_and_what_is_assumed(card: Path) -> None:
    text = card.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert "**Intended use.**" in text
    assert "](../results.md#" in text
    assert re.search(r"https://(doi\.org|arxiv\.org)/", text)


def test_the_cards_cover_the_models() -> None:
    assert len(CARDS) == 11


def test_the_architecture_page_names_everything_in_a_run_folder() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    table = text.split("## A run folder")[1].split("\n## ")[0]
    listed = {
        part
        for cell in re.findall(r"^\| (`.*?) \|", table, re.M)
        for part in re.findall(r"[\w.]+", cell)
    }
    names = {value for key, value in vars(run_files).items() if key.isupper()}
    assert len(names) > 10
    assert names <= listed
