"""The other local learners through the training loop: two steps, weights that moved, an encoder to read."""

from pathlib import Path

import pytest
import torch

from clapp_snn.methods.local_learners import LOCAL_LEARNERS
from clapp_snn.modalities.images import IMAGES
from clapp_snn.training.build import load_encoder
from clapp_snn.training.checkpoint import list_checkpoints, load_checkpoint
from clapp_snn.training.loop import train
from tests.training import tiny

OTHERS = [name for name, method in LOCAL_LEARNERS.items() if method.maps is None]


@pytest.mark.parametrize("method", OTHERS)
def test_two_steps(tmp_path: Path, method: str) -> None:
    settings = tiny.config(tmp_path / "run", method=method, steps=2, log_every=1, engine="auto")
    train(settings, tiny.dataset(size=96), tiny.SINGLE, IMAGES, quiet=True)
    first = load_checkpoint(list_checkpoints(tmp_path / "run" / "checkpoints")[0]).model
    last = load_checkpoint(tmp_path / "run").model
    still = {name for name in last if torch.equal(first[name], last[name])}
    assert still == {name for name in last if name.startswith("feedback_")}
    encoder = load_encoder(settings, tmp_path / "run", torch.device("cpu"))
    side = encoder.architecture.image
    assert len(encoder.features(torch.zeros(1, 1, side, side))) == 6
