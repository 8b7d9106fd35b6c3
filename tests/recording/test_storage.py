"""Tables keep rows in order, never more memory than allowed, and say so once when full."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clapp_snn.recording import storage
from clapp_snn.recording.storage import Column, Limit, MonitorFull, Table, WhenFull

ROW_BYTES = 8 + 2 * 4


def table(rows: int, when_full: WhenFull = "error") -> Table:
    columns = {"a": Column(torch.int64), "b": Column(torch.float32, (2,))}
    return Table(columns, Limit(rows * ROW_BYTES / 1e6, when_full), "Test")


def block(first: int, count: int) -> dict[str, torch.Tensor]:
    numbers = torch.arange(first, first + count)
    return {"a": numbers, "b": torch.stack([numbers, -numbers], 1).float()}


@given(
    blocks=st.lists(st.integers(0, 12), max_size=12),
    rows=st.integers(1, 40),
    chunk=st.integers(1, 7),
)
def test_a_ring_keeps_exactly_the_latest_rows(blocks: list[int], rows: int, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "CHUNK_BYTES", chunk * ROW_BYTES)
        made = table(rows, "ring")
        written = 0
        for count in blocks:
            made.append(block(written, count))
            written += count
        kept = list(range(max(0, written - rows), written))
        read = made.read()
        assert read["a"].tolist() == kept
        assert read["b"].tolist() == [[number, -number] for number in kept]
        assert made.lost == written - len(kept)
        assert made.allocated_bytes <= rows * ROW_BYTES


def test_a_full_table_raises_once_and_keeps_what_it_has() -> None:
    made = table(5)
    made.append(block(0, 3))
    with pytest.raises(MonitorFull, match=r"Test is full.*5 rows.*when_full='ring'"):
        made.append(block(3, 3))
    assert made.read()["a"].tolist() == [0, 1, 2]
    made.append(block(3, 2))
    assert made.read()["a"].tolist() == [0, 1, 2, 3, 4]


def test_memory_is_taken_only_when_needed() -> None:
    made = Table({"a": Column(torch.int64)}, Limit(1000), "Test")
    assert made.allocated_bytes == 0
    made.append({"a": torch.arange(10)})
    assert made.allocated_bytes == storage.CHUNK_BYTES
    assert made.read()["a"].tolist() == list(range(10))


def test_an_empty_table_reads_as_empty_columns() -> None:
    read = table(3).read()
    assert read["a"].shape == (0,)
    assert read["b"].shape == (0, 2)
    assert read["b"].dtype == torch.float32


def test_reading_is_a_copy() -> None:
    made = table(4)
    made.append(block(0, 2))
    made.read()["a"][0] = 99
    assert made.read()["a"].tolist() == [0, 1]


def test_one_row_must_fit() -> None:
    with pytest.raises(ValueError, match="one row takes"):
        Table({"v": Column(torch.float64, (1000,))}, Limit(0.001), "Test")


@pytest.mark.parametrize("memory", [0, -1, float("nan"), float("inf")])
def test_impossible_caps_are_refused(memory: float) -> None:
    with pytest.raises(ValueError, match="memory_mb must be a positive number"):
        Limit(memory)


def test_unknown_behaviour_when_full_is_refused() -> None:
    with pytest.raises(ValueError, match="'error' or 'ring', not 'drop'"):
        Limit(1.0, "drop")
