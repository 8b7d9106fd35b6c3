"""Tables of records: what is written is read, and what is no table is refused by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clapp_snn.tables import read_table, write_table


@dataclass(frozen=True)
class Found:
    name: str
    count: int
    share: float
    step: int | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("its count is negative")


NUMBERS = st.floats(allow_nan=False)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
ROWS = st.lists(
    st.builds(Found, TEXT, st.integers(0), NUMBERS, st.none() | st.integers(), TEXT), max_size=5
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=ROWS)
def test_what_is_written_is_read(tmp_path: Path, rows: list[Found]) -> None:
    write_table(tmp_path / "found.csv", Found, rows)
    assert read_table(tmp_path / "found.csv", Found) == rows


def test_columns_with_a_default_may_lack_and_others_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_bytes(b"share,colour,name,count\r\n1e-3,red,a,2\r\n")
    assert read_table(tmp_path / "old.csv", Found) == [Found("a", 2, 1e-3)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it has no column name, count, share"),
        (b"name,count\na,1\n", "it has no column share"),
        (b"name,count,share\na,1,0.5\nb,1\n", "line 3, is damaged: it has another number of cells"),
        (b"name,count,share\na,1,0.5,7\n", "line 2, is damaged: it has another number of cells"),
        (b"name,count,share\na,1.5,0.5\n", "line 2, is damaged: invalid literal for int"),
        (b"name,count,share\na,,0.5\n", "line 2, is damaged: invalid literal for int"),
        (b"name,count,share\na,-1,0.5\n", "line 2, is damaged: its count is negative"),
        (b"name,count,share\n" + b'"' + 200_000 * b"x", "is damaged: field larger than"),
        (b"\xff\xfe\x00", "is damaged: it holds no text"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "found.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_table(tmp_path / "found.csv", Found)
    assert "found.csv" in str(caught.value)


def test_a_failure_leaves_the_table_that_was_there(tmp_path: Path) -> None:
    rows: list[Any] = [Found("a", 1, 0.5)]
    write_table(tmp_path / "found.csv", Found, rows)
    with pytest.raises(TypeError):
        write_table(tmp_path / "found.csv", Found, [rows[0], "no record"])
    assert read_table(tmp_path / "found.csv", Found) == rows
    assert [path.name for path in tmp_path.iterdir()] == ["found.csv"]
