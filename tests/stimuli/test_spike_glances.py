"""Encoded glances against their definition: the views of the objects, at the rate of their values."""

from collections.abc import Sequence

import torch

from clapp_snn.randomness import generator
from clapp_snn.stimuli.digits import open_digits
from clapp_snn.stimuli.spike_glances import EncodedGlances

DIGITS = open_digits(0, 300).train


def streams(count: int) -> list[torch.Generator]:
    return [generator(0, "spike glances", number) for number in range(count)]


def test_encoded_views_are_those_of_the_objects() -> None:
    """Spikes follow the jittered digit of the same generator, at its rate (4.5 standard errors)."""
    indices, steps = torch.arange(6), 2000
    encoded = EncodedGlances(DIGITS, steps, probability=0.5)
    spikes = encoded.views(indices, streams(6))
    assert spikes.shape == (6, steps, 8, 8)
    assert set(spikes.unique().tolist()) == {0.0, 1.0}
    p = 0.5 * DIGITS.views(indices, streams(6))
    assert ((spikes.mean(1) - p).abs() <= 4.5 * (p * (1 - p) / steps).sqrt()).all()
    assert len(encoded) == 300
    assert encoded.labels is DIGITS.labels


def test_encoded_views_do_not_depend_on_the_batch() -> None:
    encoded = EncodedGlances(DIGITS)
    both = encoded.views(torch.tensor([3, 7]), streams(2))
    assert torch.equal(encoded.views(torch.tensor([7]), streams(2)[1:]), both[1:])


class Corners:
    """Two looks at a digit: its upper and its lower half, and both as the raw input."""

    looks, labels = 2, DIGITS.labels

    def __len__(self) -> int:
        return 300

    def views(self, indices: torch.Tensor, generators: Sequence[torch.Generator]) -> torch.Tensor:
        return DIGITS.images[indices, :4]

    def inspect(self, indices: torch.Tensor, generators: Sequence[torch.Generator]) -> torch.Tensor:
        return DIGITS.images[indices].unflatten(1, (2, 4))

    def raw(self, seen: torch.Tensor) -> torch.Tensor:
        return seen.flatten(1)


def test_all_looks_are_encoded_in_their_place() -> None:
    """Full ink spikes at every step with probability 1, no ink never; raw input is the mean over time."""
    encoded = EncodedGlances(Corners(), 40, probability=1.0)
    indices = torch.arange(5)
    seen = encoded.inspect(indices, streams(5))
    assert seen.shape == (5, 2, 40, 4, 8)
    shown = DIGITS.images[indices].unflatten(1, (2, 4))[:, :, None].expand(seen.shape)
    assert bool((seen[shown == 0] == 0).all())
    assert bool((seen[shown == 1] == 1).all())
    raw = encoded.raw(seen)
    torch.testing.assert_close(raw, seen.mean(2).flatten(1))
    p = DIGITS.images[indices].flatten(1)
    assert ((raw - p).abs() <= 4.5 * (p * (1 - p) / 40).sqrt() + 1e-6).all()
