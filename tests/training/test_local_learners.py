"""The other local learners through the training loop: two steps, weights that moved, an encoder to read."""

import math
from pathlib import Path
from typing import cast

import pytest
import torch

from clapp_snn.circuit.soft_hebb import SoftHebbEncoder
from clapp_snn.evaluation.interfaces import standard_views
from clapp_snn.evaluation.probe_table import ProbeRow
from clapp_snn.evaluation.untrained import settle
from clapp_snn.methods.local_learners import LOCAL_LEARNERS
from clapp_snn.modalities.images import IMAGES
from clapp_snn.modalities.modality import ProbeRequest
from clapp_snn.training.build import build_network, load_encoder, require_rectified
from clapp_snn.training.checkpoint import Checkpoint, list_checkpoints, load_checkpoint
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
    fixed = {name for name in last if name.startswith("feedback_")}
    if method == "softhebb":
        fixed = {name for name in last if name.endswith("bias")}
    assert still == fixed
    encoder = load_encoder(settings, tmp_path / "run", torch.device("cpu"))
    side = encoder.architecture.image
    assert len(encoder.features(torch.zeros(1, 1, side, side))) == 6


def test_the_untrained_network_is_probed_with_normalised_layers(tmp_path: Path) -> None:
    """As a checkpoint and as the baseline beside a trained one; trained statistics stay as they are."""
    settings = tiny.config(tmp_path / "run", method="softhebb", steps=2, log_every=1)
    data = tiny.dataset(size=96)
    train(settings, data, tiny.SINGLE, IMAGES, quiet=True)
    rows: list[ProbeRow] = []
    request = ProbeRequest(
        protocols=("few-shot",), seed=0, device=torch.device("cpu"), progress=False
    )
    start, end = list_checkpoints(tmp_path / "run" / "checkpoints")
    IMAGES.probe(settings, end, data, request, rows.append)
    beside = [row.accuracy for row in rows if row.encoder == "random"]
    alone = [score.accuracy for score in IMAGES.scores(settings, start, data, request)["few-shot"]]
    assert beside == alone
    encoder = cast(SoftHebbEncoder, load_encoder(settings, start, torch.device("cpu")))
    views = standard_views(96)
    settle(encoder, data.train, views.centre, 0, "cpu")
    seen = torch.cat([encoder.patches(views.centre(data.train.read(torch.arange(24))))])
    for index in range(6):
        normalised = encoder.normalise(index, seen.permute(0, 3, 1, 2), learn=False)
        assert float(normalised.mean((0, 2, 3)).abs().max()) < 1e-3
        assert float((normalised.var((0, 2, 3)) - 1).abs().max()) < 1e-2
        seen = encoder.respond(index, seen, learn=False).output
    trained = load_encoder(settings, end, torch.device("cpu"))
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    settle(trained, data.train, views.centre, 0, "cpu")
    assert all(torch.equal(value, before[name]) for name, value in trained.state_dict().items())


@pytest.mark.parametrize("method", ["softhebb", "scff"])
def test_resume_is_exact(tmp_path: Path, method: str) -> None:
    """Weights, running statistics and optimisers are those of a run without a break, bit for bit."""
    data = tiny.dataset(size=96)

    def run(name: str, steps: int, resume: bool = False) -> Checkpoint:
        config = tiny.config(tmp_path / name, method=method, steps=steps, log_every=1)
        train(config, data, tiny.SINGLE, IMAGES, resume=resume, quiet=True)
        return load_checkpoint(tmp_path / name)

    whole = run("whole", 4)
    run("cut", 2)
    cut = run("cut", 4, resume=True)
    for one, two in ((whole.model, cut.model), (whole.optimizer, cut.optimizer)):
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("method", ["softhebb", "scff"])
def test_critical_periods(tmp_path: Path, method: str) -> None:
    settings = tiny.config(tmp_path / "run", method=method, plasticity="sequential", log_every=1)
    train(settings, tiny.dataset(size=96), tiny.SINGLE, IMAGES, quiet=True)
    rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[1:]
    losses = [[float(value) for value in row.split(",")[5:11]] for row in rows]
    measured = [[math.isfinite(value) for value in row] for row in losses]
    assert measured == torch.eye(6, dtype=bool).tolist()


def test_engines_that_these_encoders_do_not_have_are_refused(tmp_path: Path) -> None:
    config = tiny.config(tmp_path, method="softhebb", engine="compiled")
    with pytest.raises(ValueError, match="engine='native' or 'torch'"):
        build_network(config, torch.device("cpu"), 3)
    config = tiny.config(tmp_path, method="scff", precision="bfloat16")
    with pytest.raises(ValueError, match="precision='float32' only"):
        build_network(config, torch.device("cpu"), 3)


def test_commands_that_rely_on_rectified_convolutions_refuse_others(tmp_path: Path) -> None:
    for method in ("softhebb", "scff"):
        with pytest.raises(ValueError, match="`clapp-snn export` knows layers of rectified"):
            require_rectified(tiny.config(tmp_path, method=method), "export")
    require_rectified(tiny.config(tmp_path, method="clapp"), "export")
