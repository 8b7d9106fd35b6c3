"""sinabs computes the same spikes from our files, in an environment that CLAPP_SINABS_PYTHON names.

It needs NIR 1.0.4, which cannot live beside 1.0.8:

    python -m venv .venv-sinabs
    .venv-sinabs/bin/pip install sinabs==3.1.3 nir==1.0.4 nirtorch==2.0.2
    CLAPP_SINABS_PYTHON=.venv-sinabs/bin/python python -m pytest -m oracle tests/export/test_sinabs.py
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from clapp_snn.export.interpreter import run
from clapp_snn.export.nir_encoder import encoder_graph
from clapp_snn.export.nir_file import write_graph
from clapp_snn.export.nir_import import network_of
from tests.export.networks import conv, dense, spikes

SCRIPT = Path(__file__).with_name("sinabs_run.py")
VARIABLE = "CLAPP_SINABS_PYTHON"


@pytest.mark.oracle
@pytest.mark.parametrize("beta", [0.9, 1.0])
@pytest.mark.parametrize("make", [dense, conv])
def test_no_spike_differs(make: type, beta: float, tmp_path: Path) -> None:
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f"{VARIABLE} names no Python with sinabs")
    network = make(beta)
    graph = encoder_graph(network)
    path = write_graph(tmp_path / "network.nir", graph, legacy=True)
    x = spikes(network, 150)
    np.save(tmp_path / "input.npy", x)
    output = tmp_path / "output.npy"
    command = [python, str(SCRIPT), str(path), str(tmp_path / "input.npy"), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    theirs, judge = np.load(output), run(network_of(graph), x)[-1]
    assert set(np.unique(theirs)) <= {0.0, 1.0}
    assert ((theirs > 0) != judge).sum() == 0
    assert 0.02 < judge.mean() < 0.9
