"""Loihi 2 against Lava itself, in a Python 3.10 environment that CLAPP_LAVA_PYTHON names.

    CLAPP_LAVA_PYTHON=.venv-lava/bin/python python -m pytest -m oracle tests/hardware/test_loihi2.py

hardware/loihi2/README.md says how to make it. Without it the tests are skipped; the stored results are always
compared (tests/export/test_loihi2_golden.py).
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Dense
from clapp_snn.export.learning import AreaLearning, Learning
from clapp_snn.export.loihi2.learning_export import integer_area
from clapp_snn.export.loihi2.network import LoihiNetwork
from clapp_snn.export.loihi2.target import Loihi2
from clapp_snn.export.loihi2.traces import Nearest, Shared
from tests.export.golden import golden
from tests.export.loihi2_networks import every_layer

FOLDER = Path(__file__).parent.parent.parent / "hardware" / "loihi2"
VARIABLE = "CLAPP_LAVA_PYTHON"
LIMIT = 900
"""Seconds for one program."""

pytestmark = pytest.mark.oracle


def run(*arguments: str | Path) -> str:
    """Run a program in Lava's environment; skips without one."""
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f"{VARIABLE} names no Python with lava-nc; see hardware/loihi2/README.md")
    done = subprocess.run(
        [python, *map(str, arguments)], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "name", ["dense_lif", "conv_lif", "two_compartment", "learning", "rounding", "area"]
)
def test_golden_files_can_be_made_again(name: str, tmp_path: Path) -> None:
    run(FOLDER / "make_golden.py", tmp_path, name)
    again, stored = golden(name, tmp_path), golden(name)
    assert set(again) == set(stored)
    for key, values in stored.items():
        np.testing.assert_array_equal(again[key], values, err_msg=key)


def test_the_written_program_computes_the_integer_model(tmp_path: Path) -> None:
    """Convolutions, pooling, biases, leak, recurrence: 0 differing spikes."""
    network = every_layer()
    Loihi2().write(tmp_path, network, None)
    spikes = np.random.default_rng(0).random((200, *network.input_shape)) < 0.2
    np.save(tmp_path / "spikes.npy", spikes.astype(np.int8))
    run(tmp_path / "run_lava.py", tmp_path / "spikes.npy", tmp_path / "result.npz")
    with np.load(tmp_path / "result.npz", allow_pickle=False) as found:
        for index, ours in enumerate(LoihiNetwork(network).run(spikes)):
            different = ours != found[f"spikes_{index}"]
            assert ours.any()
            assert not different.any(), f"layer {index}: {different.sum()} spikes differ"


@pytest.mark.parametrize("rounding", ["nearest", "lava"])
def test_an_exported_area_learns_the_same_in_lava(rounding: str, tmp_path: Path) -> None:
    """Spikes, scores, gammas and all weights through eight windows: 0 differences.

    With "lava" synapses and somata are rounded at random, by the same numbers.
    """
    random = rounding == "lava"
    rng = np.random.default_rng(1)
    network = Network(
        (12,), (Dense(rng.normal(0.1, 0.3, (8, 12)), rng.normal(0, 0.05, 8)), LIF((8,)))
    )
    area = AreaLearning(rng.normal(0, 0.2, (8, 8)), None, 3.0)
    learning = Learning((area,), "tied", "adam", 1e-3, 64)
    Loihi2().write(tmp_path, network, learning)
    spikes = (rng.random((8 * 64, 12)) < 0.3).astype(np.int64)
    fixation = np.array([1, 0, 0, 1, 0, 1, 1, 0])
    np.save(tmp_path / "spikes.npy", spikes)
    np.save(tmp_path / "fixation.npy", fixation)
    inputs = (tmp_path, tmp_path / "spikes.npy", tmp_path / "fixation.npy")
    said = run(
        FOLDER / "run_area.py", *inputs, "--rounding", rounding, "--result", tmp_path / "result.npz"
    )
    assert "8 windows of 64 steps" in said
    start = integer_area(network.stages[0], area, learning.steps)
    ours = start.area(
        (lambda index: Shared(11 + index)) if random else (lambda _: Nearest()), random
    )
    trace = ours.run(spikes, fixation > 0)
    with np.load(tmp_path / "result.npz", allow_pickle=False) as found:
        for name, values in trace._asdict().items():
            different = values != found[name]
            assert not different.any(), f"{different.sum()} of {different.size} {name} differ"
    assert (trace.weight[-1] != start.weight).any()
    assert (trace.W_pred[-1] != start.W_pred).any()
