"""SpikingJelly reads our files and computes the same spikes; needs `pip install spikingjelly`."""

from pathlib import Path

import numpy as np
import pytest

from clapp_snn.export.interpreter import run
from clapp_snn.export.nir_encoder import encoder_graph
from clapp_snn.export.nir_file import read_graph, write_graph
from clapp_snn.export.nir_import import network_of
from tests.export.networks import conv, deadline, dense, spikes

torch = pytest.importorskip("torch")
pytest.importorskip("spikingjelly")


@pytest.mark.parametrize("beta", [0.9, 1.0])
@pytest.mark.parametrize("make", [dense, conv])
def test_no_spike_differs(make: type, beta: float, tmp_path: Path) -> None:
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    network = make(beta)
    graph = read_graph(write_graph(tmp_path / "network.nir", encoder_graph(network, average=True)))
    x = spikes(network, 120)
    with deadline(120):
        module = import_from_nir(graph, dt=graph.metadata["dt"])
        state, found = None, []
        with torch.no_grad():
            for each in torch.from_numpy(x.astype(np.float32)).unbind():
                z, state = module(each, state)
                found.append(z)
    judge = run(network_of(graph), x)[-1]
    assert ((torch.stack(found).numpy() > 0) != judge).sum() == 0
    assert 0.02 < judge.mean() < 0.9
