"""A run that is stopped and continued ends with the weights of a run that was not, bit for bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from clapp_snn import native
from clapp_snn.modalities.images import IMAGES
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.loop import train
from tests.training import tiny


def assert_same_end(a: Path, b: Path) -> None:
    first, second = load_checkpoint(a), load_checkpoint(b)
    assert first.step == second.step
    for one, two in ((first.model, second.model), (first.optimizer, second.optimizer)):
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one)
    columns = ("step", "epoch", "images", "loss_", "gate_")
    rows = []
    for run in (a, b):
        head, *body = [line.split(",") for line in (run / "metrics.csv").read_text().split()]
        kept = [
            i for i, name in enumerate(head) if name.startswith(columns) and "second" not in name
        ]
        rows.append([[line[i] for i in kept] for line in body])
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("method", "engine"),
    [
        ("clapp-s", "torch"),
        ("clapp", "torch"),
        ("clapp-s-above", "torch"),
        ("hinge-cpc", "torch"),
        ("supervised-greedy", "torch"),
        ("clapp-s", "native"),
    ],
)
@pytest.mark.parametrize("stop", [1, 5])
def test_resume_is_exact(tmp_path: Path, method: str, engine: str, stop: int) -> None:
    if engine == "native" and not native.available():
        pytest.skip(native.why_unavailable())
    data = tiny.dataset()
    options = {"method": method, "engine": engine, "sharing": "code"}
    whole = tiny.config(tmp_path / "whole", **options)
    train(whole, data, tiny.SINGLE, IMAGES, quiet=True)
    # The first session is a run whose end is moved later: steps may change on resume.
    train(
        tiny.config(tmp_path / "cut", steps=stop, **options), data, tiny.SINGLE, IMAGES, quiet=True
    )
    result = train(
        tiny.config(tmp_path / "cut", **options), data, tiny.SINGLE, IMAGES, resume=True, quiet=True
    )
    assert result.step == result.total == 6
    if stop % whole.log_every:
        # A run that ends between two rows logs its last, shorter interval; only weights must agree.
        a, b = load_checkpoint(tmp_path / "whole"), load_checkpoint(tmp_path / "cut")
        assert all(torch.equal(a.model[name], b.model[name]) for name in a.model)
        assert all(torch.equal(a.optimizer[name], b.optimizer[name]) for name in a.optimizer)
    else:
        assert_same_end(tmp_path / "whole", tmp_path / "cut")


def test_ctrl_c_stops_cleanly_and_resumes_exactly(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "clapp_snn.cli", "train", "--width", "0.03125", "--batch", "8",
        "--steps", "24", "--log_every", "6", "--engine", "torch", "--decay", "0.75",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run(
        [*command, "--out", str(whole)], env=environment, check=True, capture_output=True
    )
    process = subprocess.Popen(
        [*command, "--out", str(cut)], env=environment, stderr=subprocess.PIPE, text=True
    )
    metrics = cut / "metrics.csv"
    limit = time.monotonic() + 120
    while not (metrics.exists() and metrics.read_text().count("\n") >= 2):
        assert process.poll() is None, "the run ended before it could be interrupted"
        assert time.monotonic() < limit
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "finishing this step" in errors
    stopped = load_checkpoint(cut).step
    assert 6 <= stopped < 24
    subprocess.run(
        [*command, "--out", str(cut), "--resume"], env=environment, check=True, capture_output=True
    )
    assert_same_end(whole, cut)
