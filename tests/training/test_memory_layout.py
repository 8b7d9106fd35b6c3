"""Fused Adam ignores strides: updates must lie in memory as the weights do."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.network import AreaUpdate
from clapp_snn.methods import get_method
from clapp_snn.randomness import generator
from clapp_snn.training.build import image_network
from clapp_snn.training.critical_periods import SequentialLearner
from clapp_snn.training.learner import LocalLearner, laid_out_as
from tests.training import tiny


def turned(change: Tensor) -> Tensor:
    """The same values, the first axis innermost in memory."""
    return change.movedim(0, -1).contiguous().movedim(-1, 0)


def learned(
    kind: type[LocalLearner], elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> list[Tensor]:
    network = image_network(get_method("clapp-s"), 1 / 64)
    network.reset_parameters(seed=1)
    everywhere, alone = network.learn, network.learn_area

    def move(update: AreaUpdate) -> AreaUpdate:
        return update._replace(changes=[(p, turned(change)) for p, change in update.changes])

    def learn(*given: object) -> Iterator[AreaUpdate]:
        return (move(update) for update in everywhere(*given))  # type: ignore[arg-type]

    if elsewhere:
        monkeypatch.setattr(network, "learn", learn)
        monkeypatch.setattr(network, "learn_area", lambda *given: move(alone(*given)))
    learner = kind(network, 1e-3, 4, tiny.SINGLE)  # type: ignore[arg-type]
    for step in range(2):
        images = torch.randn(4, 1, 64, 64, generator=generator(step, "images"))
        learner.step(images, None, lambda m, k, s=step: [generator(s, "saccade", m, k)])  # type: ignore[misc]
    return [parameter.detach() for parameter in network.parameters()]


@pytest.mark.parametrize("kind", [LocalLearner, SequentialLearner])
def test_where_an_update_lies_in_memory_does_not_matter(
    kind: type[LocalLearner], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = learned(kind, False, monkeypatch)
    moved = learned(kind, True, monkeypatch)
    assert all(torch.equal(a, b) for a, b in zip(plain, moved, strict=True))


def test_equal_strides_are_not_copied() -> None:
    parameter = torch.nn.Parameter(torch.zeros(3, 4, 5))
    change = torch.ones(3, 4, 5)
    assert laid_out_as(parameter, change) is change
    copied = laid_out_as(parameter, turned(change))
    assert copied.stride() == parameter.stride()
