"""Cells are measured once and kept; intervals are those of scipy."""

import json
from pathlib import Path

import pytest
from scipy import stats

from benchmarks.study import (
    Row,
    compare,
    paired_interval,
    run_cells,
    summary_table,
)


def test_intervals_are_those_of_a_paired_t_test() -> None:
    a, b = [91.0, 88.5, 90.2, 87.0, 92.4], [90.0, 89.5, 88.0, 86.1, 92.0]
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    interval = paired_interval(a, b)
    assert interval.low == pytest.approx(expected.low, rel=1e-9)
    assert interval.high == pytest.approx(expected.high, rel=1e-9)
    assert interval.mean == pytest.approx(0.7)


def test_overlapping_folds_widen_the_interval() -> None:
    a, b = [91.0, 88.5, 90.2, 87.0, 92.4], [90.0, 89.5, 88.0, 86.1, 92.0]
    plain, corrected = paired_interval(a, b), paired_interval(a, b, overlap=1 / 4)
    assert corrected.mean == plain.mean
    # Five folds of 4 : 1: the variance of the mean is 1/5 + 1/4 of that of a fold, not 1/5.
    ratio = (corrected.high - corrected.low) / (plain.high - plain.low)
    assert ratio == pytest.approx((1 + 5 / 4) ** 0.5)


@pytest.mark.parametrize(("a", "b"), [([1.0], [2.0]), ([1.0, 2.0], [1.0, 2.0, 3.0])])
def test_too_few_or_unequal_pairs_are_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(ValueError, match="Pairs need"):
        paired_interval(a, b)


class _Interrupted(Exception):
    pass


def test_an_interrupted_study_goes_on_with_the_missing_cells(tmp_path: Path) -> None:
    done: list[tuple[str, int]] = []

    def measure(condition: str, seed: int, folder: Path) -> dict[str, float]:
        if len(done) == 2:
            raise _Interrupted
        assert folder == tmp_path / "runs" / f"{condition}-s{seed}"
        done.append((condition, seed))
        return {"accuracy": 10.0 * seed + len(condition)}

    cells = [("rate", 1), ("spiking", 1), ("rate", 2), ("spiking", 2)]
    with pytest.raises(_Interrupted):
        run_cells(tmp_path, cells, measure)
    first, done = done, []
    rows = run_cells(tmp_path, cells, measure)
    assert first + done == cells
    assert [row.values["accuracy"] for row in rows] == [14.0, 17.0, 24.0, 27.0]
    record = json.loads((tmp_path / "cells" / "rate-s1.json").read_text())
    assert "torch" in record["environment"]["packages"]


def test_other_settings_are_not_mixed_into_a_study(tmp_path: Path) -> None:
    run_cells(tmp_path, [], lambda *_: {}, {"windows": 10})
    run_cells(tmp_path, [], lambda *_: {}, {"windows": 10})
    with pytest.raises(ValueError, match="other settings"):
        run_cells(tmp_path, [], lambda *_: {}, {"windows": 11})


def test_cells_that_cannot_be_kept_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no name of a condition"):
        run_cells(tmp_path, [("a/b", 1)], lambda *_: {})
    with pytest.raises(ValueError, match="named twice"):
        run_cells(tmp_path, [("a", 1), ("a", 1)], lambda *_: {})
    with pytest.raises(ValueError, match="not finite"):
        run_cells(tmp_path, [("a", 1)], lambda *_: {"loss": float("nan")})
    assert not (tmp_path / "cells").exists()
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "a-s1.json").write_text("{")
    with pytest.raises(ValueError, match=r"a-s1\.json holds no cell"):
        run_cells(tmp_path, [("a", 1)], lambda *_: {})


def test_tables_compare_only_seeds_that_both_conditions_have() -> None:
    rate = [Row("rate", seed, {"accuracy": value}, 1.0) for seed, value in enumerate((90, 91, 95))]
    other = [Row("spiking", seed, {"accuracy": value}, 1.0) for seed, value in enumerate((88, 90))]
    rows = [*rate, *other, Row("pixels", 0, {}, 1.0)]
    expected = stats.ttest_rel([88, 90], [90, 91]).confidence_interval(0.95)
    interval = compare(rows, "accuracy", "spiking", "rate")
    assert (interval.low, interval.high) == pytest.approx(tuple(expected))
    lines = summary_table(rows, ["accuracy"], "rate").splitlines()
    assert lines[0] == "| condition | seeds | accuracy | accuracy - rate (95 %) |"
    assert lines[2] == "| rate | 3 | 92.0 ± 2.6 | - |"
    assert (
        lines[3]
        == f"| spiking | 2 | 89.0 ± 1.4 | -1.5 [{expected.low:+.1f}, {expected.high:+.1f}] |"
    )
    assert lines[4] == "| pixels | 1 | - | - |"
