"""docs/comparison.md shows the tables that its cells give."""

from pathlib import Path

from benchmarks.learner_tables import accuracy_table, locality_table, reported_table
from benchmarks.local_learners import METHODS
from benchmarks.study import CELLS, read_cell

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_tables_are_those_of_the_cells() -> None:
    cells = sorted((DOCS / "data" / "local_learners" / CELLS).glob("*.json"))
    rows = [read_cell(path) for path in cells]
    methods = [method for method in METHODS if method in {row.condition for row in rows}]
    page = (DOCS / "comparison.md").read_text(encoding="utf-8")
    assert accuracy_table(rows, methods, "fast") in page
    assert accuracy_table(rows, methods, "few-shot") in page
    assert locality_table(methods) in page
    assert reported_table(methods) in page
