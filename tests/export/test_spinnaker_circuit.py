"""The learning circuit for SpiNNaker: predictions, bursts, score, gate and modulators, step by step."""

import math
from collections.abc import Mapping

import numpy as np
import pytest

from clapp_snn.circuit.ports import LIFPort
from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Dense
from clapp_snn.export.learning import AreaLearning, Learning
from clapp_snn.export.spinnaker.circuit import learning_netlist, pulse_of
from clapp_snn.export.spinnaker.limits import limits_of
from clapp_snn.export.spinnaker.simulation import simulate
from clapp_snn.export.spinnaker.target import Spinnaker
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIFParameters
from tests.export.networks import conv

STEPS, WINDOWS, UNITS = 60, 6, 12
READ, EMPTY = STEPS - 6, STEPS - 3
SIZES = (0.6, 0.6)


def network() -> Network:
    r = np.random.default_rng(2)
    layers = []
    for pre in (16, UNITS):
        layers += [Dense(r.normal(0.15, 0.3, (UNITS, pre)), r.normal(0.02, 0.02, UNITS))]
        layers += [LIF((UNITS,), 0.95)]
    return Network((16,), tuple(layers))


def learning() -> Learning:
    r = np.random.default_rng(4)
    areas = [AreaLearning(r.normal(0, 0.4, (UNITS, UNITS)), None, 2.0) for _ in range(2)]
    return Learning(tuple(areas), "tied", "adam", 1e-3, STEPS)


FIXATIONS = np.array([True, False, True, True, False, False])


@pytest.fixture(scope="module")
def trains() -> Mapping[str, np.ndarray]:
    r = np.random.default_rng(0)
    pulses = {name: np.zeros((STEPS * WINDOWS, 1, 1), bool) for name in ("fixation", "saccade")}
    end = np.zeros((STEPS * WINDOWS, 1, 1), bool)
    for window, fixation in enumerate(FIXATIONS):
        pulses["fixation" if fixation else "saccade"][window * STEPS + READ] = True
        end[window * STEPS + EMPTY] = True
    x = r.random((STEPS * WINDOWS, 1, 16)) < r.choice([0.1, 0.5], (1, 1, 16))
    circuit = learning_netlist(network(), learning(), SIZES)
    found = simulate(circuit, {"input": x, "end": end, **pulses})
    return {name: train[:, 0] for name, train in found.items()}


@pytest.mark.parametrize("index", [0, 1])
def test_plateaus_are_those_of_a_leaky_prediction(
    trains: Mapping[str, np.ndarray], index: int
) -> None:
    """Float64 filter of W_pred z of the window before; numbers near the threshold may differ, 1 in 100."""
    area = learning().areas[index]
    alpha = math.exp(-1 / TwoCompartmentLIFParameters().tau_apical)
    z = trains[f"layer_{index}"].astype(float)
    late = np.concatenate([np.zeros((STEPS, UNITS)), z[:-STEPS]])
    level, a = LIFPort.THRESHOLD * SIZES[index], np.zeros(UNITS)
    wanted = {"on": np.zeros(z.shape, bool), "off": np.zeros(z.shape, bool)}
    for t, now in enumerate(late):
        a = alpha * a + (1 - alpha) * area.scale * area.W_pred @ now
        wanted["on"][t], wanted["off"][t] = a >= level, -a >= level
    for path, expected in wanted.items():
        found = trains[f"apical_{path}_{index}"]
        assert expected.sum() > 100
        assert (found != expected).sum() < 0.01 * found.size


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("path", ["on", "off"])
def test_bursts_are_coincidences(trains: Mapping[str, np.ndarray], index: int, path: str) -> None:
    both = trains[f"layer_{index}"][:-1] & trains[f"apical_{path}_{index}"][:-1]
    found = trains[f"burst_{path}_{index}"]
    assert both.sum() > 20
    assert (found[1:] == both).all()


@pytest.mark.parametrize("index", [0, 1])
def test_the_nucleus_fires_for_a_margin_and_only_then(
    trains: Mapping[str, np.ndarray], index: int
) -> None:
    """Scores summed from bursts in float64: gamma of the hinge in every window, both answers among them."""
    area = learning().areas[index]
    burst = area.scale * SIZES[index] / (STEPS * LIFPort.SLOPE)
    on, off = (trains[f"burst_{path}_{index}"].sum(1).astype(float) for path in ("on", "off"))
    steps = burst * (on - off)
    begin, gates, scores = 0, [], []
    for window, fixation in enumerate(FIXATIONS):
        read = window * STEPS + READ
        score = steps[begin : read + 1].sum()
        begin = window * STEPS + EMPTY + 1
        fired = trains[f"nucleus_{index}"][read + 1]
        gate = score < 1 if fixation else score > -1
        assert abs(score) < pulse_of(burst, UNITS, STEPS)
        assert abs(abs(score) - 1) > 0.02
        assert fired.tolist() == [gate and fixation, gate and not fixation]
        assert trains[f"nucleus_{index}"][window * STEPS + EMPTY + 1].all()
        gates.append(bool(gate))
        scores.append(score)
    assert index == 1 or len(set(gates)) == 2
    assert max(map(abs, scores)) > 0.2


@pytest.mark.parametrize("index", [0, 1])
def test_modulators_are_gate_and_prediction(trains: Mapping[str, np.ndarray], index: int) -> None:
    """They fire where nucleus and apical neuron did, but not when the nucleus is emptied."""
    emptied = np.zeros(STEPS * WINDOWS, bool)
    emptied[[window * STEPS + EMPTY + 2 for window in range(WINDOWS)]] = True
    total = 0
    for neuron, cause in enumerate(("fixation", "saccade")):
        for path in ("on", "off"):
            gate = trains[f"nucleus_{index}"][:-1, [neuron]]
            wanted = gate & trains[f"apical_{path}_{index}"][:-1] & ~emptied[1:, None]
            assert (trains[f"{cause}_{path}_{index}"][1:] == wanted).all()
            total += int(wanted.sum())
    assert total > 0


def test_two_weights_make_one_with_sign() -> None:
    """Excitatory minus inhibitory is W, to half a level of each; both signs of gamma reach a neuron."""
    circuit = learning_netlist(network(), learning(), SIZES)
    for index, stage in enumerate(network().stages):
        name = f"layer_{index}"
        cells = circuit.cells_named(name)
        total, level = np.zeros(stage.synapse.weight.shape), 0.0
        for each in circuit.synapses:
            if each.after == name and each.receptor in ("excitatory", "inhibitory"):
                sign = 1 if each.receptor == "excitatory" else -1
                total[each.post, each.pre] += sign * each.weight
                level += 2.0 ** (cells.shifts[sign < 0] - 15)
                assert (each.plasticity is not None) == (sign > 0)
        unit = float(total.ravel() @ stage.synapse.weight.ravel()) / (stage.synapse.weight**2).sum()
        np.testing.assert_allclose(total, unit * stage.synapse.weight, atol=level)
        told = {
            each.receptor: 0
            for each in circuit.synapses
            if each.after == name and each.receptor in ("reward", "punishment")
        }
        assert set(told) == {"reward", "punishment"}
    assert not [limit for limit in limits_of(circuit) if not limit.fits]


def test_what_cannot_learn_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(ValueError, match="only plain dense layers learn"):
        learning_netlist(conv(), learning(), (*SIZES, 1.0))
    with pytest.raises(ValueError, match="needs samples"):
        Spinnaker().write(tmp_path_factory.mktemp("out"), network(), learning())
    with pytest.raises(ValueError, match="One burst adds"):
        learning_netlist(network(), learning(), (1e-3, 1e-3))
