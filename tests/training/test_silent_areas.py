"""An area that has fallen silent is named, once."""

from pathlib import Path

import pytest
import torch

from clapp_snn.circuit.network import Network
from clapp_snn.modalities.images import IMAGES
from clapp_snn.training.loop import train
from tests.training import tiny


@pytest.mark.parametrize("silent", [0, 1, 2])
def test_silent_areas_are_named_once(
    silent: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reset = Network.reset_parameters

    def shut(network: Network, seed: int) -> None:
        reset(network, seed)
        with torch.no_grad():
            for index in range(6 - silent, 6):
                network.encoder.layer(index).bias.fill_(-1e3)

    monkeypatch.setattr(Network, "reset_parameters", shut)
    config = tiny.config(tmp_path / "run", method="clapp", log_every=2, steps=6)
    train(config, tiny.dataset(), tiny.SINGLE, IMAGES)
    printed = capsys.readouterr().out
    assert printed.count("Silent neurons learn nothing more") == (1 if silent else 0)
    if silent:
        areas = {1: "area 6", 2: "areas 5, 6"}[silent]
        assert f"Step 2: all scores of {areas} are 0." in printed
