from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_snn.evaluation.probe_table import ProbeRow, ProbeTable

NUMBER = st.floats(0, 100, allow_nan=False)
ROWS = st.lists(
    st.builds(
        ProbeRow,
        protocol=st.sampled_from(["fast", "paper"]),
        encoder=st.sampled_from(["trained", "random"]),
        layer=st.integers(0, 6),
        seed=st.integers(0, 9),
        accuracy=NUMBER,
        n_test=st.integers(1, 8000),
        top5=st.none() | NUMBER,
        note=st.sampled_from(["", 'a, "b"', "Zürich"]),
        low=st.none() | NUMBER,
        high=st.none() | NUMBER,
    ),
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(rows=ROWS)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows) -> None:
    table = ProbeTable()
    table.extend(rows)
    path = tmp_path_factory.mktemp("probe") / "probe.csv"
    table.write(path)
    assert ProbeTable.read(path).rows == table.rows
    assert list(path.parent.iterdir()) == [path]


def row(layer: int, accuracy: float, encoder: str = "trained", seed: int = 0) -> ProbeRow:
    return ProbeRow(
        "fast", encoder, layer, seed, accuracy, 100, 90.0, "centre crop", accuracy - 2, accuracy + 3
    )


def test_a_row_measured_again_replaces_the_old_one() -> None:
    table = ProbeTable()
    table.extend([row(1, 40), row(2, 50), row(1, 60)])
    assert [(r.layer, r.accuracy) for r in table.rows] == [(2, 50), (1, 60)]


def test_other_weights_or_settings_replace_what_would_be_averaged_with_them() -> None:
    table = ProbeTable()
    table.extend(
        [row(1, 40), row(2, 50), row(1, 20, "random"), replace(row(1, 45, seed=1), step=60)]
    )
    assert [(r.encoder, r.layer, r.accuracy, r.seed) for r in table.rows] == [
        ("random", 1, 20, 0), ("trained", 1, 45, 1),
    ]  # fmt: skip
    table.extend(
        [replace(row(1, 47), step=60), replace(row(1, 60, seed=2), step=60, note="20 shots")]
    )
    assert [r.accuracy for r in table.rows] == [20, 60]
    assert "after 60 steps" in table.text()
    table.append(replace(row(2, 61, seed=2), step=60, note="20 shots, l2 0.1"))
    assert [r.accuracy for r in table.rows] == [20, 60, 61]


def test_one_seed_shows_its_interval_and_several_their_spread() -> None:
    table = ProbeTable()
    table.extend([row(1, 40), row(2, 50, seed=0), row(2, 54, seed=1)])
    one, two = table.layer_means("fast", "trained")
    assert (one.accuracy, one.low, one.high, one.seeds) == (40, 38, 43, 1)
    assert (two.accuracy, two.seeds) == (52, 2)
    assert two.high - two.accuracy == pytest.approx(8**0.5)


def test_text_has_layers_and_pixels() -> None:
    table = ProbeTable()
    table.extend([row(1, 40), row(2, 51.25), row(1, 33, "random"), row(0, 20.5, "pixels")])
    text = table.text()
    lines = text.splitlines()
    assert "100 test samples" in lines[0]
    assert lines[1].split() == ["layer", "1", "layer", "2"]
    assert lines[2].split()[0] == "trained"
    assert "51.2" in lines[2]
    assert lines[3].split()[-1] == "-"
    assert lines[4].split()[:2] == ["pixels", "20.5"]
    assert ProbeTable().text() == "No probe results.\n"


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "probe.csv"
    with pytest.raises(FileNotFoundError, match="run `clapp-snn probe`"):
        ProbeTable.read(path)
    path.write_text("protocol,encoder\nfast,trained\n")
    with pytest.raises(ValueError, match="has no column layer, seed, accuracy, n_test"):
        ProbeTable.read(path)
    header = "protocol,encoder,layer,seed,accuracy,n_test\n"
    for line in ("fast,trained,one,0,50,10", "fast,trained,1,0,nan,10", "fast,trained"):
        path.write_text(f"{header}fast,trained,1,0,50,10\n{line}\n")
        with pytest.raises(ValueError, match="line 3, is damaged"):
            ProbeTable.read(path)
