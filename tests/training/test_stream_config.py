"""The record of a run on a stream: written, read, compared, refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from clapp_snn.circuit.ports import StrictBurstPort
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import (
    FILE,
    StreamConfig,
    read_stream_config,
    require_same_stream,
    write_stream_config,
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    config = StreamConfig(out=tmp_path / "a", units=(5, 6), rho=30.0, retro="free")
    write_stream_config(tmp_path, config)
    assert read_stream_config(tmp_path) == config
    with pytest.raises(FileNotFoundError, match="no run on a stream"):
        read_stream_config(tmp_path / "elsewhere")


@pytest.mark.parametrize("text", ["[1, 2]", "batch: 3", "a: [", ""])
def test_what_is_no_record_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ValueError, match=FILE):
        read_stream_config(tmp_path)


def test_a_run_resumes_with_its_own_configuration_only() -> None:
    saved = StreamConfig()
    require_same_stream(saved, replace(saved, windows=7, log_every=1, checkpoint_every=2, keep=3))
    with pytest.raises(ValueError, match=r"copies: 1 -> 2; seed: 0 -> 4"):
        require_same_stream(saved, replace(saved, copies=2, seed=4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0.0, "batch": 0}, r"window must be positive.*batch must be at least 1"),
        ({"units": ()}, "at least one area"),
        ({"p_saccade": 1.5}, "p_saccade"),
        ({"tau_basal": -1.0}, "tau_basal"),
        ({"neuron": "lif"}, "cannot be drawn"),
    ],
)
def test_impossible_records_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StreamConfig(**options)


def test_networks_of_all_neurons_start_from_the_same_weights() -> None:
    """So trained networks of both codes, and untrained ones, are compared from one start."""
    base = StreamConfig(units=(5, 4), window=20.0, simulation="stepped")
    neurons = ("rate", "event_burst", "strict_burst", "lif")
    states = [build_network(replace(base, neuron=each)).state_dict() for each in neurons]
    for state in states[1:]:
        assert all(state[name].equal(states[0][name]) for name in states[0])
    other = build_network(replace(base, seed=1)).state_dict()
    assert not other["areas.0.weight"].equal(states[0]["areas.0.weight"])


def test_settings_reach_the_areas() -> None:
    network = build_network(
        StreamConfig(
            neuron="strict_burst", simulation="stepped", units=(5,), window=30.0, settle=10.0,
            rho=7.0, copies=3, tau_basal=20.0, retro="free",
        )
    )  # fmt: skip
    area = network.area(0)
    assert isinstance(area.port, StrictBurstPort)
    assert (area.port.rho, area.copies, area.steps, area.retro) == (7.0, 3, 40, "free")
    assert area.basal_decay > 0
    assert build_network(StreamConfig(neuron="rate", settle=9.0, tau_basal=9.0)).steps == 1
    with pytest.raises(ValueError, match="tau_basal"):
        build_network(StreamConfig(tau_basal=20.0))
