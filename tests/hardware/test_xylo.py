"""Our integer model of Xylo against xylosim, in an environment that CLAPP_XYLOSIM_PYTHON names.

    CLAPP_XYLOSIM_PYTHON=.venv-xylo/bin/python python -m pytest -m oracle tests/hardware/test_xylo.py

hardware/xylo/README.md says how to make it.
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from clapp_snn.export.xylo.network import XyloNetwork
from clapp_snn.export.xylo.simulation import simulate
from clapp_snn.export.xylo.target import Xylo
from tests.export.xylo_networks import layered

SCRIPT = Path(__file__).parent.parent.parent / "hardware" / "xylo" / "run_xylosim.py"
VARIABLE = "CLAPP_XYLOSIM_PYTHON"


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("gain", "largest"),
    [(1.0, 1), (1.0, 20), (40.0, 20)],
    ids=["spikes", "counts", "sums that saturate"],
)
def test_no_spike_and_no_voltage_differs(gain: float, largest: int, tmp_path: Path) -> None:
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f"{VARIABLE} names no Python with xylosim; see hardware/xylo/README.md")
    network = layered(gain)
    Xylo().write(tmp_path, network, None)
    spikes = np.random.default_rng(0).integers(0, largest + 1, (400, 16))
    np.save(tmp_path / "spikes.npy", spikes)
    arguments = [tmp_path, tmp_path / "spikes.npy", tmp_path / "result.npz"]
    command = [python, str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    ours = simulate(XyloNetwork(network).chip, spikes[:, None])._asdict()
    with np.load(tmp_path / "result.npz", allow_pickle=False) as found:
        for name, values in ours.items():
            different = values[:, 0] != found[name]
            assert values.any()
            assert not different.any(), f"{different.sum()} of {different.size} {name} differ"
