"""Exports placed and routed by sPyNNaker on a virtual board, by the Python of CLAPP_SPYNNAKER_PYTHON.

`make spinnaker` makes its environment and runs these tests. A virtual board computes nothing: what is
compared is which cores are taken, and by how many bits ring buffers are shifted, on which weights depend.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Dense
from clapp_snn.export.interpreter import run
from clapp_snn.export.learning import AreaLearning, Learning
from clapp_snn.export.nir_circuit import prediction_sizes
from clapp_snn.export.spinnaker.circuit import learning_netlist
from clapp_snn.export.spinnaker.encoder import netlist_of
from clapp_snn.export.spinnaker.limits import CORES, cores_in_all, cores_of
from clapp_snn.export.spinnaker.netlist import Netlist
from clapp_snn.export.spinnaker.target import LEARNING, Spinnaker
from tests.export.loihi2_networks import every_layer
from tests.export.networks import spikes

FOLDER = Path(__file__).parent.parent.parent / "hardware" / "spinnaker"
VARIABLE = "CLAPP_SPYNNAKER_PYTHON"
LIMIT = 900
"""Seconds for one program."""

pytestmark = pytest.mark.oracle


def placed(export: Path, home: Path) -> dict[str, Any]:
    """Place and route an export; skips without sPyNNaker."""
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f"{VARIABLE} names no Python with sPyNNaker; see hardware/spinnaker/README.md")
    shutil.copy(FOLDER / "spynnaker.cfg", home / ".spynnaker.cfg")
    done = subprocess.run(
        [python, str(FOLDER / "place.py"), str(export), str(home / "placed.json")],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        cwd=home,
        env={**os.environ, "HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads((home / "placed.json").read_text())
    return found


def compare(found: dict[str, Any], netlist: Netlist) -> None:
    """Cores and shifts of all populations, and no core twice."""
    populations = found["populations"]
    assert found["projections"] == len(netlist.synapses)
    assert set(populations) == {each.name for each in (*netlist.sources, *netlist.cells)}
    for cells in netlist.cells:
        assert populations[cells.name]["shifts"] == list(cells.shifts)
        assert len(populations[cells.name]["cores"]) == cores_of(netlist, cells)
    every = [tuple(core) for each in populations.values() for core in each["cores"]]
    assert len(set(every)) == len(every) == cores_in_all(netlist) <= CORES


def test_convolutions_pools_and_recurrence_are_placed(tmp_path: Path) -> None:
    network = every_layer()
    (tmp_path / "out").mkdir()
    Spinnaker().write(tmp_path / "out", network, None)
    compare(placed(tmp_path / "out", tmp_path), netlist_of(network))


def test_an_area_that_learns_is_placed(tmp_path: Path) -> None:
    """130 neurons: more than fit on one core whose synapses learn."""
    rng = np.random.default_rng(3)
    network = Network(
        (20,), (Dense(rng.normal(0.1, 0.3, (130, 20)), rng.normal(0, 0.02, 130)), LIF((130,), 0.95))
    )
    areas = (AreaLearning(rng.normal(0, 0.1, (130, 130)), None, 2.0),)
    learning = Learning(areas, "tied", "adam", 1e-3, 64)
    x = spikes(network)
    (tmp_path / "out").mkdir()
    Spinnaker().write(tmp_path / "out", network, learning, x)
    circuit = learning_netlist(network, learning, prediction_sizes(learning, run(network, x)))
    compare(placed(tmp_path / "out" / LEARNING, tmp_path), circuit)
