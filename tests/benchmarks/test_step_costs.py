"""All methods are timed in turns; those that do not learn are left out."""

import sys

import pytest

from benchmarks import learner_costs, step_costs
from benchmarks.learner_tables import cost_table
from benchmarks.study import Row


def run(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    tiny = ["--width", "0.03125", "--batch", "2", "--seconds", "0"]
    monkeypatch.setattr(sys, "argv", ["step_costs", *tiny, *options])
    return step_costs.main()


def test_methods_take_turns(monkeypatch, capsys) -> None:
    order = []
    measure = learner_costs.step_time

    def noted(config, *rest) -> dict[str, float]:
        order.append(config.method)
        return measure(config, *rest)

    monkeypatch.setattr(step_costs, "step_time", noted)
    assert run(monkeypatch, "--methods", "[softhebb,random,clapp-s]", "--turns", "2") == 0
    assert order == ["softhebb", "clapp-s", "softhebb", "clapp-s"]
    table = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert [line.split(" | ")[0] for line in table[2:]] == ["| SoftHebb", "| CLAPP-s"]


def test_the_quickest_turn_counts_and_the_first_row_is_the_measure() -> None:
    memory = {"weights MiB": 1.0, "step MiB": 2.0}
    times = {("clapp", 0): (50.0, 40.0), ("clapp", 1): (100.0, 20.0), ("lpl", 0): (40.0, 50.0)}
    rows = [
        Row(method, turn, {"images/s": rate, "CPU ms/image": cpu, **memory}, 0.0)
        for (method, turn), (rate, cpu) in times.items()
    ]
    clapp, lpl = (
        line.split(" | ")[2:5] for line in cost_table(rows, ["clapp", "lpl"]).splitlines()[2:]
    )
    assert clapp == ["100", "20.00", "1.00"]
    assert lpl == ["40", "50.00", "2.50"]


def test_no_turn_and_unknown_methods_are_refused(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "--turns", "0") == 1
    assert capsys.readouterr().err == "step_costs: 0 turns time nothing; take 1 or more.\n"
    assert run(monkeypatch, "--methods", "[clap]") == 1
    assert "clap" in capsys.readouterr().err
