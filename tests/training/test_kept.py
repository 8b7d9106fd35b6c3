"""Networks that come with the package: they load, their card says what they do, and they still do it."""

import re

import pytest
import torch

from clapp_snn.circuit.fast_window import FastHierarchy
from clapp_snn.circuit.ports import LinearLIFPort
from clapp_snn.evaluation.cache import CachedFeatures
from clapp_snn.evaluation.stream_probe import probe_glances
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.randomness import generator
from clapp_snn.stimuli.digits import DigitSet, open_digits
from clapp_snn.training.kept import open_kept
from clapp_snn.training.stream_build import build_network


def row(card: str, weights: str, area: int) -> list[float]:
    """Linear, 5-shot and local accuracy of the card's table."""
    (found,) = re.findall(rf"^\| {weights} \| {area} \|(.*)\|$", card, re.MULTILINE)
    return [float(cell) for cell in found.split("|")]


def test_the_network_of_hardware_export_is_small_and_of_lif_neurons() -> None:
    network, config, card = open_kept("lif_digits")
    assert len(network.areas) == 2
    for index in range(2):
        area = network.area(index)
        assert type(area.neuron) is TwoCompartmentLIF
        assert type(area.port) is LinearLIFPort
        assert area.basal_decay == 0, "weights alone, no synaptic filter"
    assert config.data == "digits"
    assert "CC BY 4.0" in card
    before = build_network(config).state_dict()
    assert all(not torch.equal(before[name], each) for name, each in network.state_dict().items())


def test_its_read_outs_are_those_of_its_card() -> None:
    """One view of a test digit instead of three: 597 digits, two standard errors are 3 to 4 points."""
    network, config, card = open_kept("lif_digits")
    digits = open_digits(config.seed)
    fast = FastHierarchy(network)

    def look(part: DigitSet, name: str) -> dict[int, torch.Tensor]:
        views = [generator(config.seed, "probe glance", name, k) for k in range(len(part))]
        x = part.views(torch.arange(len(part)), views).flatten(1)
        states = fast.window(x, network.initial_state(len(part)), [None, None])
        counts = [state.sums.z / network.area(0).detector.steps for state in states]
        return dict(enumerate((x, *counts)))

    train, test = look(digits.train, "train"), look(digits.test, "test")
    cache = CachedFeatures(train, digits.train.labels, test, digits.test.labels, 10, 0)
    for scores, column in zip(probe_glances(cache, config.seed), (0, 1), strict=True):
        for area in (1, 2):
            assert scores[area].accuracy == pytest.approx(row(card, "trained", area)[column], abs=4)
            assert scores[area].accuracy > row(card, "untrained", area)[column] + 8


def test_other_names_are_refused() -> None:
    with pytest.raises(ValueError, match="there is: lif_digits"):
        open_kept("nobody")
