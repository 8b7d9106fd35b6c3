"""SpiNNaker: number format, expanded synapses, fixed-point model, limits and files."""

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapp_snn.export.canonical import Network, Stage
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense, Flatten, SumPool
from clapp_snn.export.interpreter import drive, reshape, run
from clapp_snn.export.spinnaker.arithmetic import ONE, buffer_shift, fixed, quotient, times
from clapp_snn.export.spinnaker.connections import stage_connections
from clapp_snn.export.spinnaker.encoder import gain_of, membrane, netlist_of
from clapp_snn.export.spinnaker.limits import (
    cores_in_all,
    limits_of,
    memory,
    neurons_per_core,
    row_words,
    slowdown,
)
from clapp_snn.export.spinnaker.netlist import Cells, buffer_weights
from clapp_snn.export.spinnaker.network import SpinnakerNetwork
from clapp_snn.export.spinnaker.simulation import Membranes
from clapp_snn.export.spinnaker.target import Spinnaker
from clapp_snn.export.target import exceeded
from tests.export.loihi2_networks import every_layer
from tests.export.networks import conv, dense, spikes

LSB = 1 / ONE


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**16))
def test_products_are_rounded_half_up(x: int, y: int) -> None:
    exact = Fraction(x * y, ONE)
    assert int(times(np.array(x), y)) == math.floor(exact + Fraction(1, 2))


@given(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1))
def test_quotients_are_rounded_down(x: int, y: int) -> None:
    assert quotient(x, y) == math.floor(Fraction(x, y) * ONE)


@given(st.floats(0, 60000))
def test_a_shift_is_the_least_that_holds_the_sum(largest: float) -> None:
    shift = buffer_shift(largest)
    assert largest < 2**shift
    assert shift == 0 or 2 ** (shift - 1) <= largest


def test_values_beyond_the_format_are_refused() -> None:
    assert fixed(65535.0, "It") == 65535 * ONE
    with pytest.raises(ValueError, match=r"It must lie within \+-65536"):
        fixed(65536.5, "It")
    with pytest.raises(ValueError, match="must lie within"):
        fixed(math.nan, "It")


def stages() -> list[tuple[Stage, tuple[int, ...]]]:
    found = []
    for network in (conv(recurrent=True), every_layer(), dense()):
        shape = network.input_shape
        for stage in network.stages:
            found.append((stage, shape))
            shape = stage.neurons.shape
    r = np.random.default_rng(3)
    pooled = Flatten((3, 2, 2))
    found.append(
        (
            Stage(
                (SumPool(2, (3, 8, 8)), SumPool(2, (3, 4, 4)), pooled),
                Dense(r.normal(size=(5, 12)), np.zeros(5)),
                LIF((5,)),
            ),
            (3, 8, 8),
        )
    )
    wide = Conv2d(r.normal(size=(2, 3, 3, 1)), np.zeros(2), (2, 1), (0, 2), (3, 7, 4))
    found.append((Stage((), wide, LIF(wide.output_shape)), (3, 7, 4)))
    return found


@pytest.mark.parametrize(("stage", "shape"), stages())
def test_written_out_synapses_are_the_layer(stage: Stage, shape: tuple[int, ...]) -> None:
    """One spike at a time through the judge's drive gives every column of the matrix."""
    pre, post = math.prod(shape), math.prod(stage.neurons.shape)
    x = np.eye(pre).reshape(pre, *shape)
    for layer in stage.before:
        x = reshape(layer, x)
    bias = stage.synapse.bias.reshape(-1, *(1 for _ in stage.synapse.output_shape[1:]))
    wanted = (drive(stage.synapse, x) - bias).reshape(pre, post).T
    found = stage_connections(stage, shape)
    matrix = np.zeros((post, pre))
    np.add.at(matrix, (found.post, found.pre), found.weight)
    np.testing.assert_allclose(matrix, wanted, atol=1e-12)
    assert (found.weight != 0).all()


@pytest.mark.parametrize("beta", [0.3, 0.9, 0.99, 1.0])
def test_a_step_is_the_documented_arithmetic(beta: float) -> None:
    """Exact fractions, rounded as the sources say; and a leak that is off by less than 2^-12."""
    tau_m, cm, unit = membrane(beta, 1.0, 6.0)
    r = np.random.default_rng(0)
    start = fixed(r.normal(0, 0.2, 5) * unit, "v") / ONE
    offset = fixed(r.normal(0, 0.05, 5) * unit, "i") / ONE
    cells = Cells("a", 5, tau_m, cm, 2 * unit, (8 * unit, 8 * unit), offset, start)
    state = Membranes(cells, 1)
    left = Fraction(round(math.exp(-(ONE * ONE // int(fixed(tau_m, "")) / ONE)) * ONE), ONE)
    resistance = Fraction(
        math.floor(Fraction(int(fixed(tau_m, "")), int(fixed(cm, ""))) * ONE), ONE
    )
    assert abs(float(left) - beta) < 2**-12
    v = [Fraction(int(fixed(each, "")), ONE) for each in start]
    fired = 0
    for _ in range(60):
        buffers = r.integers(0, 9000, (2, 1, 5))
        z = state.step(buffers)[0]
        for n in range(5):
            arrived = [
                Fraction(int(b) << s, ONE)
                for b, s in zip(buffers[:, 0, n], cells.shifts, strict=True)
            ]
            current = arrived[0] - arrived[1] + Fraction(int(fixed(offset[n], "")), ONE)
            alpha = nearest(current * resistance)
            v[n] = alpha - nearest(left * (alpha - v[n]))
            assert z[n] == (v[n] >= Fraction(int(fixed(2 * unit, "")), ONE))
            v[n] = Fraction(0) if z[n] else v[n]
            assert state.v[0, n] == v[n] * ONE
        fired += int(z.sum())
    assert fired > 10


def nearest(value: Fraction) -> Fraction:
    return Fraction(math.floor(value * ONE + Fraction(1, 2)), ONE)


def test_synaptic_currents_decay_and_keep_their_charge() -> None:
    """A spike of weight w adds tau (1 - exp(-1 / tau)) w, so that the sum over all steps is w tau."""
    cells = Cells("a", 1, 0.05, 0.05, 100.0, (8.0, 8.0), np.zeros(1), np.zeros(1), 10.0)
    state = Membranes(cells, 1)
    weight = buffer_weights(np.array([4.0]), cells.shifts[0])[0]
    found = []
    for step in range(150):
        state.step(np.array([[[weight if step == 0 else 0]], [[0]]]))
        found.append(state.v[0, 0] * LSB)
    assert found[0] == pytest.approx(40 * (1 - math.exp(-0.1)), abs=4 * LSB)
    assert found[10] / found[0] == pytest.approx(math.exp(-1), abs=1e-3)
    # Rounding down takes up to 1 / (1 - decay) = 10.5 multiples of 2^-15 of every value.
    assert sum(found) == pytest.approx(40, abs=150 * 10.5 * LSB)


@pytest.mark.parametrize("beta", [0.9, 1.0])
@pytest.mark.parametrize(
    ("make", "share"), [(dense, 0.003), (conv, 0.003), (lambda beta: every_layer(), 0.02)]
)
def test_spikes_are_those_of_the_judge_but_for_rounding(
    make: type, share: float, beta: float
) -> None:
    """Few spikes move, more where some come back; every layer is a step later than the one below."""
    network = make(beta)
    x = spikes(network, 100)
    silence = np.zeros_like(x[: len(network.stages)])
    found = SpinnakerNetwork(network).run(np.concatenate([x, silence]))
    for k, (wanted, given_) in enumerate(zip(run(network, x), found, strict=True)):
        moved = int((wanted != given_[k + 1 : k + 1 + len(x)]).sum())
        assert wanted.sum() > 50
        assert moved <= share * wanted.size


def test_weights_on_the_grid_move_no_spike() -> None:
    """Voltages stay away from the threshold by more than the leak takes: recurrence, convolution, biases."""
    r = np.random.default_rng(8)
    kernel = r.integers(-2, 4, (3, 2, 3, 3)) / 8
    first = Conv2d(kernel, np.array([1, 0, 2]) / 8, (1, 1), (1, 1), (2, 4, 4))
    back = Dense(r.integers(-1, 2, (6, 6)) / 8, np.zeros(6))
    top = Dense(r.integers(-2, 3, (6, 12)) / 8, np.zeros(6))
    network = Network(
        (2, 4, 4),
        (
            first,
            LIF((3, 4, 4), 1.0, 15 / 16),
            SumPool(2, (3, 4, 4)),
            Flatten((3, 2, 2)),
            top,
            LIF((6,), 1.0, 15 / 16, back),
        ),
    )
    x = spikes(network, 60, 4)
    found = SpinnakerNetwork(network).run(np.concatenate([x, np.zeros_like(x[:2])]))
    for k, (wanted, given_) in enumerate(zip(run(network, x), found, strict=True)):
        assert wanted.sum() > 50
        assert (wanted == given_[k + 1 : k + 61]).all()


def test_inputs_spike_once_a_step() -> None:
    network = dense()
    with pytest.raises(ValueError, match="spikes once"):
        SpinnakerNetwork(network).run(np.full((3, 1, 12), 2))
    single = SpinnakerNetwork(network).run(spikes(network)[:, 0])
    assert single[0].shape == (100, 20)


def test_sums_far_above_the_threshold_are_refused() -> None:
    weight = np.full((2, 500), 1.0)
    network = Network((500,), (Dense(weight, np.zeros(2)), LIF((2,), 0.999, 1e-3)))
    with pytest.raises(ValueError, match="cannot hold both"):
        Spinnaker().check(network)


def test_gain_in_the_numbers_of_the_chip() -> None:
    for beta in (0.5, 0.9, 0.99):
        tau_m, cm, _ = membrane(beta, 1.0, 10.0)
        assert gain_of(tau_m, cm) == pytest.approx(1, abs=5e-3)
    assert gain_of(2.0**13, 1.0) == 1


def test_counts_of_cores_rows_and_bytes() -> None:
    """A dense layer of 300 neurons on 100 inputs: two cores, rows of 256 synapses."""
    network = Network((100,), (Dense(np.full((300, 100), 0.05), np.zeros(300)), LIF((300,), 0.9)))
    netlist = netlist_of(network)
    (synapses,) = netlist.synapses
    assert neurons_per_core(netlist, netlist.cells[0]) == 256
    assert cores_in_all(netlist) == 2 + 1
    assert row_words(netlist, synapses) == 256
    assert memory(netlist) == 4 * (300 * 100 + 3 * 100) + 56 * 300
    assert slowdown(netlist) == math.ceil(256 * 100 / 13000)
    assert exceeded(limits_of(netlist)) == []


def test_a_network_for_several_boards(tmp_path: Path) -> None:
    layers = (Dense(np.eye(1)[[0] * 200_000], np.zeros(200_000)), LIF((200_000,), 0.9))
    network = Network((1,), layers)
    beyond = exceeded(Spinnaker().check(network))
    assert [each.name for each in beyond] == ["cores of one board"]
    with pytest.raises(ValueError, match="does not fit"):
        Spinnaker().write(tmp_path, network, None)
    assert list(tmp_path.iterdir()) == []


def test_too_many_synapses_to_write_out() -> None:
    kernels = Conv2d(np.ones((64, 64, 3, 3)), np.zeros(64), (1, 1), (1, 1), (64, 64, 64))
    network = Network((64, 64, 64), (kernels, LIF((64, 64, 64))))
    with pytest.raises(ValueError, match="too large to be written out"):
        Spinnaker().check(network)


def test_files_describe_the_netlist(tmp_path: Path) -> None:
    network = every_layer()
    written = Spinnaker().write(tmp_path, network, None)
    assert [path.name for path in written] == ["network.npz", "network.json", "run_pynn.py"]
    netlist = netlist_of(network)
    record = json.loads((tmp_path / "network.json").read_text())
    assert record["recorded"] == ["layer_0", "layer_1", "layer_2"]
    assert [each["shifts"] for each in record["cells"]] == [list(c.shifts) for c in netlist.cells]
    with np.load(tmp_path / "network.npz", allow_pickle=False) as arrays:
        for index, synapses in enumerate(netlist.synapses):
            shift = netlist.cells_named(synapses.after).shifts[synapses.receptor == "inhibitory"]
            levels = arrays[f"weight_{index}"] * 2.0 ** (15 - shift)
            assert (levels == np.rint(levels)).all()
            assert (levels >= 1).all()
            assert (levels < 2**16).all()
    compile((tmp_path / "run_pynn.py").read_text(), "run_pynn.py", "exec")
