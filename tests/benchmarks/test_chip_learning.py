"""Cells of the chip learning benchmark: what is exported learns, and read-outs see its weights."""

import numpy as np
import pytest
import torch

from benchmarks import chip_learning
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.training.stream_build import build_network

SEED, GLANCES = 1, 8


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Basal weights of the networks that read-outs would have seen."""
    seen: list[torch.Tensor] = []

    def keep(network: StreamHierarchy, *_: object) -> dict[str, float]:
        seen.append(network.area(0).weight.detach().clone())
        return {"linear1": 0.0}

    monkeypatch.setattr(chip_learning, "probes", keep)
    monkeypatch.setattr(chip_learning, "CALIBRATION", GLANCES)
    return seen


def test_cells_begin_with_the_same_weights_and_learn(weights: list[torch.Tensor]) -> None:
    values = chip_learning.measure("chip", SEED, GLANCES)
    chip_learning.measure("start", SEED, GLANCES)
    chip_learning.measure("untrained", SEED, GLANCES)
    *parts, start, untrained = weights
    assert len(parts) == chip_learning.PARTS
    assert values["linear@8"] == 0.0
    assert 0 < values["active"] < 100
    # Conversion multiplies all weights of a layer, so that spikes of neurons without memory are as many.
    factor = (start * untrained).sum() / (untrained**2).sum()
    assert 1 <= factor < 1.5
    step = start.abs().max() / 31
    assert (start - factor * untrained).abs().max() < 1.5 * step
    moved = (parts[-1] - start).abs()
    assert (moved > 0).double().mean() > 0.1
    assert moved.max() < 10 * step


def test_the_float_cell_is_the_local_rule(weights: list[torch.Tensor]) -> None:
    chip_learning.measure("float", SEED, GLANCES)
    before = build_network(chip_learning.configuration(SEED)).area(0).weight
    assert not torch.equal(weights[0], before)


def test_glances_are_shared_and_within_the_input_range() -> None:
    seen = chip_learning.glances(SEED, GLANCES)
    assert chip_learning.glances(SEED, GLANCES) is seen
    x = np.stack([each for each, _ in seen])
    assert x.shape == (GLANCES, 64)
    assert 0 <= x.min() < x.max() <= 1
    assert {same for _, same in seen} == {True, False}
