"""Quantisation of weights, and learning on a grid."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense, SumPool
from clapp_snn.export.quantise import largest_level, quantise, quantised_network, round_to
from clapp_snn.export.quantised_learning import Grid
from clapp_snn.neurons.rate import Rate

WEIGHTS = arrays(np.float64, (3, 5), elements=st.floats(-10, 10, allow_nan=False, width=32))


@settings(max_examples=50)
@given(WEIGHTS, st.integers(2, 10))
def test_levels_lie_in_range_and_errors_stay_below_half_a_step(
    weight: np.ndarray, bits: int
) -> None:
    found = quantise(weight, bits)
    most = 2 ** (bits - 1) - 1
    assert np.abs(found.values).max() <= most
    clipped = np.clip(weight, -most * found.scale, most * found.scale)
    assert np.abs(found.weight - clipped).max() <= found.scale / 2 * (1 + 1e-9)


@settings(max_examples=30)
@given(WEIGHTS, st.sampled_from([0.25, 3.0, 100.0]))
def test_the_scale_follows_that_of_the_weights(weight: np.ndarray, factor: float) -> None:
    one, other = quantise(weight, 4), quantise(factor * weight, 4)
    np.testing.assert_allclose(other.weight, factor * one.weight, rtol=1e-6, atol=1e-9)


def test_no_other_scale_of_a_fine_search_is_much_better() -> None:
    weight = np.random.default_rng(0).standard_t(3, (40, 50))
    for bits in (2, 4, 6):
        found = quantise(weight, bits)
        error = ((found.weight - weight) ** 2).sum()
        others = np.abs(weight).max() / largest_level(bits) * np.linspace(0.2, 1, 1000)
        best = min(((s * round_to(weight, s, bits) - weight) ** 2).sum() for s in others)
        assert best <= error <= 1.02 * best
        plain = np.abs(weight).max() / largest_level(bits)
        assert error < ((plain * round_to(weight, plain, bits) - weight) ** 2).sum()


def test_inputs_weigh_errors_by_what_they_cause() -> None:
    rng = np.random.default_rng(1)
    weight = rng.normal(0, 1, (20, 10)) * np.array([10.0] + [1.0] * 9)
    inputs = rng.normal(0, 1, (200, 10)) * np.array([0.0] + [1.0] * 9)
    blind, informed = quantise(weight, 3), quantise(weight, 3, inputs)

    def error(found: np.ndarray) -> float:
        return float((((found - weight) @ inputs.T) ** 2).sum())

    assert error(informed.weight) < 0.5 * error(blind.weight)


def test_two_bits_are_three_levels_and_zero_stays_zero() -> None:
    found = quantise(np.random.default_rng(2).normal(0, 1, (30, 30)), 2)
    assert set(np.unique(found.values)) == {-1, 0, 1}
    assert quantise(np.zeros((2, 2)), 8).scale == 1


def test_a_network_keeps_all_but_its_weights() -> None:
    rng = np.random.default_rng(3)
    conv = Conv2d(rng.normal(0, 1, (2, 1, 3, 3)), rng.normal(0, 1, 2), (1, 1), (1, 1), (1, 4, 4))
    back = Dense(rng.normal(0, 1, (8, 8)), np.zeros(8))
    pooled = Conv2d(rng.normal(0, 1, (2, 2, 1, 1)), np.zeros(2), (1, 1), (0, 0), (2, 2, 2))
    layers = (conv, LIF((2, 4, 4)), SumPool(2, (2, 4, 4)), pooled, LIF((2, 2, 2), recurrent=back))
    found = quantised_network(Network((1, 4, 4), layers), 3).layers
    assert isinstance(found[0], Conv2d)
    assert len(np.unique(found[0].weight)) <= 7
    np.testing.assert_array_equal(found[0].bias, conv.bias)
    assert found[2] == layers[2]
    assert isinstance(found[4], LIF)
    assert found[4].recurrent is not None
    assert len(np.unique(found[4].recurrent.weight)) <= 7


@pytest.mark.parametrize("bits", [1, 17])
def test_impossible_bits_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="2 to 16 bits"):
        quantise(np.ones((2, 2)), bits)


def test_bad_weights_and_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        quantise(np.array([[np.nan]]), 8)
    with pytest.raises(ValueError, match="3 columns"):
        quantise(np.ones((2, 3)), 8, np.ones((5, 2)))


def hierarchy() -> StreamHierarchy:
    network = StreamHierarchy([StreamArea(6, 5, Rate(dt=1.0), window=1.0)])
    network.reset_parameters(4)
    return network.requires_grad_(False)


def levels(weight: torch.Tensor, scale: float) -> torch.Tensor:
    return (weight / scale).round()


def test_weights_are_on_the_grid_and_biases_are_not_touched() -> None:
    network = hierarchy()
    area = network.area(0)
    bias = area.bias.clone()
    grid = Grid(network, 4, room=2.0)
    area.weight.add_(0.01)
    grid.round(torch.Generator().manual_seed(0))
    for weight, scale in zip(grid.weights, grid.scales, strict=True):
        assert float((weight / scale - levels(weight, scale)).abs().max()) < 1e-4
        assert float(levels(weight, scale).abs().max()) <= 7
    assert {id(each) for each in grid.weights} == {id(area.weight), id(area.W_pred)}
    assert torch.equal(area.bias, bias)


def test_stochastic_rounding_is_unbiased() -> None:
    """A weight 0.3 levels up ends there with probability 0.3: binomial, 4.5 standard errors."""
    network = hierarchy()
    grid = Grid(network, 8)
    area = network.area(0)
    before = area.weight.clone()
    index = next(k for k, each in enumerate(grid.weights) if each is area.weight)
    step, random = 0.3 * grid.scales[index], torch.Generator().manual_seed(1)
    inner = before.abs() < 126 * grid.scales[index]
    ups = []
    for _ in range(400):
        area.weight.copy_(before + step)
        grid.round(random)
        ups.append(((area.weight - before) / grid.scales[index]).round()[inner])
    up = torch.stack(ups)
    assert set(up.unique().tolist()) == {0.0, 1.0}
    assert abs(float(up.mean()) - 0.3) < 4.5 * (0.3 * 0.7 / up.numel()) ** 0.5


def test_a_grid_needs_room() -> None:
    with pytest.raises(ValueError, match="room"):
        Grid(hierarchy(), 8, room=0.0)
