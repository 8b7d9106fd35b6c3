"""A run can be asked for an ablated circuit, and is resumed exactly, too."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clapp_snn.circuit.ablations import Ablation, Dale, ExactScore, OtherGamma
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import StreamConfig
from clapp_snn.training.stream_loop import train_stream

SMALL = StreamConfig(units=(8, 6), window=100.0, batch=4, windows=6, learning_rate=0.01)


def test_the_network_is_ablated_as_asked() -> None:
    intact = build_network(SMALL)
    for name, kind in (("dale", Dale), ("exact_score", ExactScore)):
        network = build_network(replace(SMALL, ablation=name))
        assert all(isinstance(area, kind) for area in network.areas)
        for area, plain in zip(network.areas, intact.areas, strict=True):
            assert torch.equal(area.W_pred, plain.W_pred)
            assert torch.equal(area.weight, plain.weight)
    assert isinstance(build_network(replace(SMALL, ablation="other_gamma")), OtherGamma)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"neuron": "rate", "ablation": "no_gate"}, "dense spiking areas"),
        ({"data": "images", "encoder": "vgg6", "ablation": "no_gate"}, "dense spiking areas"),
        ({"ablation": "single_population"}, "opponent"),
        ({"ablation": "leaky_memory"}, "apical memory"),
        ({"ablation": "other_gamma", "units": (8,)}, "two or more"),
        ({"neuron": "lif", "simulation": "stepped", "ablation": "apical_drives_soma"}, "units"),
    ],
)
def test_impossible_ablations_are_refused(changes: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        build_network(replace(SMALL, **changes))


@pytest.mark.parametrize(
    ("ablation", "simulation"),
    [("exact_plasticity", "drawn"), ("dale", "drawn"), ("leaky_memory", "stepped")],
)
def test_ablated_runs_go_on_exactly(ablation: Ablation, simulation: str, tmp_path: Path) -> None:
    config = replace(SMALL, ablation=ablation, simulation=simulation, window=20.0)  # type: ignore[arg-type]
    whole, parts = (replace(config, out=tmp_path / name) for name in ("whole", "parts"))
    train_stream(whole, quiet=True)
    train_stream(replace(parts, windows=3), quiet=True)
    train_stream(parts, resume=True, quiet=True)
    one, two = (load_checkpoint(run.folder()).model for run in (whole, parts))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["areas.0.weight"], build_network(config).area(0).weight)
