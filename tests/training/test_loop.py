"""The loop refuses what cannot work, and keeps what was done."""

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from clapp_snn.modalities.images import IMAGES
from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.stimuli.photographs import open_photographs
from clapp_snn.training import checkpoint, loop
from clapp_snn.training.checkpoint import list_checkpoints, load_checkpoint
from clapp_snn.training.config import read_config
from clapp_snn.training.learner import AreaReport, LocalLearner
from clapp_snn.training.loop import train
from tests.training import tiny


def test_a_run_leaves_everything_in_its_folder(tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = train(tiny.config(run), tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    assert (result.step, result.total, result.interrupted) == (6, 6, False)
    assert read_config(run) == tiny.config(run)
    for name in ("environment.json", "metrics.csv", "scores.npz", "tensorboard"):
        assert (run / name).exists(), name
    rows = (run / "metrics.csv").read_text().split()
    assert [row.split(",")[0] for row in rows] == ["step", "4", "6"]
    assert load_checkpoint(run).step == 6


def test_learning_lowers_the_loss_of_every_area(tmp_path: Path) -> None:
    run = tmp_path / "run"
    config = tiny.config(
        run, steps=60, log_every=10, width=1 / 16, batch=16, group=16, engine="auto"
    )
    train(config, open_photographs(), tiny.SINGLE, IMAGES, quiet=True)
    head, *rows = [line.split(",") for line in (run / "metrics.csv").read_text().split()]
    for module in range(1, 7):
        column = head.index(f"loss_{module}")
        assert float(rows[-1][column]) < float(rows[0][column]) - 0.02


def test_the_learning_rate_falls_over_the_last_share_of_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    original = LocalLearner.step

    def step(self: LocalLearner, *given: Any) -> list[AreaReport]:
        seen.extend({group["lr"] for o in self.optimizers for group in o.param_groups})
        return original(self, *given)

    monkeypatch.setattr(LocalLearner, "step", step)
    config = tiny.config(tmp_path / "run", learning_rate=0.004, decay=2 / 3)
    train(config, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    assert seen == pytest.approx([0.004, 0.004, 0.004, 0.003, 0.002, 0.001])


def test_an_existing_run_is_not_overwritten(tmp_path: Path) -> None:
    config = tiny.config(tmp_path / "run")
    train(config, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    with pytest.raises(FileExistsError, match="--resume"):
        train(config, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)


def test_resume_needs_a_run_the_same_configuration_and_the_same_data(tmp_path: Path) -> None:
    config = tiny.config(tmp_path / "run")
    with pytest.raises(FileNotFoundError, match="no run to resume"):
        train(config, tiny.dataset(), tiny.SINGLE, IMAGES, resume=True, quiet=True)
    train(config, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    changed = tiny.config(tmp_path / "run", learning_rate=2e-3, method="clapp")
    with pytest.raises(
        ValueError, match=r"method: 'clapp-s' -> 'clapp'; learning_rate: 0.001 -> 0.002"
    ):
        train(changed, tiny.dataset(), tiny.SINGLE, IMAGES, resume=True, quiet=True)
    with pytest.raises(ValueError, match="not the data this run has learned from"):
        train(config, tiny.dataset(seed=1), tiny.SINGLE, IMAGES, resume=True, quiet=True)


def test_batch_larger_than_the_data(tmp_path: Path) -> None:
    config = tiny.config(tmp_path / "run", batch=32)
    with pytest.raises(ValueError, match=r"32 images .* larger than the data \(24 images\)"):
        train(config, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)


def test_images_smaller_than_the_crop(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="smaller than the crop of 64"):
        train(tiny.config(tmp_path / "run"), tiny.dataset(size=40), tiny.SINGLE, IMAGES, quiet=True)


@pytest.mark.parametrize("method", ["clapp-s", "cpc"])
def test_divergence_names_area_and_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Weights of the top layer are poisoned after two steps; the loss of step 3 is not a number."""
    make = loop.choose_learner

    def poisoned(config, hierarchy, world):  # type: ignore[no-untyped-def]
        learner = make(config, hierarchy, world)
        step, count = learner.step, [0]

        def counted(*arguments):  # type: ignore[no-untyped-def]
            if count[0] == 2:
                with torch.no_grad():
                    hierarchy.encoder.layer(5).weight.fill_(float("nan"))
            count[0] += 1
            return step(*arguments)

        learner.step = counted
        return learner

    monkeypatch.setattr(loop, "choose_learner", poisoned)
    area = 6 if method == "clapp-s" else 1
    with pytest.raises(DivergenceError, match=rf"Area {area} diverged at step 3"):
        train(
            tiny.config(tmp_path / "run", method=method, checkpoint_every=2),
            tiny.dataset(),
            tiny.SINGLE,
            IMAGES,
            quiet=True,
        )
    kept = load_checkpoint(tmp_path / "run")
    assert kept.step == 2
    assert all(bool(tensor.isfinite().all()) for tensor in kept.model.values())


def test_full_disk_keeps_the_previous_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    train(
        tiny.config(run, steps=2, checkpoint_every=2),
        tiny.dataset(),
        tiny.SINGLE,
        IMAGES,
        quiet=True,
    )
    before = load_checkpoint(run)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    config = tiny.config(run, steps=4, checkpoint_every=2)
    with pytest.raises(OSError, match="No space left") as raised:
        train(config, tiny.dataset(), tiny.SINGLE, IMAGES, resume=True, quiet=True)
    assert raised.value.errno == errno.ENOSPC
    after = load_checkpoint(run)
    assert after.step == before.step == 2
    assert [path.name for path in list_checkpoints(run / "checkpoints")][-1] == "step_00000002"


def test_random_init_trains_for_no_step(tmp_path: Path) -> None:
    config = tiny.config(tmp_path / "run", method="random", steps=None)
    result = train(config, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    assert (result.step, result.total) == (0, 0)
    assert load_checkpoint(tmp_path / "run").step == 0


def test_weights_that_overflow_are_not_saved(tmp_path: Path) -> None:
    """The loss is that of the weights before the step; what the step made of them is looked at, too."""
    config = tiny.config(tmp_path / "run", learning_rate=1e38, steps=1, weight_decay=None)
    with pytest.raises(DivergenceError, match=r"diverged at step 1: it holds NaN or infinity"):
        train(config, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    kept = list_checkpoints(tmp_path / "run" / "checkpoints")
    assert [load_checkpoint(folder).step for folder in kept] == [0]
