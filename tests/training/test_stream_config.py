"""The record of a run on a stream: written, read, compared, refused."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clapp_snn.circuit.ports import LIFPort, LinearLIFPort, StrictBurstPort
from clapp_snn.run_files import STREAM_CONFIG
from clapp_snn.training.build import build_hierarchy
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import (
    StreamConfig,
    read_stream_config,
    require_same_stream,
    write_stream_config,
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    config = StreamConfig(
        out=tmp_path / "a", units=(5, 6), rho=30.0, retro="free", data="events",
        source=tmp_path / "b", fold=2,
    )  # fmt: skip
    write_stream_config(tmp_path, config)
    assert read_stream_config(tmp_path) == config
    with pytest.raises(FileNotFoundError, match="no run on a stream"):
        read_stream_config(tmp_path / "elsewhere")


@pytest.mark.parametrize("text", ["[1, 2]", "bach: 3", "units: 3", "a: [", ""])
def test_what_is_no_record_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / STREAM_CONFIG).write_text(text)
    with pytest.raises(ValueError, match=STREAM_CONFIG):
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
        ({"tau_eligibility": 0.0, "simulation": "stepped"}, "tau_eligibility must be positive"),
        ({"tau_eligibility": 50.0}, "simulation='stepped'"),
        ({"tau_eligibility": 50.0, "neuron": "rate"}, "one step"),
        ({"post_factor": "burst", "neuron": "rate"}, "no bursts"),
        ({"method": "bach"}, "Unknown method 'bach'; choose one of: clapp"),
        ({"method": "lpl"}, "'lpl' cannot learn from a stream: it does not tell"),
        ({"method": "clapp-fb", "retro": "free"}, "retro='free' is for method 'clapp'"),
        ({"method": "clapp-fb", "ablation": "no_gate"}, "ablations are of method 'clapp'"),
        ({"data": "events"}, "'events' needs a source"),
        ({"source": Path("x")}, "embedded and take no source"),
        ({"fold": 0}, "only events and sounds have folds"),
        ({"data": "sounds", "source": Path("x"), "fold": 5}, "counted from 0, not 5 of 5"),
        ({"data": "sounds", "source": Path("x"), "folds": 1}, "at least two"),
        ({"encoder": "vgg6"}, "vgg6 takes images or events, not digits"),
        (
            {"data": "events", "source": Path("x"), "encoder": "vgg6", "resolution": "full"},
            "vgg6 takes pooled events",
        ),
        ({"width": 0.0, "glance": 0}, "width must be positive.*glance must be at least 1"),
        ({"soma": "linear"}, "only the lif neuron has a linear soma"),
    ],
)
def test_impossible_records_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StreamConfig(**options)


@pytest.mark.parametrize(
    ("field", "value"),
    [("neuron", "event-burst"), ("engine", "gpu"), ("data", "Digits"), ("rule", "lion")],
)
def test_unknown_names_are_refused(field: str, value: str) -> None:
    """They would otherwise be taken for the last kind that there is."""
    with pytest.raises(ValueError, match=f"{field} is one of .*, not '{value}'"):
        StreamConfig(**{field: value})  # type: ignore[arg-type]


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


def test_l0_is_driven_as_asked() -> None:
    base = StreamConfig(neuron="lif", simulation="stepped", units=(5,), window=20.0, rho=90.0)
    for soma, port in (("calibrated", LIFPort), ("linear", LinearLIFPort)):
        made = build_network(replace(base, soma=soma)).area(0).port
        assert type(made) is port
        assert made.rho == 90.0


def test_what_a_file_leaves_out_keeps_its_default(tmp_path: Path) -> None:
    (tmp_path / STREAM_CONFIG).write_text("batch: 3\nunits: [4]\n")
    assert read_stream_config(tmp_path) == StreamConfig(batch=3, units=(4,))


@pytest.mark.parametrize("neuron", ["rate", "event_burst"])
@pytest.mark.parametrize("color", [False, True])
def test_encoders_start_as_in_rate_mode(neuron, color: bool) -> None:
    config = StreamConfig(
        data="images",
        encoder="vgg6",
        width=1 / 64,
        color=color,
        seed=3,
        neuron=neuron,
        retro="free",
    )
    network = build_network(config)
    other = TrainConfig(method="clapp", width=1 / 64, color=color, seed=3)
    hierarchy, _ = build_hierarchy(other, torch.device("cpu"), 10)
    for index in range(6):
        area, layer = network.area(index), hierarchy.encoder.layer(index)
        assert area.weight.equal(layer.weight)
        assert area.bias.equal(layer.bias)
        assert area.W_pred.equal(hierarchy.area(index).W_pred[0])
        assert not area.weight.requires_grad


def test_folders_of_folds_differ() -> None:
    base = StreamConfig(data="sounds", source=Path("x"), fold=1)
    assert base.folder() == Path("runs/stream-sounds-event_burst-f1-s0")
    assert replace(base, fold=None).folder() == Path("runs/stream-sounds-event_burst-s0")


def test_plasticity_options_reach_every_area() -> None:
    config = StreamConfig(
        units=(5, 4), window=50.0, simulation="stepped", post_factor="burst", tau_eligibility=20.0
    )
    network, plain = build_network(config), build_network(StreamConfig(units=(5, 4)))
    for index in range(2):
        area = network.area(index)
        assert (area.post_factor, area.by_bursts) == ("burst", True)
        assert area.decay == pytest.approx(math.exp(-1 / 20))
        assert (plain.area(index).post_factor, plain.area(index).decay) == ("drive", 1)
