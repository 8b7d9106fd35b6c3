"""The studies on digits: their conditions are possible, and their tables and figures show what cells hold."""

from pathlib import Path

import pytest
import torch

from benchmarks.frozen_windows import frozen_windows, gate_errors, mean_operations
from benchmarks.spiking_digits import CONDITIONS, POINTS, budget, configuration, measure
from benchmarks.spiking_tables import REFERENCES, STUDIES, report, untrained
from benchmarks.study import Row
from clapp_snn.circuit.drawn_window import require_drawable
from clapp_snn.stimuli.digits import open_digits
from clapp_snn.training.stream_build import build_network

COSTS = ("events", "forward", "lateral", "plasticity", "ungated", "saving", "end_events",
         "end_forward", "end_saving", "changed1", "changed2")  # fmt: skip


def rows_of(study: str) -> list[Row]:
    """Cells with made-up values that depend on condition, seed and column."""
    rows = []
    for place, condition in enumerate(STUDIES[study].conditions):
        for seed in (1, 2, 3):
            config = configuration(condition, seed, 6000)
            values = {"n": budget(config)} if config.neuron != "rate" else {}
            for area in range(5):
                for kind in ("linear", "few"):
                    for prefix in ("", "rate_", "n20_", "n100_"):
                        values[f"{prefix}{kind}{area}"] = 50.0 + 5 * area - place + seed / 4
                    for point in POINTS.get(condition, ())[:2]:
                        values[f"{kind}{area}@{point}"] = 30.0 + area + point / 100
            values |= {f"gate{area}": 40.0 + seed for area in (1, 2)}
            values |= {f"gate_error{area}": 10.0 for area in (1, 2)}
            values |= dict.fromkeys(COSTS, 2000.0)
            rows.append(Row(condition, seed, values, 1.0))
    return rows


@pytest.mark.parametrize("study", list(STUDIES))
def test_every_study_has_tables_and_figures(study: str, tmp_path: Path) -> None:
    text = report(study, rows_of(study), 6000, tmp_path)
    assert text.startswith(f"## {study}\n")
    for condition in STUDIES[study].conditions:
        assert f"| {condition} | 3 |" in text
    assert (tmp_path / f"{study}.png").exists() == (study not in ("operations", "confirm"))


def test_tables_say_what_the_cells_hold(tmp_path: Path) -> None:
    budget_text = report("budget", rows_of("budget"), 6000, tmp_path)
    assert "| n5 | 3 | 5.0 ± 0.0 | 13.4 ± 0.0 | 10.0 ± 0.0 |" in budget_text
    assert "-2.0 [-2.0, -2.0]" in budget_text
    depth = report("depth", rows_of("depth"), 6000, tmp_path)
    assert "- n20-deep: +15.0 [+15.0, +15.0]" in depth
    operations = report("operations", rows_of("operations"), 6000, tmp_path)
    assert "| n20 | 3 | 2.0 ± 0.0 |" in operations


def test_untrained_networks_are_what_curves_begin_with() -> None:
    rows = untrained(rows_of("learning"), "n20")
    assert [row.condition for row in rows] == ["untrained n20"] * 3
    assert rows[0].values["linear2"] == 32.0


@pytest.mark.parametrize("condition", list(CONDITIONS))
def test_conditions_differ_from_their_reference_in_what_their_name_says(condition: str) -> None:
    config = configuration(condition, 1, 6000)
    network = build_network(config)
    if config.drawn:
        require_drawable(network.area(0))
    if condition.startswith("n") and condition[1].isdigit():
        assert budget(config) == int(condition[1:].split("-")[0])
    if condition in REFERENCES:
        reference = configuration(REFERENCES[condition], 1, 6000)
        assert {
            name for name, value in vars(config).items() if value != getattr(reference, name)
        } == {"ablation"}
        assert config.ablation == condition


def test_gates_err_less_with_more_spikes_and_never_in_rate_mode() -> None:
    digits = open_digits(1)
    errors = {}
    rate = build_network(configuration("rate", 1, 1))
    with torch.no_grad():
        for area in rate.areas:
            area.W_pred.mul_(20)
    for name in ("rate", "n2", "n100"):
        config = configuration(name, 1, 1)
        network = build_network(config)
        network.load_state_dict(rate.state_dict())
        errors[name] = gate_errors(
            frozen_windows(network, digits.train, 1, 4, drawn=config.drawn),
            frozen_windows(rate, digits.train, 1, 4, drawn=False),
        )
    assert errors["rate"] == [0, 0]
    assert errors["n100"][0] < errors["n2"][0]


def test_operations_are_averaged_over_windows() -> None:
    config = configuration("n20", 1, 1)
    network, digits = build_network(config), open_digits(1)
    seen = list(frozen_windows(network, digits.train, 1, 2, drawn=True))
    first, second = (mean_operations(network, iter([each]), 20.0) for each in seen)
    both = mean_operations(network, iter(seen), 20.0)
    for one, two, mean in zip(first, second, both, strict=True):
        assert mean == pytest.approx([(a + b) / 2 for a, b in zip(one, two, strict=True)])
    events = float(seen[0].x.sum()) * 20 / 32
    assert first[0].forward == pytest.approx(events * 128, rel=1e-5)


@pytest.mark.slow
def test_a_cell_is_measured(tmp_path: Path) -> None:
    values = measure("n20", (1, 2), 2)
    assert values.keys() == {1, 2}
    assert values[1].keys() == values[2].keys()
    assert {"linear2", "few2@0", "rate_linear2", "n100_few1", "gate_error2", "saving"} <= values[
        1
    ].keys()
    assert values[1]["gate1"] == 100
