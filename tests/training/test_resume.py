"""A run that is stopped and continued ends with the weights of a run that was not, bit for bit."""

import json
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
from tests.threads import threads
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


def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "available", lambda: False)
    monkeypatch.setattr(native, "why_unavailable", lambda: "no C compiler is on the PATH.")


def learn(run: Path, steps: int, resume: bool = False, engine: str = "auto") -> None:
    config = tiny.config(run, steps=steps, log_every=2, engine=engine)
    train(config, tiny.dataset(), tiny.SINGLE, IMAGES, resume=resume, quiet=True)


def test_kernels_that_began_a_run_are_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not native.available():
        pytest.skip(native.why_unavailable())
    learn(tmp_path / "run", 2)
    without_kernels(monkeypatch)
    with pytest.raises(
        ValueError, match=r"begun with engine='native'.*no C compiler.*Resume where"
    ):
        learn(tmp_path / "run", 4, resume=True)
    assert load_checkpoint(tmp_path / "run").step == 2


def test_a_run_begun_without_kernels_goes_on_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not native.available():
        pytest.skip(native.why_unavailable())
    learn(tmp_path / "whole", 4, engine="torch")
    with monkeypatch.context() as patch:
        without_kernels(patch)
        learn(tmp_path / "cut", 2)
    learn(tmp_path / "cut", 4, resume=True)
    assert_same_end(tmp_path / "whole", tmp_path / "cut")


def test_an_engine_that_is_asked_for_against_the_begun_one_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    learn(run, 2, engine="torch")
    change_state(run, 2, engines=["native"])
    with pytest.raises(ValueError, match=r"engine='native'.*engine='torch' is asked for"):
        learn(run, 4, resume=True, engine="torch")


def change_state(run: Path, step: int, **values: object) -> None:
    """Overwrite entries of a checkpoint's state; None removes one."""
    file = run / "checkpoints" / f"step_{step:08d}" / "state.json"
    description = json.loads(file.read_text())
    description["state"].update(values)
    kept = {name: value for name, value in description["state"].items() if value is not None}
    file.write_text(json.dumps(description | {"state": kept}))


def test_another_number_of_threads_is_said_even_in_a_quiet_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    learn(run, 2)
    learn(run, 3, resume=True)
    assert capsys.readouterr().err == ""
    with threads(torch.get_num_threads() + 1):
        learn(run, 4, resume=True)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "on 1 thread(s) and goes on with 2" in said
    assert "not be bit for bit" in said


def test_a_checkpoint_that_names_neither_engine_nor_threads_is_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    learn(run, 4)
    learn(tmp_path / "old", 2)
    change_state(tmp_path / "old", 2, engines=None, threads=None)
    learn(tmp_path / "old", 4, resume=True)
    assert capsys.readouterr().err == ""
    assert_same_end(run, tmp_path / "old")


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
