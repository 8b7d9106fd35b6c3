"""Canonical networks on Loihi 2: integer stages, placement, files, refusals."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense, Flatten, SumPool
from clapp_snn.export.interpreter import run
from clapp_snn.export.learning import AreaLearning, Learning
from clapp_snn.export.loihi2.layers import IntegerConv, IntegerDense, IntegerLIF
from clapp_snn.export.loihi2.learning_export import epochs, integer_area
from clapp_snn.export.loihi2.network import LoihiNetwork
from clapp_snn.export.loihi2.placement import IN_AXONS, place_stages
from clapp_snn.export.loihi2.target import Loihi2
from clapp_snn.export.loihi2.two_compartment import two_compartment
from clapp_snn.export.target import exceeded
from clapp_snn.export.targets import target
from clapp_snn.neurons.interface import Inputs
from clapp_snn.neurons.two_compartment_lif import (
    TwoCompartmentLIF,
    TwoCompartmentLIFParameters,
)
from tests.export.loihi2_networks import every_layer


def dense(weight: np.ndarray, bias: np.ndarray | float = 0.0, **neurons: float) -> Network:
    layer = Dense(weight, np.broadcast_to(bias, (len(weight),)))
    return Network((weight.shape[1],), (layer, LIF((len(weight),), **neurons)))


def aligned(network: Network, spikes: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Spikes of the chip and of the judge, of the same step of input."""
    pairs = zip(LoihiNetwork(network).run(spikes), run(network, spikes), strict=True)
    return [(chip[k + 1 :], judge[: -k - 1]) for k, (chip, judge) in enumerate(pairs)]


def test_weights_that_the_chip_holds_exactly_give_equal_spikes() -> None:
    """Weights, thresholds and biases on the chip's grid, no leak: 0 differences in three layers.

    All sums are even and the threshold is odd in units of 1 / 254, so that no voltage meets it exactly.
    """
    rng = np.random.default_rng(0)
    layers: list[Dense | LIF] = []
    for pre, post in ((30, 20), (20, 20), (20, 10)):
        levels = rng.integers(-100, 128, (post, pre))
        levels[0, 0] = 127
        bias = rng.integers(-10, 10, post) / 127
        layers += [Dense(levels / 127, bias), LIF((post,), threshold=601 / 254)]
    network = Network((30,), tuple(layers))
    spikes = rng.random((300, 4, 30)) < 0.2
    for chip, judge in aligned(network, spikes):
        assert not (chip != judge).any()
        assert judge.any()


def test_every_layer_follows_the_float_network() -> None:
    """Rates of all layers with 8 bits; spikes of the first layer, below which nothing adds up."""
    network = every_layer()
    spikes = np.random.default_rng(1).random((400, 2, *network.input_shape)) < 0.2
    pairs = aligned(network, spikes)
    for chip, judge in pairs:
        assert chip.mean() == pytest.approx(judge.mean(), rel=0.05)
    first, judged = pairs[0]
    assert (first != judged).mean() < 0.05 * judged.mean()


def test_leaks_are_rounded_to_twelve_bits() -> None:
    stage = LoihiNetwork(dense(np.eye(3), beta=0.9)).stages[0]
    assert stage.neurons.dv == 410
    with pytest.raises(ValueError, match="12 bits"):
        LoihiNetwork(dense(np.eye(3), beta=1 - 1e-5))


def test_biases_wait_for_the_first_input() -> None:
    """The first spike of a neuron that is driven by its bias alone comes in the judge's step, k + 1 later."""
    network = Network(
        (2,),
        tuple(
            layer
            for _ in range(3)
            for layer in (Dense(np.eye(2), np.array([0.11, 0.07])), LIF((2,), 0.97))
        ),
    )
    for chip, judge in aligned(network, np.zeros((60, 2), bool)):
        assert judge.any()
        assert abs(np.flatnonzero(chip.any(1))[0] - np.flatnonzero(judge.any(1))[0]) <= 1


def test_sums_never_leave_24_bits() -> None:
    """All inputs of many strong synapses at once, in both kinds of layers."""
    shape = (64, 4, 4)
    conv = Conv2d(np.full((2, 64, 3, 3), 0.9), np.zeros(2), (1, 1), (1, 1), shape)
    networks = (
        dense(np.ones((3, 4000))),
        Network(shape, (conv, LIF(conv.output_shape))),
    )
    for network in networks:
        model = LoihiNetwork(network)
        (trace,) = model.traces(np.ones((3, *network.input_shape), bool))
        assert (
            trace.u.max()
            == model.stages[0].synapse(np.ones((1, *network.input_shape), np.int64)).max() << 6
        )
        assert trace.spikes[1:].all()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (dense(np.full((2, 2), 1e-8)), "17 bits cannot hold both"),
        (dense(np.eye(2), 1e5), "fire in every step"),
    ],
)
def test_numbers_that_no_register_holds_are_refused(network: Network, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Loihi2().check(network)


def test_what_registers_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="-256 and 255"):
        IntegerDense(np.array([[300]]))
    with pytest.raises(ValueError, match="exponent lies"):
        IntegerDense(np.array([[3]]), exponent=9)
    with pytest.raises(ValueError, match="whole numbers"):
        IntegerDense(np.array([[0.5]]))
    with pytest.raises(ValueError, match="1 to 8 bits"):
        IntegerDense(np.array([[3]]), bits=9)
    with pytest.raises(ValueError, match="vth lies"):
        IntegerLIF((1,), 0, 0, 2**17)
    with pytest.raises(ValueError, match="bias mantissa"):
        IntegerLIF((1,), 0, 0, 1, bias=4096)
    layer = Conv2d(np.ones((1, 1, 1, 1)), np.zeros(1), (1, 1), (0, 0), (1, 2, 2))
    with pytest.raises(ValueError, match="no negative weight exponent"):
        IntegerConv(np.ones((1, 1, 1, 1)), layer, exponent=-1)


def test_a_large_layer_is_spread_over_cores() -> None:
    network = dense(np.ones((3000, 200)))
    (stage,) = place_stages(network)
    assert sum(core.neurons for core in stage.cores) == 3000
    assert len(stage.cores) == -(-3000 // (2**20 // 8 // 200))
    limits = Loihi2().check(network)
    assert not exceeded(limits)
    placed = Loihi2().place(network)
    assert placed[0].part == "stage 0: Dense, neurons 0 to 654"
    assert placed[-1].where == f"core {len(stage.cores) - 1}"


def test_convolutions_share_input_on_a_core() -> None:
    layer = Conv2d(np.ones((64, 32, 3, 3)), np.zeros(64), (1, 1), (1, 1), (32, 16, 16))
    (stage,) = place_stages(Network((32, 16, 16), (layer, LIF(layer.output_shape))))
    assert sum(core.neurons for core in stage.cores) == 64 * 256
    assert max(core.neurons for core in stage.cores) * stage.synapses <= 2**20 // 8
    first = stage.cores[0]
    positions = range(*first.positions)
    rows = {p // 16 + r for p in positions for r in (-1, 0, 1)} & set(range(16))
    touched = {
        (r, p % 16 + c)
        for p in positions
        for r in rows
        for c in (-1, 0, 1)
        if abs(r - p // 16) <= 1 and 0 <= p % 16 + c < 16
    }
    assert first.in_axons == 32 * len(touched)


def test_networks_that_are_too_large_name_the_limit_and_a_way_out() -> None:
    wide = Loihi2().check(dense(np.ones((2, IN_AXONS + 1))))
    (limit,) = exceeded(wide)
    assert limit.name == "stage 0: input axons of a core"
    assert (limit.used, limit.available) == (IN_AXONS + 1, IN_AXONS)
    assert "fewer inputs" in limit.advice
    with pytest.raises(ValueError, match="do not fit on a core"):
        Loihi2().place(dense(np.ones((2, IN_AXONS + 1))))
    layer = Conv2d(np.ones((256, 64, 3, 3)), np.zeros(256), (1, 1), (1, 1), (64, 32, 32))
    many = exceeded(Loihi2().check(Network((64, 32, 32), (layer, LIF(layer.output_shape)))))
    assert [limit.name for limit in many] == ["cores of one chip"]


def test_recurrent_spikes_need_axons_to_all_cores_of_their_stage() -> None:
    size = 1500
    back = Dense(np.ones((size, size)), np.zeros(size))
    network = Network(
        (4,), (Dense(np.ones((size, 4)), np.zeros(size)), LIF((size,), recurrent=back))
    )
    (stage,) = place_stages(network)
    assert stage.out_axons >= len(stage.cores)
    assert max(core.neurons for core in stage.cores) * stage.out_axons <= 4096


def test_files_hold_the_model(tmp_path: Path) -> None:
    network = every_layer()
    chip = target("loihi2")
    paths = chip.write(tmp_path, network, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)
    record = json.loads((tmp_path / "network.json").read_text())
    model = LoihiNetwork(network)
    assert [stage["vth"] for stage in record["stages"]] == [s.neurons.vth for s in model.stages]
    assert len(record["placement"]) == len(chip.place(network))
    with np.load(tmp_path / "network.npz", allow_pickle=False) as arrays:
        # Pooling is part of the kernels: twice as large, with the same sum four times.
        kernels = arrays["weight_1"]
        assert kernels.shape == (3, 4, 4, 6)
        assert kernels.sum() == 4 * model.stages[1].synapse.weight.sum()
        assert arrays["bias_1"].shape == (4, 3, 3)
    compile((tmp_path / "run_lava.py").read_text(), "run_lava.py", "exec")


def learned(post: int, steps: int, scale: float = 2.0) -> Learning:
    rng = np.random.default_rng(2)
    area = AreaLearning(rng.normal(0, 0.1, (post, post)), None, scale)
    return Learning((area,), "tied", "adam", 1e-3, steps)


def test_learning_is_written_for_dense_areas(tmp_path: Path) -> None:
    network = dense(np.random.default_rng(3).normal(0, 0.3, (6, 8)), 0.1)
    names = {path.name for path in Loihi2().write(tmp_path, network, learned(6, 64))}
    assert {"learning.npz", "learning.json"} < names
    record = json.loads((tmp_path / "learning.json").read_text())["areas"][0]
    assert record["rules"]["basal_dt"] == "(1) * 2 ^ 0 * u6 * x1 * y3 + (-1) * 2 ^ 0 * u6 * t"
    assert record["rules"]["basal_dw"] == "(1) * 2 ^ -7 * u6 * x1 * y1 + (1) * 2 ^ -7 * u6 * t * y2"
    assert (record["settings"]["epoch"], record["settings"]["decimation"]) == (1, 6)
    assert record["settings"]["soma"] == {"target": 6, "homeostasis": 3, "count_bits": 2}
    with np.load(tmp_path / "learning.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["W_pred_0"].T, arrays["W_retro_0"])
        unit = record["weight_of_unit_drive"]
        np.testing.assert_allclose(arrays["bias_0"], 0.1 * unit * 64, rtol=0.01)
        assert record["neurons"]["vth"] == round(network.stages[0].neurons.threshold * unit)
        weight = network.stages[0].synapse.weight
        np.testing.assert_allclose(arrays["basal_0"] / unit, weight, atol=np.abs(weight).max() / 31)
        assert 40 < np.abs(arrays["basal_0"]).max() <= 62
        assert arrays["noise_0"].shape == (6,)


def test_the_margin_of_the_chip_is_one() -> None:
    """Counts and whole weights give the score of activities and weights, to the precision of shifts."""
    learning = learned(40, 63, scale=3.0)
    (area,) = learning.areas
    found = integer_area(dense(np.eye(40)).stages[0], area, learning.steps)
    settings = found.settings
    rng = np.random.default_rng(4)
    z, c = rng.integers(0, 40, (2, 40))
    chip = z @ (found.W_pred @ (2 * c) >> settings.apical_shift)
    unit = area.scale / (settings.window - 3)
    score = (unit * z) @ area.W_pred @ (unit * c)
    assert chip / settings.margin == pytest.approx(score, abs=0.05 * abs(score) + 0.3)


def test_learning_that_the_chip_cannot_do_is_refused(tmp_path: Path) -> None:
    layer = Conv2d(np.ones((2, 1, 1, 1)), np.zeros(2), (1, 1), (0, 0), (1, 2, 2))
    network = Network((1, 2, 2), (layer, LIF(layer.output_shape)))
    with pytest.raises(ValueError, match="only dense layers learn"):
        Loihi2().write(tmp_path, network, learned(2, 64))
    with pytest.raises(ValueError, match="5 to 127 steps"):
        Loihi2().write(tmp_path, dense(np.eye(2)), learned(2, 4))
    with pytest.raises(ValueError, match="too small beside its threshold to learn"):
        Loihi2().write(tmp_path, dense(1e-4 * np.eye(2)), learned(2, 64))


def test_windows_that_are_too_long_are_shortened() -> None:
    found = [epochs(steps) for steps in (5, 16, 63, 64, 65, 100, 126, 1000)]
    assert found == [(5, 0), (1, 4), (7, 3), (1, 6), (1, 6), (3, 5), (7, 4), (7, 4)]


def test_two_compartments_follow_the_float_neuron() -> None:
    """L0 with decays to 12 bits: bursts one step later, nearly all the same."""
    params = TwoCompartmentLIFParameters(apical_threshold=0.8)
    chip = two_compartment(params, 1.0, (5,), unit=10_000)
    rng = np.random.default_rng(5)
    basal, apical = (rng.integers(0, 2400, (2000, 5)) for _ in range(2))
    found = chip.run(basal, apical)
    neuron = TwoCompartmentLIF(params, 1.0)
    state = neuron.initial_state((5,), dtype=torch.float64)
    spikes, bursts = [], []
    for one, other in zip(basal, apical, strict=True):
        drive = Inputs(torch.from_numpy(one / 10_000), torch.from_numpy(other / 10_000))
        outputs, state = neuron.step(drive, state)
        spikes.append(outputs.spike.numpy() > 0)
        bursts.append(outputs.burst.numpy() > 0)
    assert found.soma.spikes.sum() == pytest.approx(np.sum(spikes), rel=0.01)
    assert (found.soma.spikes != np.stack(spikes)).mean() < 0.05 * np.mean(spikes)
    assert (found.bursts[1:] != np.stack(bursts)[:-1]).mean() < 0.1 * np.mean(bursts)
    assert 0.1 < np.stack(bursts).sum() / np.stack(spikes).sum() < 0.9
    with pytest.raises(ValueError, match="Thresholds must lie"):
        two_compartment(replace(params, apical_threshold=-1.0), 1.0, (5,), unit=10_000)


def test_pooling_and_flattening_may_come_first() -> None:
    layers = (SumPool(2, (1, 4, 4)), Flatten((1, 2, 2)), Dense(np.eye(4), np.zeros(4)), LIF((4,)))
    network = Network((1, 4, 4), layers)
    spikes = np.random.default_rng(6).random((50, 1, 4, 4)) < 0.5
    ((chip, judge),) = aligned(network, spikes)
    assert (chip != judge).mean() < 0.05


def test_more_than_one_spike_of_an_input_in_a_step_is_refused() -> None:
    """Currents have room for one; with more, sums could wrap to silence."""
    network = dense(np.eye(3))
    with pytest.raises(ValueError, match="at most one spike a step"):
        LoihiNetwork(network).run(np.full((4, 3), 2))
