"""The interchange form: what it refuses, and equality by value."""

from dataclasses import replace

import numpy as np
import pytest

from clapp_snn.export.canonical import Network, same_network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense, Flatten, Layer, SumPool
from tests.export.networks import conv, dense


def test_shapes_of_a_chain() -> None:
    network = conv()
    assert [layer.output_shape for layer in network.layers] == [
        (4, 8, 8),
        (4, 8, 8),
        (4, 4, 4),
        (6, 2, 2),
        (6, 2, 2),
        (24,),
        (10,),
        (10,),
    ]
    assert network.neurons == 256 + 24 + 10
    assert [len(stage.before) for stage in network.stages] == [0, 1, 1]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="dense layer are not finite"):
        Dense(np.array([[1.0, value]]), np.zeros(1))
    with pytest.raises(ValueError, match="bias of a dense layer are not finite"):
        Dense(np.ones((1, 2)), np.array([value]))
    with pytest.raises(ValueError, match="threshold"):
        LIF((2,), 1.0, value)


@pytest.mark.parametrize("beta", [0.0, -0.1, 1.1, np.nan])
def test_impossible_decays(beta: float) -> None:
    with pytest.raises(ValueError, match="beta must lie"):
        LIF((2,), beta)


def test_impossible_layers() -> None:
    with pytest.raises(ValueError, match="as many biases"):
        Dense(np.ones((2, 3)), np.zeros(3))
    with pytest.raises(ValueError, match="2 axes"):
        Dense(np.ones(3), np.zeros(3))
    with pytest.raises(ValueError, match="3 channels do not fit an input of 2"):
        Conv2d(np.ones((1, 3, 3, 3)), np.zeros(1), (1, 1), (1, 1), (2, 4, 4))
    with pytest.raises(ValueError, match="do not fit on a map"):
        Conv2d(np.ones((1, 1, 5, 5)), np.zeros(1), (1, 1), (0, 0), (1, 4, 4))
    with pytest.raises(ValueError, match="stride needs whole numbers of at least 1"):
        Conv2d(np.ones((1, 1, 3, 3)), np.zeros(1), (0, 1), (0, 0), (1, 4, 4))
    with pytest.raises(ValueError, match="do not tile"):
        SumPool(3, (1, 4, 4))
    with pytest.raises(ValueError, match="4 x 4 recurrent weights"):
        LIF((4,), recurrent=Dense(np.ones((4, 3)), np.zeros(4)))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), "at least one layer"),
        ((Dense(np.ones((2, 3)), np.zeros(2)),), "ends with neurons"),
        ((LIF((3,)),), "needs a dense or convolutional synapse"),
        ((Dense(np.ones((2, 3)), np.zeros(2)), LIF((3,))), "takes 3 inputs, but 2 arrive"),
        (
            (Dense(np.ones((3, 3)), np.zeros(3)), Flatten((3,)), LIF((3,))),
            "Only neurons may follow",
        ),
    ],
)
def test_impossible_chains(layers: tuple[Layer, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Network((3,), layers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dt": 0.0}, "time step"),
        ({"dt": np.nan}, "time step"),
        ({"name": "a.b"}, "name"),
        ({"name": ""}, "name"),
        ({"metadata": {"x": np.nan}}, "JSON"),
        ({"metadata": {"x": object()}}, "JSON"),
    ],
)
def test_impossible_networks(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(dense(), **change)


def test_equality_is_by_value() -> None:
    assert same_network(conv(recurrent=True), conv(recurrent=True))
    assert not same_network(conv(), dense())
    assert not same_network(dense(0.9), dense(0.8))
    assert not same_network(dense(), dense(recurrent=True))
    assert not same_network(dense(), dense(seed=1))
    assert not same_network(dense(), replace(dense(), metadata={}))
    assert not same_network(dense(), replace(dense(), dt=2.0))


def test_weights_are_copies_that_nobody_can_change() -> None:
    weight = np.ones((2, 3))
    layer = Dense(weight, np.zeros(2))
    weight[:] = 5
    assert (layer.weight == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        layer.weight[0, 0] = 2


@pytest.mark.parametrize("side", [float("nan"), float("inf"), 2.5, 0])
def test_shapes_are_whole_numbers(side: float) -> None:
    with pytest.raises(ValueError, match="needs whole numbers"):
        LIF((4, side))  # type: ignore[arg-type]
