"""Equal spikes, counted: the judge, snnTorch and norse on the same files. 0 differ."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from clapp_snn.export.canonical import Network
from clapp_snn.export.interpreter import run
from clapp_snn.export.nir_encoder import encoder_graph
from clapp_snn.export.nir_file import read_graph, write_graph
from clapp_snn.export.nir_import import network_of
from clapp_snn.export.simulators import Simulator, simulate
from tests.export.networks import conv, deadline, dense, spikes

SECONDS = 60
STEPS = 150


@pytest.mark.parametrize("simulator", get_args(Simulator))
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("beta", [0.9, 1.0])
@pytest.mark.parametrize("make", [dense, conv])
def test_no_spike_differs(
    make: type, beta: float, recurrent: bool, simulator: Simulator, tmp_path: Path
) -> None:
    network: Network = make(beta, recurrent)
    graph = read_graph(write_graph(tmp_path / "network.nir", encoder_graph(network)))
    x = spikes(network, STEPS)
    judge = run(network_of(graph), x)[-1]
    with deadline(SECONDS):
        theirs = simulate(graph, x, simulator)
    assert (theirs != judge).sum() == 0
    assert 0.02 < judge.mean() < 0.9


def test_another_step_gives_other_spikes() -> None:
    """What the metadata are for: a simulator at its own time step runs another network."""
    network = dense()
    x = spikes(network)
    graph = encoder_graph(network)
    judge = run(network_of(graph), x)[-1]
    assert np.mean(simulate(graph, x, "norse", step=1e-3) != judge) > 0.05
