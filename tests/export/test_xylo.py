"""Xylo: stored results of xylosim, mapping, limits, files and refusals."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense, Flatten, SumPool
from clapp_snn.export.interpreter import run
from clapp_snn.export.learning import Learning
from clapp_snn.export.target import exceeded
from clapp_snn.export.targets import target
from clapp_snn.export.xylo.mapping import chip_of, nearest_dash
from clapp_snn.export.xylo.network import XyloNetwork
from clapp_snn.export.xylo.simulation import Chip, Neurons, deliver, simulate
from clapp_snn.export.xylo.target import Xylo
from tests.export.xylo_networks import layered

GOLDEN = Path(__file__).parent.parent / "golden" / "xylo.npz"


def dense(*sizes: int, **neurons: float) -> Network:
    """Layers of equal weights."""
    layers: list[Dense | LIF] = []
    for pre, post in pairwise(sizes):
        layers += [Dense(np.ones((post, pre)), np.zeros(post)), LIF((post,), **neurons)]
    return Network((sizes[0],), tuple(layers))


@pytest.mark.parametrize("name", ["fine", "coarse", "saturated"])
def test_the_model_computes_what_xylosim_does(name: str) -> None:
    """Every decay, biases, counts of input beyond 15, hidden counts up to 31, saturation: 0 differences."""
    with np.load(GOLDEN, allow_pickle=False) as file:
        prefix = f"{name}_"
        stored = {
            key.removeprefix(prefix): file[key].astype(np.int64)
            for key in file
            if key.startswith(prefix)
        }
    parts = [
        Neurons(*(stored[f"{part}_{which}"] for part in ("dash_mem", "threshold", "bias")))
        for which in ("hidden", "out")
    ]
    weights = (stored[each] for each in ("w_in", "w_rec", "w_out"))
    settings = (int(stored[each]) for each in ("dash_syn", "weight_shift"))
    trace = simulate(Chip(*weights, *parts, *settings), stored["spikes"][:, None])
    for what, values in trace._asdict().items():
        assert values.any()
        np.testing.assert_array_equal(values[:, 0], stored[what], err_msg=what)


def test_sums_saturate_one_after_another() -> None:
    """30000 + 10000 - 10000 is 22767 in 16 bits, and 30000 the other way round."""
    current = np.full((1, 1), 30_000)
    spikes = np.ones((1, 2), np.int64)
    assert deliver(current, spikes, np.array([[10_000], [-10_000]])) == 22_767
    assert deliver(current, spikes, np.array([[-10_000], [10_000]])) == 30_000


def test_single_spikes_arrive_with_their_whole_weight() -> None:
    """One input spike, one synapse, no leak: the voltage ends at the weight, less losses of 1."""
    network = Network(
        (1,),
        (
            Dense(np.full((1, 1), 0.5), np.zeros(1)),
            LIF((1,)),
            Dense(np.eye(1), np.zeros(1)),
            LIF((1,)),
        ),
    )
    chip, units = chip_of(network)
    spikes = np.zeros((20, 1, 1), np.int64)
    spikes[0] = 1
    trace = simulate(chip, spikes)
    reached = trace.v_hidden.max() * units[0]
    assert reached == pytest.approx(0.5, rel=0.02)


def test_counts_follow_the_float_network() -> None:
    network = layered(0.5, recurrent=False)
    spikes = np.random.default_rng(0).random((400, 6, 16)) < 0.3
    chip, judge = XyloNetwork(network).run(spikes), run(network, spikes)
    for layer, (ours, wanted) in enumerate(zip(chip, judge, strict=True)):
        assert ours.shape == wanted.shape
        assert wanted.any()
        counts = ours.sum(0).ravel(), wanted.sum(0).ravel()
        assert np.corrcoef(*counts)[0, 1] > 0.97, layer


def test_layers_are_as_late_as_promised() -> None:
    """A strong spike travels one layer a step, input included."""
    network = dense(3, 2, 2, threshold=0.3)
    spikes = np.zeros((10, 3), bool)
    spikes[2] = True
    first = [int(np.argmax(layer.any(1))) for layer in XyloNetwork(network).run(spikes)]
    delay = XyloNetwork.delay
    assert first == [2 + delay, 2 + 2 * delay]


def test_matrices_hold_every_stage() -> None:
    network = layered()
    chip, units = chip_of(network)
    assert chip.w_in.shape == (16, 44)
    assert not chip.w_in[:, 24:].any()
    assert chip.w_rec[:24, :24].any()
    assert chip.w_rec[:24, 24:].any()
    assert not chip.w_rec[24:].any()
    assert not chip.w_out[:24].any()
    for block, stage, unit in (
        (chip.w_in[:, :24], 0, units[0]),
        (chip.w_rec[:24, 24:], 1, units[1]),
        (chip.w_out[24:], 2, units[2]),
    ):
        wanted = network.stages[stage].synapse.weight.T
        step = unit * 2**chip.shift
        # Weights beyond the searched scale are clipped.
        inside = np.abs(block) < 127
        assert inside.mean() > 0.9
        np.testing.assert_allclose(
            (step * block)[inside], wanted[inside], rtol=0, atol=0.501 * step
        )
    assert chip.hidden.dash_mem.tolist() == [15] * 24 + [3] * 20
    every = np.concatenate((chip.hidden.threshold, chip.outputs.threshold))
    assert every.max() < 2**15
    assert np.abs(np.concatenate((chip.hidden.bias, chip.outputs.bias))).max() <= 127


def test_decays_are_the_nearest() -> None:
    assert [nearest_dash(beta) for beta in (1.0, 0.99, 0.9, 0.75, 0.5, 0.1)] == [15, 7, 3, 2, 1, 0]


def test_networks_that_fit_are_placed() -> None:
    network = layered()
    assert exceeded(Xylo().check(network)) == []
    assert [where for _, where in Xylo().place(network)] == [
        "hidden neurons 0 to 23",
        "hidden neurons 24 to 43",
        "outputs",
    ]


@pytest.mark.parametrize(
    ("sizes", "name"),
    [
        ((17, 10, 8), "inputs"),
        ((16, 600, 401, 8), "hidden neurons"),
        ((16, 10, 9), "outputs"),
    ],
)
def test_networks_that_are_too_large_name_the_limit_and_a_way_out(
    sizes: tuple[int, ...], name: str
) -> None:
    (limit,) = exceeded(Xylo().check(dense(*sizes)))
    assert limit.name == name
    assert limit.advice
    with pytest.raises(ValueError, match="does not fit on Xylo"):
        Xylo().place(dense(*sizes))


def test_what_the_chip_does_not_have_is_refused() -> None:
    convolution = Conv2d(np.ones((1, 1, 1, 1)), np.zeros(1), (1, 1), (0, 0), (1, 2, 2))
    with pytest.raises(ValueError, match="stage 0 is a convolution"):
        Xylo().check(Network((1, 2, 2), (convolution, LIF((1, 2, 2)))))
    top = (Flatten((1, 1, 1)), Dense(np.eye(1), np.zeros(1)), LIF((1,)))
    with pytest.raises(ValueError, match="cannot pool"):
        Xylo().check(Network((1, 2, 2), (SumPool(2, (1, 2, 2)), *top)))
    with pytest.raises(ValueError, match="one layer of neurons only"):
        Xylo().check(dense(4, 4))
    own = Dense(np.eye(2), np.zeros(2))
    outputs = (Dense(np.ones((2, 3)), np.zeros(2)), LIF((2,), recurrent=own))
    below = (Dense(np.ones((3, 4)), np.zeros(3)), LIF((3,)))
    with pytest.raises(ValueError, match="no recurrent connections"):
        Xylo().check(Network((4,), (*below, *outputs)))
    with pytest.raises(ValueError, match="too small for 8 bits"):
        Xylo().check(dense(2, 2, 2, threshold=1e6))


def test_files_hold_the_model(tmp_path: Path) -> None:
    network = layered()
    paths = target("xylo").write(tmp_path, network, None)
    assert {path.name for path in paths} == {"network.json", "network.npz"}
    chip = XyloNetwork(network).chip
    record = json.loads((tmp_path / "network.json").read_text())
    assert (record["weight_shift"], record["dash_syn"]) == (chip.shift, 1)
    with np.load(tmp_path / "network.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["w_rec"], chip.w_rec)
        np.testing.assert_array_equal(arrays["threshold_out"], chip.outputs.threshold)
        np.testing.assert_array_equal(arrays["bias_hidden"], chip.hidden.bias)


def test_learning_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot learn"):
        Xylo().write(tmp_path, layered(), Learning((), "tied", "adam", 1e-3, 64))
    assert list(tmp_path.iterdir()) == []
