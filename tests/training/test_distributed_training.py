"""Two processes learn what one process with the same global batch learns."""

import shutil
from pathlib import Path

import pytest
import torch

from clapp_snn.modalities.images import IMAGES
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.distributed import World
from clapp_snn.training.loop import train
from tests.training import tiny
from tests.training.test_distributed import in_two_processes

METHODS = ("clapp", "clapp-s", "clapp-s-2", "supervised")


def learn_together(world: World, folder: Path) -> None:
    for method in METHODS:
        config = tiny.config(folder / f"two-{method}", method=method, batch=8, group=4, steps=3)
        train(config, tiny.dataset(32), world, IMAGES, quiet=True)


def test_two_processes_equal_one_with_the_same_global_batch(tmp_path: Path) -> None:
    """The same groups of 4 images draw the same saccades; sums differ only in their order."""
    in_two_processes(tmp_path, learn_together)
    for method in METHODS:
        config = tiny.config(
            tmp_path / f"one-{method}", method=method, batch=16, group=4, steps=3, keep=9
        )
        train(config, tiny.dataset(32), tiny.SINGLE, IMAGES, quiet=True)
        one = load_checkpoint(tmp_path / f"one-{method}")
        two = load_checkpoint(tmp_path / f"two-{method}")
        start = load_checkpoint(tmp_path / f"one-{method}" / "checkpoints" / "step_00000000")
        assert one.model.keys() == two.model.keys()
        for name, value in one.model.items():
            moved = float((value - start.model[name]).norm())
            assert moved > 0, name
            difference = float((value - two.model[name]).norm())
            assert difference < 2e-3 * moved, (method, name, difference / moved)
        rows = [
            (tmp_path / f"{n}-{method}" / "metrics.csv").read_text().split() for n in ("one", "two")
        ]
        last = [[float(v) for v in row[-1].split(",")[5:]] for row in rows]
        torch.testing.assert_close(
            torch.tensor(last[0]), torch.tensor(last[1]), rtol=1e-4, atol=1e-4
        )


def soft_hebb_in_turn(world: World, folder: Path) -> None:
    config = tiny.config(
        folder / "softhebb", method="softhebb", plasticity="sequential", batch=4, steps=6,
        checkpoint_every=3, keep=9,
    )  # fmt: skip
    resume = (folder / "softhebb").exists()
    train(config, tiny.dataset(32, size=96), world, IMAGES, resume=resume, quiet=True)


def test_two_processes_share_running_statistics_and_resume_exactly(tmp_path: Path) -> None:
    """In its critical period a layer learns from layers that respond with their running statistics."""
    in_two_processes(tmp_path, soft_hebb_in_turn)
    run = tmp_path / "softhebb"
    whole = load_checkpoint(run).model
    shutil.rmtree(run / "checkpoints" / "step_00000006")
    in_two_processes(tmp_path, soft_hebb_in_turn)
    again = load_checkpoint(run)
    assert again.step == 6
    for name, value in whole.items():
        assert torch.equal(value, again.model[name]), name


def test_a_run_of_two_processes_does_not_resume_with_one(tmp_path: Path) -> None:
    in_two_processes(tmp_path, learn_together)
    config = tiny.config(tmp_path / "two-clapp", method="clapp", batch=8, group=4, steps=4)
    with pytest.raises(ValueError, match=r"made by 2 process\(es\), this is 1"):
        train(config, tiny.dataset(32), tiny.SINGLE, IMAGES, resume=True, quiet=True)


def on_machines_of_their_own(world: World, folder: Path) -> None:
    """Only the first process has the folder, as on machines that share none."""
    own = folder / f"machine-{world.rank}"
    options = {"batch": 4, "log_every": 2}
    whole, cut = own / "whole", own / "cut"
    train(tiny.config(whole, **options), tiny.dataset(32), world, IMAGES, quiet=True)
    begun = tiny.config(cut, **options, steps=2)
    train(begun, tiny.dataset(32), world, IMAGES, quiet=True)
    config = tiny.config(cut, **options)
    data = tiny.dataset(32, seed=world.rank)
    with pytest.raises(ValueError, match="not the data this run has learned from"):
        train(config, data, world, IMAGES, resume=True, quiet=True)
    missing = tiny.config(own / "missing", **options)
    with pytest.raises(FileNotFoundError, match=r"holds no run to resume on .*first process"):
        train(missing, tiny.dataset(32), world, IMAGES, resume=True, quiet=True)
    train(config, tiny.dataset(32), world, IMAGES, resume=True, quiet=True)


def test_machines_that_share_no_folder_resume_exactly(tmp_path: Path) -> None:
    in_two_processes(tmp_path, on_machines_of_their_own)
    assert not (tmp_path / "machine-1").exists()
    whole, cut = (load_checkpoint(tmp_path / "machine-0" / name) for name in ("whole", "cut"))
    assert whole.step == cut.step == 6
    for name, value in whole.model.items():
        assert torch.equal(value, cut.model[name]), name
    for name, value in whole.optimizer.items():
        assert torch.equal(value, cut.optimizer[name]), name


def batches_below_and_of_a_group(world: World, folder: Path) -> None:
    for batch, method in ((4, "clapp-s"), (2, "clapp-s"), (2, "supervised")):
        config = tiny.config(folder / f"{method}-{batch}", method=method, batch=batch, steps=1)
        train(config, tiny.dataset(32), world, IMAGES, quiet=True)


def test_smaller_groups_than_in_one_process_are_said_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    in_two_processes(tmp_path, batches_below_and_of_a_group)
    said = [line for line in capfd.readouterr().err.splitlines() if "--group" in line]
    assert len(said) == 1
    assert "negatives come from groups of 2 images" in said[0]
    assert "--batch 4 they would come from groups of 4." in said[0]
