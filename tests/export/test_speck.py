"""Speck: its limits, placement, whole numbers, files and refusals."""

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense, Flatten, SumPool
from clapp_snn.export.common_scale import HIGHEST, LOWEST
from clapp_snn.export.interpreter import run
from clapp_snn.export.learning import Learning
from clapp_snn.export.speck.cores import core_stages
from clapp_snn.export.speck.network import SpeckNetwork, fire
from clapp_snn.export.speck.placement import CORES, assign, memory
from clapp_snn.export.speck.target import Speck
from clapp_snn.export.target import exceeded
from clapp_snn.export.targets import target
from tests.export.speck_networks import every_layer


def conv(pre: int, post: int, side: int, kernel: int = 3) -> tuple[Conv2d, LIF]:
    """A convolution that leaves the map as large as it is."""
    around = (kernel // 2, kernel // 2)
    layer = Conv2d(
        np.ones((post, pre, kernel, kernel)), np.zeros(post), (1, 1), around, (pre, side, side)
    )
    return layer, LIF(layer.output_shape)


def dense(weight: np.ndarray, bias: float = 0.0, **neurons: float) -> Network:
    layer = Dense(weight, np.full(len(weight), bias))
    return Network((weight.shape[1],), (layer, LIF((len(weight),), **neurons)))


def on_the_grid() -> Network:
    """`every_layer` with weights, biases and thresholds that 8 bits hold exactly.

    Thresholds lie between whole numbers, so that no voltage meets one.
    """
    r = np.random.default_rng(3)
    layers = []
    for layer in every_layer().layers:
        if isinstance(layer, Dense | Conv2d):
            levels = r.integers(-90, 128, layer.weight.shape)
            levels.flat[0] = 127
            bias = r.integers(-20, 40, layer.bias.shape)
            changed = {**vars(layer), "weight": levels / 64, "bias": bias / 64}
            layers.append(type(layer)(**changed))
        elif isinstance(layer, LIF):
            layers.append(LIF(layer.shape, threshold=300.5 / 64))
        else:
            layers.append(layer)
    return Network((2, 16, 12), tuple(layers))


def test_weights_that_the_chip_holds_exactly_give_equal_spikes() -> None:
    """Convolutions, strides, pools, both kinds of dense layers: 0 differences in all layers."""
    network = on_the_grid()
    spikes = np.random.default_rng(0).random((120, 2, 2, 16, 12)) < 0.2
    model = SpeckNetwork(network)
    for core in model.cores:
        assert core.scale == pytest.approx(1 / 64)
        assert core.threshold == 301
    for chip, judge in zip(model.run(spikes), run(network, spikes), strict=True):
        assert not (chip != judge).any()
        assert 0.01 < judge.mean() < 0.9


def test_other_weights_nearly_do() -> None:
    network = every_layer()
    spikes = np.random.default_rng(1).random((200, 3, 2, 16, 12)) < 0.2
    chip, judge = SpeckNetwork(network).run(spikes), run(network, spikes)
    for layer, (ours, wanted) in enumerate(zip(chip, judge, strict=True)):
        assert ours.shape == wanted.shape
        assert wanted.any()
        counts = ours.sum(0).ravel(), wanted.sum(0).ravel()
        assert np.corrcoef(*counts)[0, 1] > 0.9, layer


def test_samples_are_optional() -> None:
    network = every_layer()
    spikes = np.random.default_rng(2).random((20, 2, 16, 12)) < 0.2
    model = SpeckNetwork(network)
    for alone, first in zip(model.run(spikes), model.run(spikes[:, None]), strict=True):
        np.testing.assert_array_equal(alone, first[:, 0])


@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 100), st.floats(0, 300), st.floats(0.01, 1000), st.integers(0, 2**32 - 1))
def test_everything_fits_into_its_bits(
    extent: float, bias: float, threshold: float, seed: int
) -> None:
    """Or is refused, if all weights would vanish; the scale is common to all of a layer."""
    weight = extent * np.random.default_rng(seed).uniform(-1, 1, (4, 6))
    network = dense(weight, bias, threshold=threshold)
    coarsest = max(bias / 127, threshold / 32766)
    if np.abs(weight).max() < 0.49 * coarsest:
        with pytest.raises(ValueError, match="too small for 8 bits"):
            SpeckNetwork(network)
        return
    if np.abs(weight).max() < 0.51 * coarsest:
        return
    (core,) = SpeckNetwork(network).cores
    assert np.abs(core.weight).max() <= 127
    assert np.abs(core.bias).max() <= 127
    assert 1 <= core.threshold <= HIGHEST
    assert core.threshold - 1 <= threshold / core.scale < core.threshold
    np.testing.assert_allclose(core.scale * core.bias, bias, atol=0.501 * core.scale)


def test_states_stop_at_16_bits() -> None:
    drive = np.array([-30_000, -30_000, 32_768 + 9, 1, 70_000, 9, 1])[:, None]
    assert fire(drive, 10)[:, 0].tolist() == [0, 0, 0, 1, 1, 0, 1]
    assert (LOWEST, HIGHEST) == (-32_768, 32_767)


def test_memory_counts_powers_of_two() -> None:
    """Worked out by hand: 3 x 5 x 5 kernels to 12 channels, 30 x 20 neurons; a dense layer on 6 x 6."""
    layer = Conv2d(np.ones((12, 3, 5, 5)), np.zeros(12), (1, 1), (0, 0), (3, 34, 24))
    need = memory(layer)
    assert need == (3 * 32 * 16, 12 * 32 * 32, 12)
    flat = Network(
        (8, 6, 6), (Flatten((8, 6, 6)), Dense(np.ones((10, 288)), np.zeros(10)), LIF((10,)))
    )
    (stage,) = core_stages(flat)
    assert stage.convolution.weight.shape == (10, 8, 6, 6)
    assert memory(stage.convolution) == (8 * 64 * 16, 10, 10)


def test_cores_are_those_of_sinabs() -> None:
    assert [core.kernel // 1024 for core in CORES] == [16, 16, 16, 32, 32, 64, 64, 16, 16]
    assert [core.neuron // 1024 for core in CORES] == [64, 64, 64, 32, 32, 16, 16, 16, 16]
    assert {core.bias for core in CORES} == {1024}


# Kernel and neuron memory in Ki: fits anywhere, cores 0 to 2, 3 and 4, 0 to 4, 5 and 6, nowhere.
KINDS = {
    "any": conv(4, 4, 8),
    "large map": conv(1, 16, 64),
    "both": conv(64, 32, 32),
    "map": conv(1, 32, 32),
    "kernels": conv(64, 64, 16),
    "nowhere": conv(64, 64, 64),
}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5))
def test_as_many_stages_as_possible_get_a_core(kinds: list[str]) -> None:
    """Against all ways to give five stages of nine cores."""
    stages = tuple(
        core_stages(Network(KINDS[kind][0].input_shape, KINDS[kind]))[0] for kind in kinds
    )
    found = assign(stages)
    used = [core for core in found if core is not None]
    assert len(set(used)) == len(used)
    fits = [[memory(stage.convolution).fits(core) for core in CORES] for stage in stages]
    assert all(fits[stage][core] for stage, core in enumerate(found) if core is not None)
    best = max(
        sum(fits[stage][core] for stage, core in enumerate(cores))
        for cores in permutations(range(len(CORES)), len(stages))
    )
    assert len(used) == best


def test_a_later_stage_moves_an_earlier_one() -> None:
    """Four stages that fit on five cores leave no room for two that need cores 3 and 4, unless moved."""
    kinds = ["map", "map", "map", "both", "both"]
    stages = tuple(
        core_stages(Network(KINDS[kind][0].input_shape, KINDS[kind]))[0] for kind in kinds
    )
    assert sorted(core for core in assign(stages) if core is not None) == [0, 1, 2, 3, 4]
    assert set(assign(stages)[3:]) == {3, 4}


def test_networks_that_fit_are_placed() -> None:
    network = every_layer()
    limits = Speck().check(network)
    assert exceeded(limits) == []
    assert limits[0][:3] == ("cores for all stages", 4, 9)
    placed = Speck().place(network)
    assert len({where for _, where in placed}) == 4
    assert placed[0].part == "stage 0: kernels of 3 x 3, 4 x 16 x 12 neurons, pooled 2 x 2"


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        (KINDS["nowhere"], {"cores for all stages", "stage 0: neuron memory"}),
        (conv(64, 64, 32), {"cores for all stages", "stage 0: kernel memory"}),
        (
            (Flatten((1, 18, 18)), Dense(np.ones((4, 324)), np.zeros(4)), LIF((4,))),
            {"stage 0: side of the kernel"},
        ),
        ((Dense(np.ones((4, 1025)), np.zeros(4)), LIF((4,))), {"channels of the input"}),
        (
            (Dense(np.ones((1025, 2)), np.zeros(1025)), LIF((1025,))),
            {"cores for all stages", "stage 0: channels", "stage 0: bias memory"},
        ),
        (tuple(layer for _ in range(10) for layer in conv(4, 4, 8)), {"cores for all stages"}),
    ],
)
def test_networks_that_are_too_large_name_the_limit_and_a_way_out(
    layers: tuple, names: set[str]
) -> None:
    network = Network(layers[0].input_shape, layers)
    beyond = exceeded(Speck().check(network))
    assert {limit.name for limit in beyond} == names
    assert all(limit.advice for limit in beyond)
    with pytest.raises(ValueError, match="does not fit on Speck"):
        Speck().place(network)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (dense(np.eye(3), beta=0.9), "Stage 0 leaks .beta = 0.9.*Convert .* with beta 1"),
        (
            Network(
                (3,),
                (
                    Dense(np.eye(3), np.zeros(3)),
                    LIF((3,), recurrent=Dense(np.eye(3), np.zeros(3))),
                ),
            ),
            "recurrent",
        ),
        (
            Network(
                (1, 8, 8),
                (
                    Conv2d(np.ones((2, 1, 3, 2)), np.zeros(2), (1, 1), (0, 0), (1, 8, 8)),
                    LIF((2, 6, 7)),
                ),
            ),
            "square kernels; stage 0 has 3 x 2",
        ),
        (
            Network(
                (1, 4, 6), (Flatten((1, 4, 6)), Dense(np.ones((2, 24)), np.zeros(2)), LIF((2,)))
            ),
            "dense, and its map of 4 x 6",
        ),
        (
            Network(
                (1, 9, 9),
                (
                    Conv2d(np.ones((2, 1, 3, 3)), np.zeros(2), (3, 3), (0, 0), (1, 9, 9)),
                    LIF((2, 3, 3)),
                ),
            ),
            "strides of 1, 2, 4 or 8",
        ),
        (
            Network(
                (1, 4, 4),
                (
                    SumPool(2, (1, 4, 4)),
                    Flatten((1, 2, 2)),
                    Dense(np.ones((2, 4)), np.zeros(2)),
                    LIF((2,)),
                ),
            ),
            "pool the input before",
        ),
        (
            Network(
                (1, 6, 6),
                (*conv(1, 2, 6), SumPool(3, (2, 6, 6)), *conv(2, 2, 2)),
            ),
            "not of 3 x 3",
        ),
        (dense(np.full((2, 2), 1e-6)), "too small for 8 bits"),
    ],
)
def test_what_no_core_has_is_refused(network: Network, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Speck().check(network)


def test_files_hold_the_model(tmp_path: Path) -> None:
    network = every_layer()
    chip = target("speck")
    paths = chip.write(tmp_path, network, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["network.json", "network.npz"]
    assert {path.name for path in paths} == {"network.json", "network.npz"}
    record = json.loads((tmp_path / "network.json").read_text())
    model = SpeckNetwork(network)
    cores = [int(where.removeprefix("core ")) for _, where in chip.place(network)]
    layers = record["layers"]
    assert [layer["core"] for layer in layers] == cores
    assert [layer["threshold_high"] for layer in layers] == [each.threshold for each in model.cores]
    assert layers[0]["destinations"] == [{"layer": cores[1], "enable": True, "pooling": 2}]
    assert layers[-1]["destinations"] == []
    assert [layer["leak_enable"] for layer in layers] == [True, True, True, False]
    assert layers[1]["dimensions"] == {
        "input_shape": {"size": {"x": 6, "y": 8}, "feature_count": 4},
        "output_shape": {"size": {"x": 4, "y": 4}, "feature_count": 6},
        "padding": {"x": 0, "y": 1},
        "stride": {"x": 1, "y": 2},
        "kernel_size": 3,
    }
    with np.load(tmp_path / "network.npz", allow_pickle=False) as arrays:
        for index, core in enumerate(model.cores):
            assert arrays[f"weight_{index}"].dtype == np.int8
            np.testing.assert_array_equal(arrays[f"weight_{index}"], core.weight)
            np.testing.assert_array_equal(arrays[f"bias_{index}"], core.bias)


def test_memory_is_what_the_cores_set_aside() -> None:
    (stage,) = core_stages(dense(np.ones((3, 5))))
    need = memory(stage.convolution)
    assert need == (5 * 4, 3, 3)
    assert SpeckNetwork(dense(np.ones((3, 5)))).memory_bytes == 20 + 3 + 2 * 3


def test_learning_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot learn"):
        Speck().write(tmp_path, every_layer(), Learning((), "tied", "adam", 1e-3, 64))
    assert list(tmp_path.iterdir()) == []
