"""The studies of online and stepped learning: equal presentations, equal glances, complete rows."""

from dataclasses import replace

import pytest
import torch

from benchmarks import spiking_online
from benchmarks.spiking_online import STUDIES, configuration, features, learn_stepped, report
from benchmarks.study import Row, run_cells
from clapp_snn.circuit.fast_window import FastHierarchy
from clapp_snn.evaluation.stream_probe import glance_features
from clapp_snn.stimuli.digits import DigitSet, open_digits
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import StreamConfig

COLUMNS = [
    *(f"{name}{area}" for name in ("linear", "few", "local", "gate") for area in (1, 2)),
    *("linear2@0", "few2@0", "local1@0", "local2@0"),
]
SMALL = {"units": (6, 5), "window": 40.0}


@pytest.mark.parametrize("study", STUDIES)
def test_conditions_of_a_study_see_as_many_glances(study: str) -> None:
    for condition in STUDIES[study]:
        config = configuration(study, condition, 3, 6400)
        assert config.batch * config.windows == 6400
        drawn = config.simulation == "drawn" and config.neuron != "rate"
        assert (config.seed, config.drawn) == (3, drawn)


def test_glances_are_those_of_the_linear_probe() -> None:
    digits = open_digits(0).test
    few = DigitSet(digits.images[:7], digits.labels[:7])
    network = build_network(StreamConfig(simulation="stepped", **SMALL))
    mine = features(network, FastHierarchy(network), few, 2, 4, "test")
    theirs = glance_features(network, few, torch.arange(7).repeat(2), 4, "test", drawn=True)
    assert torch.equal(mine[0], theirs[0])
    assert [each.shape for each in mine] == [each.shape for each in theirs]
    events = mine[1] * 20 * 0.04 * 2
    assert torch.allclose(events, events.round(), atol=1e-4)


def test_cells_run_and_are_reported(tmp_path, monkeypatch) -> None:
    def small(study: str, condition: str, seed: int, presentations: int) -> StreamConfig:
        return replace(configuration(study, condition, seed, presentations), **SMALL)

    tiny = open_digits(0)
    monkeypatch.setattr(spiking_online, "configuration", small)
    monkeypatch.setattr(spiking_online, "open_digits", lambda seed: type(tiny)(
        DigitSet(tiny.train.images[:150], tiny.train.labels[:150]),
        DigitSet(tiny.test.images[:60], tiny.test.labels[:60]),
    ))  # fmt: skip
    rows = run_cells(
        tmp_path,
        [(condition, seed) for condition in STUDIES["online"] for seed in (1, 2)],
        lambda condition, seed, _: spiking_online.measure("online", condition, seed, (1, 2), 256),
    )
    text = report("online", rows)
    assert "| online | 2 |" in text
    assert {"linear2", "few2@0", "local1", "gate1"} <= rows[0].values.keys()
    assert rows[0].values != rows[1].values
    stepped = learn_stepped(small("stepped", "stepped-filtered", 1, 64))
    assert {"linear2", "few2", "local1", "gate2", "local2@0"} <= stepped.keys()


def test_rate_mode_and_stepped_stacks_stand_in_one_study() -> None:
    rows = [
        Row(condition, seed, dict.fromkeys(COLUMNS, 10.0 * seed + place), 1.0)
        for place, condition in enumerate(STUDIES["full"])
        for seed in (1, 2, 3)
    ]
    text = report("full", rows)
    assert "| n100-stepped-filtered | 3 |" in text
    assert "+4.0 [+4.0, +4.0]" in text  # n100-stepped-filtered minus n100
