"""All methods are timed in turns; those that do not learn are left out."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import learner_costs, step_costs
from benchmarks.learner_tables import cost_table
from benchmarks.local_learners import BenchOptions
from benchmarks.study import Row
from clapp_snn.commands.train import images_of
from clapp_snn.training import critical_periods
from clapp_snn.training.build import build_network
from clapp_snn.training.critical_periods import SequentialLearner


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


def test_critical_periods_are_timed_area_by_area_where_a_method_can_have_them(
    monkeypatch, capsys
) -> None:
    """A whole step costs 20, a period of area k (from 0) k + 1, and twice that in the second turn."""
    seen: list[str] = []

    def timed(config, data, device, seconds, period) -> dict[str, float]:
        seen.append(config.method)
        later = 2.0 if seen.count(config.method) > 7 else 1.0
        return {"CPU ms/image": later * (20 if config.plasticity is None else period + 1)}

    monkeypatch.setattr(step_costs, "step_time", timed)
    methods = "[clapp-s,hinge-cpc,hinge-dfa,random,lpl]"
    assert run(monkeypatch, "--methods", methods, "--turns", "2", "--periods", "true") == 0
    assert seen == (["clapp-s"] * 7 + ["lpl"] * 7) * 2
    table = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert [line.split(" | ")[1:] for line in table[2:]] == 2 * [
        ["20.00", "1.00", "2.00", "3.00", "4.00", "5.00", "6.00", "3.50", "18 % |"]
    ]


def test_a_period_leaves_all_other_areas_alone() -> None:
    """What is timed is the learner of a run: a step in the period of area 2 moves area 2 only."""
    config = BenchOptions(width=1 / 32, batch=2).config("clapp-s", 1, Path("none"))
    config = replace(config, plasticity="sequential", engine="torch")
    data, moved = images_of(config, "test"), []

    class Noted(SequentialLearner):
        def _learn(self, *rest):
            before = [p.clone() for p in self.network.parameters()]
            reports = super()._learn(*rest)
            now = self.network.parameters()
            moved.append([not torch.equal(a, b) for a, b in zip(before, now, strict=True)])
            return reports

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(critical_periods, "SequentialLearner", Noted)
        learner_costs.step_time(config, data, torch.device("cpu"), 0.0, period=2)
    network, _ = build_network(config, torch.device("cpu"), 16)
    own = {id(p) for p in network.module_parameters()[2]}
    assert moved
    assert all(row == [id(p) in own for p in network.parameters()] for row in moved)


def test_no_turn_and_unknown_methods_are_refused(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "--turns", "0") == 1
    assert capsys.readouterr().err == "step_costs: 0 turns time nothing; take 1 or more.\n"
    assert run(monkeypatch, "--methods", "[clap]") == 1
    assert "clap" in capsys.readouterr().err
