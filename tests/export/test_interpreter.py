"""The judge beside plain loops, PyTorch and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense
from clapp_snn.export.interpreter import correlate, run, trace
from tests.export.networks import conv, dense, spikes


def by_loops(network: Network, x: np.ndarray) -> list[np.ndarray]:
    """Dense layers, one neuron after another."""
    found = []
    for stage in network.stages:
        weight, bias, layer = stage.synapse.weight, stage.synapse.bias, stage.neurons
        z = np.zeros((len(x), len(weight)), bool)
        v = np.zeros(len(weight))
        for t in range(len(x)):
            for i in range(len(weight)):
                now = bias[i] + sum(weight[i, j] for j in np.flatnonzero(x[t]))
                if layer.recurrent is not None:
                    past = z[t - 1] if t else np.zeros(len(weight), bool)
                    now += layer.recurrent.bias[i]
                    now += sum(layer.recurrent.weight[i, j] for j in np.flatnonzero(past))
                v[i] = layer.beta * v[i] + now
                z[t, i] = v[i] > layer.threshold
                v[i] = 0.0 if z[t, i] else v[i]
        found.append(z)
        x = z
    return found


@pytest.mark.parametrize("beta", [0.9, 1.0])
@pytest.mark.parametrize("recurrent", [False, True])
def test_dense_layers_by_loops(beta: float, recurrent: bool) -> None:
    network = dense(beta, recurrent)
    x = spikes(network, steps=60, samples=1)[:, 0]
    for ours, theirs in zip(run(network, x), by_loops(network, x), strict=True):
        assert (ours != theirs).sum() == 0
        assert 0.02 < ours.mean() < 0.9


@pytest.mark.parametrize(("stride", "padding"), [((1, 1), (1, 1)), ((2, 1), (0, 2))])
def test_convolution_by_torch(stride: tuple[int, int], padding: tuple[int, int]) -> None:
    r = np.random.default_rng(0)
    kernels, maps = r.normal(size=(5, 3, 3, 2)), r.normal(size=(4, 3, 7, 6))
    layer = Conv2d(kernels, np.zeros(5), stride, padding, (3, 7, 6))
    ours = correlate(maps, kernels, layer)
    theirs = torch.nn.functional.conv2d(
        torch.from_numpy(maps), torch.from_numpy(kernels), stride=stride, padding=padding
    )
    assert ours.shape[1:] == layer.output_shape
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-12, atol=1e-12)


def test_convolution_of_whole_numbers_stays_whole() -> None:
    layer = Conv2d(np.ones((1, 1, 2, 2)), np.zeros(1), (1, 1), (0, 0), (1, 3, 3))
    found = correlate(np.ones((1, 1, 3, 3), np.int64), np.full((1, 1, 2, 2), 3, np.int64), layer)
    assert found.dtype == np.int64
    assert (found == 12).all()


@pytest.mark.parametrize("network", [dense(recurrent=True), conv(recurrent=True)])
def test_samples_side_by_side_are_samples_alone(network: Network) -> None:
    x = spikes(network, steps=30)
    together = run(network, x)
    for sample in range(x.shape[1]):
        for one, all_ in zip(run(network, x[:, sample]), together, strict=True):
            assert (one == all_[:, sample]).all()


def test_single_precision_gives_the_same_spikes() -> None:
    network = conv(recurrent=True)
    x = spikes(network)
    for one, other in zip(run(network, x), run(network, x, "float32"), strict=True):
        assert (one != other).sum() == 0


@settings(deadline=None, max_examples=30)
@given(drive=st.floats(0.01, 0.99), beta=st.one_of(st.just(1.0), st.floats(0.5, 0.999)))
def test_period_of_a_constant_drive(drive: float, beta: float) -> None:
    """Closed form: v_n = I (1 - beta^n) / (1 - beta), or I n, first above 1."""
    network = Network((1,), (Dense(np.zeros((1, 1)), np.array([drive])), LIF((1,), beta)))
    z = run(network, np.zeros((250, 1), bool))[0][:, 0]
    n = np.arange(1, 251)
    v = drive * n if beta == 1 else drive * (1 - beta**n) / (1 - beta)
    if np.abs(v - 1).min() < 1e-9:
        return  # on the edge, rounding decides
    period = int(np.argmax(v > 1)) + 1 if (v > 1).any() else 251
    expected = np.zeros(250, bool)
    expected[period - 1 :: period] = True
    assert (z == expected).all()


def test_voltages_are_those_before_reset() -> None:
    network = dense()
    found = trace(network, spikes(network))
    for z, v, stage in zip(found.spikes, found.voltages, network.stages, strict=True):
        assert ((v > stage.neurons.threshold) == z).all()


def test_input_that_does_not_fit() -> None:
    network = dense()
    with pytest.raises(ValueError, match="whole numbers or booleans, not float64"):
        run(network, np.zeros((5, 12)))
    with pytest.raises(ValueError, match=r"not shape \(5, 11\)"):
        run(network, np.zeros((5, 11), bool))
    with pytest.raises(ValueError, match="precision"):
        run(network, np.zeros((5, 12), bool), "float16")  # type: ignore[arg-type]
