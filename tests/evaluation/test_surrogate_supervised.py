"""Supervised surrogate gradients: against a plain snnTorch loop, on learnable data, bad input."""

from collections.abc import Sequence

import pytest
import torch
from snntorch import Leaky
from snntorch.surrogate import fast_sigmoid
from torch import Tensor

from clapp_snn.evaluation.spike_counts import cache_counts
from clapp_snn.evaluation.surrogate_supervised import SurrogateNetwork, train_supervised
from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.randomness import generator
from clapp_snn.stimuli.digits import DigitSet, open_digits
from clapp_snn.stimuli.glances import GlanceStream
from clapp_snn.stimuli.spike_glances import EncodedGlances

SIZES = (12, 9, 7)


def inputs() -> Tensor:
    return torch.rand(5, 8, 12, generator=generator(3, "x"))


def step_by_step(network: SurrogateNetwork, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The usual snnTorch loop: all layers in one time step, then the next step."""
    neurons = [Leaky(beta=0.9, spike_grad=fast_sigmoid(slope=5.0)) for _ in network.layers]
    membranes = [leaky.init_leaky() for leaky in neurons]
    totals = [torch.zeros(())] * len(neurons)
    for now in x.unbind(1):
        for index, (layer, leaky) in enumerate(zip(network.layers, neurons, strict=True)):
            now, membranes[index] = leaky(layer(now), membranes[index])
            totals[index] = totals[index] + now
    return network.readout(totals[-1]), totals


def test_spikes_and_gradients_are_those_of_the_plain_loop() -> None:
    network = SurrogateNetwork(SIZES, 4, 1)
    target = torch.tensor([0, 1, 2, 3, 0])
    gradients = []
    for logits in (network(inputs()), step_by_step(network, inputs())[0]):
        network.zero_grad()
        torch.nn.functional.cross_entropy(logits, target).backward()
        gradients.append([p.grad.clone() for p in network.parameters() if p.grad is not None])
    assert len(gradients[0]) == 6
    for found, expected in zip(*gradients, strict=True):
        assert expected.abs().max() > 0
        torch.testing.assert_close(found, expected)
    for found, expected in zip(
        network.counts(inputs()), step_by_step(network, inputs())[1], strict=True
    ):
        assert torch.equal(found, expected)
        assert expected.sum() > 0


class Blocks:
    """Three classes, each a third of 12 inputs that spike in 60 % of five steps, against 20 %."""

    labels = torch.arange(30) % 3

    def __len__(self) -> int:
        return 30

    def views(self, indices: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        own = self.labels[indices, None] == torch.arange(12) // 4
        draws = torch.stack([torch.rand(5, 12, generator=each) for each in generators])
        return (draws < torch.where(own, 0.6, 0.2)[:, None]).float()


def test_it_learns_and_equal_seeds_give_equal_weights() -> None:
    """Chance is 1/3; the counts of 20 spikes at 0.6 against 40 at 0.2 tell almost all classes apart."""
    networks = []
    for _ in range(2):
        network = SurrogateNetwork((12, 10), 3, 1)
        stream = GlanceStream(Blocks(), range(10), 0)
        curve = [each.accuracy for each in train_supervised(network, stream, 80, 1e-2)]
        networks.append(network)
    assert sum(curve[:5]) / 5 < 0.6 < 0.8 < sum(curve[-20:]) / 20
    for a, b in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        assert torch.equal(a, b)


def test_counts_are_cached_for_probes() -> None:
    """One glance at every training object, several at every test object, raw input counts as layer 0."""
    digits = open_digits(0, 40)
    train = EncodedGlances(digits.train)
    test = EncodedGlances(DigitSet(digits.test.images[:30], digits.test.labels[:30]))
    network = SurrogateNetwork((64, 6), 10, 1)
    cache = cache_counts(network.counts, train, test, 5)
    assert cache.train[0].shape == (40, 64)
    assert cache.test[1].shape == (90, 6)
    assert torch.equal(cache.test_labels, digits.test.labels[:30].repeat(3))
    stream = generator(5, "probe glance", "test", 30)
    first = test.views(torch.tensor([0]), [stream])
    torch.testing.assert_close(cache.test[0][30], first.mean(1).flatten(1)[0])
    assert torch.equal(cache.test[1][30], network.counts(first)[0][0])
    again = cache_counts(network.counts, train, test, 5)
    assert torch.equal(again.train[1], cache.train[1])


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="no network"):
        SurrogateNetwork((12,), 4, 1)
    unlabelled = EncodedGlances(open_digits(0, 40).train)
    unlabelled.objects = type("Views", (), {"labels": None, "__len__": lambda self: 40})()
    stream = GlanceStream(unlabelled, [0], 0)
    with pytest.raises(ValueError, match="labelled"):
        next(train_supervised(SurrogateNetwork((64, 4), 10, 1), stream, 1))
    with pytest.raises(ValueError, match="no labels"):
        cache_counts(lambda x: [], unlabelled, unlabelled, 0)
    network = SurrogateNetwork((64, 4), 10, 1)
    with torch.no_grad():
        network.readout.weight.fill_(torch.nan)
    digits = EncodedGlances(open_digits(0, 40).train)
    with pytest.raises(DivergenceError, match="window 1"):
        next(train_supervised(network, GlanceStream(digits, [0], 0), 1))
