"""The peers on digits and on recorded events: what a cell holds, equal presentations, tables, resuming."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import spiking_events, spiking_peers
from benchmarks.study import Row
from clapp_snn.evaluation.fast_probe import fast_probe
from clapp_snn.evaluation.spike_counts import cache_counts
from clapp_snn.randomness import generator
from clapp_snn.stimuli.digits import DigitSet, open_digits
from clapp_snn.stimuli.event_camera import NMNIST
from clapp_snn.stimuli.event_source import open_recordings
from clapp_snn.stimuli.spike_glances import EncodedGlances


def small(windows: int = 3) -> spiking_peers.Task:
    digits = open_digits(1, 200)
    test = DigitSet(digits.test.images[:20], digits.test.labels[:20])
    return spiking_peers.Task(
        EncodedGlances(digits.train), EncodedGlances(test), 64, 1, windows, (0,)
    )


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 + 20 recordings of two classes: events in the left or in the right half."""
    folder = tmp_path_factory.mktemp("events")
    draws = np.random.default_rng(0)
    for name, count in (("train", 30), ("test", 20)):
        labels = np.arange(count) % 2
        times = np.sort(draws.integers(0, 315_000, (count, 300)), 1)
        times[:, -1] = 314_000
        times.sort(1)
        col = draws.integers(0, 17, (count, 300)) + 17 * labels[:, None]
        row, polarity = draws.integers(0, 34, (2, count, 300)) * np.array([1, 0])[:, None, None]
        np.savez(
            folder / f"{name}.npz",
            addr=((polarity * 34 + row) * 34 + col).ravel(),
            dt=np.diff(times, axis=1, prepend=0).ravel(),
            offsets=np.arange(count + 1) * 300,
            labels=labels,
        )
    return folder


@pytest.mark.parametrize("condition", spiking_peers.PEERS)
def test_a_cell_holds_probes_of_both_layers_and_the_curve(condition: str) -> None:
    values = spiking_peers.peer(condition, small())
    own = {"own"} if condition == "surrogate" else {"gate1", "gate2"}
    ends = {f"{kind}{layer}" for kind in ("linear", "few") for layer in (1, 2)}
    assert set(values) == own | ends | {"linear2@0", "few2@0"}
    assert all(0 <= value <= 100 for value in values.values())
    assert values == spiking_peers.peer(condition, small())


def test_peers_that_learn_nothing_agree_with_their_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first point of the curve is the untrained network: with a vanishing rate the end is the same."""
    monkeypatch.setattr(spiking_peers, "ESPP_RATE", 1e-12)
    monkeypatch.setattr(spiking_peers, "SURROGATE_RATE", 1e-12)
    for condition in spiking_peers.PEERS:
        values = spiking_peers.peer(condition, small())
        assert values["linear2"] == values["linear2@0"]


def test_own_readout_is_counted_over_all_looks() -> None:
    task = small()
    network = spiking_peers.SurrogateNetwork((64, 128, 128), 10, 1)
    found = spiking_peers.own_accuracy(network, task)
    right = 0
    for number in range(60):
        x = task.test.views(
            torch.tensor([number % 20]), [generator(1, "probe glance", "test", number)]
        )
        right += int(network(x).argmax()) == int(open_digits(1, 200).test.labels[number % 20])
    assert found == pytest.approx(100 * right / 60)


def test_main_prints_its_cells_beside_those_of_another_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        spiking_peers, "digits", lambda seed, windows: replace(small(windows), seed=seed)
    )
    beside = tmp_path / "clapp" / "cells"
    beside.mkdir(parents=True)
    for seed in (1, 2):
        record = {
            "condition": "rate",
            "seed": seed,
            "values": {"linear2": 50.0 + seed},
            "seconds": 1,
        }
        (beside / f"rate-s{seed}.json").write_text(json.dumps(record))
    arguments = ["--out", str(tmp_path / "out"), "--seeds", "1", "2", "--windows", "2"]
    arguments += ["--conditions", "espp", "--beside", str(tmp_path / "clapp")]
    spiking_peers.main(arguments)
    text = capsys.readouterr().out
    assert "| rate | 2 | - | 51.5 ± 0.7 |" in text
    assert "linear2 - rate (95 %)" in text
    spiking_peers.main(arguments)
    assert "min left" not in capsys.readouterr().out, "no cell is measured twice"


def test_curve_table_shows_means_and_gaps() -> None:
    rows = [
        Row("a", 1, {"x@0": 1.0, "x": 4.0}, 0.0),
        Row("a", 2, {"x@0": 2.0, "x": 6.0}, 0.0),
        Row("b", 1, {"x": 3.0}, 0.0),
    ]
    lines = spiking_peers.curve_table(rows, "x", (0, 5)).splitlines()
    assert lines[0] == "| condition | 0 | 5 | end |"
    assert lines[2:] == ["| a | 1.5 | - | 5.0 |", "| b | - | - | 3.0 |"]


def test_untrained_networks_get_rows_of_their_own() -> None:
    rows = [Row("a", 1, {"x@0": 1.0, "x@5": 3.0, "x": 4.0}, 9.0), Row("b", 1, {"x": 3.0}, 9.0)]
    assert spiking_peers.with_untrained(rows) == [
        Row("a, untrained", 1, {"x": 1.0}, 0.0),
        *rows,
    ]


def test_event_cells_of_every_condition(recordings: Path) -> None:
    """Two classes that differ in where they are: everybody tells them apart."""
    for condition in spiking_events.CONDITIONS:
        values = spiking_events.measure(condition, 1, Path("unused"), recordings, 2)
        own = {"counts": "linear0", "untrained": "linear2"}.get(condition, "linear2@0")
        expected = {"linear1", "few1", own}
        assert expected <= set(values), condition
        assert values["linear1"] >= 80, condition
        assert all(0 <= value <= 100 for value in values.values())


def test_event_counts_are_those_of_the_recordings(recordings: Path) -> None:
    """The classifier on counts gives the accuracy of one on all events of the three micro-saccades."""
    parts = open_recordings(recordings, 0, spiking_events.FOLDS)
    found = spiking_events.counts(recordings, 0)["linear1"]
    features = []
    for part in parts:
        rows = torch.zeros(len(part), NMNIST.addresses)
        for number in range(len(part)):
            for time, address in zip(*(each.tolist() for each in part.events(number)), strict=True):
                inside = any(start <= time < start + 100_000 for start in (0, 105_000, 215_000))
                rows[number, address] += inside
        features.append(rows)
    train, test = (spiking_events.EventCounts(part, "full") for part in parts)
    cache = cache_counts(lambda seen: [], train, test, 0)
    for mine, counted in zip((cache.train[0], cache.test[0]), features, strict=True):
        torch.testing.assert_close(mine * 9, counted)
    assert fast_probe(cache, 0)[0].accuracy == found


def test_clapp_in_both_codes_sees_the_same(recordings: Path) -> None:
    rate, spiking = (
        spiking_events.clapp_config(name, recordings, 2, 10) for name in ("rate", "n100")
    )
    assert replace(rate, neuron="event_burst", copies=5) == spiking
    assert (spiking.seed, spiking.fold, spiking.rho, spiking.window) == (2, 2, None, 1000.0)
