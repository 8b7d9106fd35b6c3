"""The study of contexts: its runs are those it names, and one small cell has all columns."""

from pathlib import Path

import pytest
import torch

from benchmarks.spiking_feedback import CODES, METHODS, UNTRAINED, configure, measure, tables
from benchmarks.study import Row
from clapp_snn.training.stream_build import build_network


@pytest.mark.parametrize("code", CODES)
def test_methods_of_a_seed_start_from_one_network(code: str) -> None:
    configs = [
        configure(f"{method}-{code}", 3, 5, (8, 8, 8), Path("out"))
        for method in (UNTRAINED, *METHODS)
    ]
    assert [config.method for config in configs] == ["clapp", *METHODS]
    assert [config.windows for config in configs] == [0, 5, 5, 5, 5]
    assert all((config.neuron == "rate") == (code == "rate") for config in configs)
    first, *others = (build_network(config).state_dict() for config in configs)
    for other in others:
        assert first.keys() == other.keys()
        assert all(torch.equal(first[name], other[name]) for name in first)


def test_a_cell_is_measured_and_shown(tmp_path: Path) -> None:
    condition = "clapp-pp-dfb-n100"
    values = measure(configure(condition, 1, 3, (6, 5), tmp_path))
    wanted = {f"{kind}{area}" for kind in ("linear", "few") for area in (0, 1, 2)}
    assert wanted < values.keys()
    assert 0 < values["gate1"] <= 100
    rows = [Row(condition, seed, values, 1.0) for seed in (1, 2)]
    text = tables(rows, ["n100"], 2)
    assert text.count(f"| {condition} | 2 |") == 2
    assert "linear2 - clapp-pp-n100" in text
