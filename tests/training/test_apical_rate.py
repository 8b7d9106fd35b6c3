"""A learning rate of its own for the synapses onto apical dendrites."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.network import Network
from clapp_snn.methods import get_method
from clapp_snn.modalities.images import IMAGES
from clapp_snn.randomness import generator
from clapp_snn.training.build import image_network
from clapp_snn.training.checkpoint import load_weights
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.learner import make_learner
from clapp_snn.training.loop import train
from tests.training import tiny


def first_change(name: str, apical_rate: float, seed: int) -> tuple[Network, dict[str, Tensor]]:
    """Change of all weights by the first step of Adam."""
    network = image_network(get_method(name), 1 / 64)
    network.reset_parameters(seed=1)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    learner = make_learner(network, 1e-3, 4, tiny.SINGLE, apical_rate)
    images = torch.randn(4, 1, 64, 64, generator=generator(seed, "images"))
    learner.step(images, None, lambda m, k: [generator(seed, "saccade", m, k)])
    after = network.state_dict()
    return network, {key: after[key] - before[key] for key in before}


@pytest.mark.parametrize("name", ["clapp", "clapp-s", "clapp-s-2", "gim-layerwise"])
@pytest.mark.parametrize("rate", [0.25, 8.0])
def test_only_lateral_matrices_learn_faster(name: str, rate: float) -> None:
    """The first step of Adam is proportional to the learning rate."""
    network, plain = first_change(name, 1.0, 0)
    _, scaled = first_change(name, rate, 0)
    lateral = {f"areas.{key}" for key, _ in network.areas.named_parameters()}
    assert lateral
    for key, change in plain.items():
        if key in lateral:
            torch.testing.assert_close(scaled[key], rate * change, rtol=1e-3, atol=1e-7)
            assert change.abs().max() > 5e-4
        else:
            assert torch.equal(scaled[key], change)


def end(out: Path, rates: list[float | None], steps: list[int]) -> dict[str, Tensor]:
    """Weights after a run in parts, each of which is asked for a ratio."""
    data = tiny.dataset()
    for number, (rate, stop) in enumerate(zip(rates, steps, strict=True)):
        config = tiny.config(out, method="clapp", apical_rate=rate, steps=stop)
        train(config, data, tiny.SINGLE, IMAGES, quiet=True, resume=number > 0)
    return load_weights(out)


def test_resume_keeps_the_ratio(tmp_path: Path) -> None:
    whole = end(tmp_path / "whole", [4.0], [6])
    parts = end(tmp_path / "parts", [4.0, 4.0], [3, 6])
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    with pytest.raises(ValueError, match=r"apical_rate: 4.0 -> 2.0"):
        end(tmp_path / "changed", [4.0, 2.0], [3, 6])


def test_decay_keeps_the_ratio() -> None:
    network = image_network(get_method("clapp"), 1 / 64)
    learner = make_learner(network, 1e-3, 4, tiny.SINGLE, 8.0)
    for rate in (1e-3, 2.5e-4):
        learner.set_learning_rate(rate)
        for optimizer in learner.optimizers:
            assert [group["lr"] for group in optimizer.param_groups] == [rate, 8 * rate]


def test_one_is_the_published_setting_bit_for_bit(tmp_path: Path) -> None:
    plain, one = end(tmp_path / "plain", [None], [6]), end(tmp_path / "one", [1.0], [6])
    assert all(torch.equal(plain[key], one[key]) for key in plain)


def test_impossible_ratios_are_refused() -> None:
    for rate in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="apical_rate must be positive and finite"):
            TrainConfig(method="clapp", apical_rate=rate)
    for name in ("supervised", "lpl", "softhebb", "random"):
        with pytest.raises(ValueError, match="has no W_pred"):
            TrainConfig(method=name, apical_rate=2.0)


def test_a_run_is_named_after_it() -> None:
    config = TrainConfig(method="clapp", apical_rate=8.0)
    assert config.variant == "apical-8"
    assert config.folder().name.startswith("clapp-apical-8-photographs")
