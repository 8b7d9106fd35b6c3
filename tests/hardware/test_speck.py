"""Our integer model of Speck against the neurons of sinabs, in an environment that CLAPP_SINABS_PYTHON names.

    CLAPP_SINABS_PYTHON=.venv-sinabs/bin/python python -m pytest -m oracle tests/hardware/test_speck.py

hardware/speck/README.md says how to make it.
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Dense
from clapp_snn.export.speck.network import SpeckNetwork
from clapp_snn.export.speck.target import Speck
from tests.export.speck_networks import every_layer

SCRIPT = Path(__file__).parent.parent.parent / "hardware" / "speck" / "run_sinabs.py"
VARIABLE = "CLAPP_SINABS_PYTHON"


def inhibited() -> Network:
    """Sums that reach -2^15 within a few steps, and biases."""
    r = np.random.default_rng(9)
    weight = r.normal(-0.2, 1.0, (20, 300))
    weight[:, 200:] += 0.8
    return Network((300,), (Dense(weight, 0.5 * r.normal(size=20)), LIF((20,), threshold=3.0)))


@pytest.mark.oracle
@pytest.mark.parametrize("make", [every_layer, inhibited])
def test_no_spike_differs(make: type, tmp_path: Path) -> None:
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f"{VARIABLE} names no Python with sinabs; see hardware/speck/README.md")
    network = make()
    Speck().write(tmp_path, network, None)
    # Parts of the input fall silent in turn, so that neurons are pushed down and come back.
    r = np.random.default_rng(0)
    spikes = r.random((300, *network.input_shape)) < 0.3
    if len(network.input_shape) == 1:
        spikes[:100, 200:] = False
        spikes[150:, :200] = False
    np.save(tmp_path / "spikes.npy", spikes)
    arguments = [tmp_path, tmp_path / "spikes.npy", tmp_path / "result.npz"]
    command = [python, str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(tmp_path / "result.npz", allow_pickle=False) as found:
        for index, ours in enumerate(SpeckNetwork(network).run(spikes)):
            different = ours != found[f"spikes_{index}"]
            assert ours.any()
            assert not different.any(), f"layer {index}: {different.sum()} spikes differ"
