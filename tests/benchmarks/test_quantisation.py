"""What the cells of the quantisation benchmark do to weights; accuracy is left out."""

from collections.abc import Iterator

import pytest
import torch

from benchmarks import quantisation
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.export.quantised_learning import matrices

SEED, WINDOWS = 1, 8


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[StreamHierarchy]]:
    """The networks that read-outs would have seen."""
    seen: list[StreamHierarchy] = []

    def keep(network: StreamHierarchy, *_: object) -> dict[str, float]:
        seen.append(network)
        return {}

    monkeypatch.setattr(quantisation, "probes", keep)
    quantisation.learned.cache_clear()
    yield seen
    quantisation.learned.cache_clear()


def weights(network: StreamHierarchy) -> list[torch.Tensor]:
    return [each for area in network.areas for each in matrices(area.parameters())]


def test_conditions_hold_few_levels_and_learn(networks: list[StreamHierarchy]) -> None:
    for condition in ("float", "untrained", "inference-2", "finetuning-2", "learning-2"):
        quantisation.measure(condition, SEED, WINDOWS)
    learned, untrained, inference, fine, scratch = map(weights, networks)
    assert all(not torch.equal(a, b) for a, b in zip(learned, untrained, strict=True))
    for network in (inference, fine, scratch):
        assert all(len(each.unique()) == 3 for each in network)
    assert any(not torch.equal(a, b) for a, b in zip(inference, fine, strict=True))
    for before, after in zip(untrained, scratch, strict=True):
        rounded = torch.where(after == 0, 0.0, before.sign() * after.abs())
        assert (rounded == after).float().mean() > 0.5
