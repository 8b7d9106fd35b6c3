"""Metrics are on the disk at once, and a resumed run has every step exactly once."""

import math
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from clapp_snn.training.logbook import Logbook

COLUMNS = ("step", "seconds", "loss_1", "gate_1")


def row(step: int, loss: float = 0.5) -> dict[str, float]:
    return {"step": step, "seconds": step / 3, "loss_1": loss, "gate_1": 1.0}


def lines(folder: Path) -> list[str]:
    return (folder / "metrics.csv").read_text().splitlines()


def steps(folder: Path) -> list[int]:
    return [int(line.split(",")[0]) for line in lines(folder)[1:]]


def curve(folder: Path, tag: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_rows_and_curves(tmp_path: Path) -> None:
    with Logbook(tmp_path, COLUMNS) as book:
        book.write(row(1, loss=1.23456789))
        assert lines(tmp_path) == ["step,seconds,loss_1,gate_1", "1,0.333333,1.23457,1"]
        book.write(row(1000000, loss=math.nan))
        assert lines(tmp_path)[2] == "1000000,333333,nan,1"
        book.sync()
    assert curve(tmp_path, "loss/1")[0] == (1, pytest.approx(1.23456789))
    assert [step for step, _ in curve(tmp_path, "gate/1")] == [1, 1000000]
    assert [step for step, _ in curve(tmp_path, "run/seconds")] == [1, 1000000]


def test_resume_drops_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    with Logbook(tmp_path, COLUMNS) as book:
        for step in range(1, 6):
            book.write(row(step, loss=1.0))
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("6,2,0.")  # killed in the middle of a row
    with Logbook(tmp_path, COLUMNS, resume_step=3) as book:
        for step in range(4, 8):
            book.write(row(step, loss=2.0))
    assert steps(tmp_path) == [1, 2, 3, 4, 5, 6, 7]
    expected = [(step, 1.0 if step <= 3 else 2.0) for step in range(1, 8)]
    assert curve(tmp_path, "loss/1") == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.csv", "tensorboard"]


def test_resume_without_rows_starts_a_file(tmp_path: Path) -> None:
    with Logbook(tmp_path, COLUMNS, resume_step=3) as book:
        book.write(row(4))
    assert steps(tmp_path) == [4]


def test_a_cut_off_header_is_no_header(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,sec")
    with Logbook(tmp_path, COLUMNS) as book:
        book.write(row(1))
    assert steps(tmp_path) == [1]


def test_existing_rows_are_not_overwritten(tmp_path: Path) -> None:
    with Logbook(tmp_path, COLUMNS) as book:
        book.write(row(1))
    with pytest.raises(FileExistsError, match="already holds 1 rows"):
        Logbook(tmp_path, COLUMNS)
    assert steps(tmp_path) == [1]


def test_other_columns_are_refused(tmp_path: Path) -> None:
    with Logbook(tmp_path, COLUMNS) as book:
        book.write(row(1))
    with pytest.raises(ValueError, match="has the columns"):
        Logbook(tmp_path, (*COLUMNS, "loss_2"), resume_step=1)
    assert steps(tmp_path) == [1]


@pytest.mark.parametrize("line", ["2,1,0.5", "two,1,0.5,1"])
def test_a_damaged_row_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "metrics.csv").write_text(f"{','.join(COLUMNS)}\n1,1,0.5,1\n{line}\n")
    with pytest.raises(ValueError, match=r"line 3 of .*metrics\.csv is damaged"):
        Logbook(tmp_path, COLUMNS, resume_step=5)


def test_rows_must_fit_and_ascend(tmp_path: Path) -> None:
    with Logbook(tmp_path, COLUMNS) as book:
        book.write(row(2))
        with pytest.raises(ValueError, match="step 2 after that of step 2"):
            book.write(row(2))
        with pytest.raises(ValueError, match=r"missing \['seconds'\], unknown \['second'\]"):
            book.write({"step": 3, "second": 1, "loss_1": 1, "gate_1": 1})
    assert steps(tmp_path) == [2]


@pytest.mark.parametrize("columns", [(), ("loss", "step"), ("step", "loss", "loss")])
def test_columns_start_with_step_and_differ(tmp_path: Path, columns: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="start with 'step'"):
        Logbook(tmp_path, columns)


def test_other_ranks_write_nothing(tmp_path: Path) -> None:
    with Logbook(tmp_path, COLUMNS, rank=1) as book:
        book.write(row(1))
        book.sync()
    assert list(tmp_path.iterdir()) == []
