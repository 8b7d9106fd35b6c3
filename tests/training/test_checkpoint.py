"""Checkpoints survive crashes and full disks, and are read back exactly or not at all."""

import errno
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from clapp_snn.training import checkpoint as module
from clapp_snn.training.checkpoint import (
    CheckpointError,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)

STATE = {"epoch": 3, "loss": 0.1 + 0.2, "name": "clapp-s"}


def tensors(seed: int, size: int = 8) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "weight": torch.randn(size, 4, 3, 3, generator=generator),
        "bias": torch.randn(size, generator=generator),
    }


def save(folder: Path, step: int, **options: int) -> Path:
    return save_checkpoint(folder, step, tensors(step), tensors(step + 1000), STATE, **options)


def assert_is(path: Path, step: int) -> None:
    found = load_checkpoint(path)
    assert found.step == step
    assert found.state == STATE
    for got, expected in ((found.model, tensors(step)), (found.optimizer, tensors(step + 1000))):
        assert got.keys() == expected.keys()
        assert all(torch.equal(got[name], expected[name]) for name in expected)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("level", ["run", "checkpoints", "step"])
def test_reads_back_what_was_written_from_any_level(tmp_path: Path, level: str) -> None:
    folder = save(tmp_path / "checkpoints", 12)
    assert folder == tmp_path / "checkpoints" / "step_00000012"
    assert names(folder) == ["model.safetensors", "optimizer.safetensors", "state.json"]
    assert_is({"run": tmp_path, "checkpoints": folder.parent, "step": folder}[level], 12)


def test_awkward_tensors_are_stored_by_value(tmp_path: Path) -> None:
    shared = torch.arange(12.0).reshape(3, 4)
    model = {
        "w": shared,
        "w_transposed": shared.T,
        "part": shared[1],
        "channels_last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "half": torch.randn(3).bfloat16(),
        "count": torch.tensor(7),
        "needs_grad": torch.ones(2, requires_grad=True),
    }
    save_checkpoint(tmp_path, 0, model, {}, {})
    found = load_checkpoint(tmp_path)
    assert found.optimizer == {}
    for name, value in model.items():
        assert found.model[name].dtype == value.dtype
        assert torch.equal(found.model[name], value)


def test_keeps_the_newest_and_the_milestones(tmp_path: Path) -> None:
    for step in range(0, 80, 10):
        save(tmp_path, step, keep=2, milestones=30)
    assert names(tmp_path) == [f"step_{step:08d}" for step in (0, 30, 60, 70)]


def test_pruning_spares_later_steps_and_the_one_just_written(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        save(tmp_path, step, keep=3)
    save(tmp_path, 15, keep=1)
    assert names(tmp_path) == ["step_00000015", "step_00000020", "step_00000030"]
    assert_is(tmp_path, 30)


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    save(tmp_path, 5)
    save_checkpoint(tmp_path, 5, {"new": torch.ones(1)}, {}, {})
    assert names(tmp_path) == ["step_00000005"]
    assert load_checkpoint(tmp_path).model.keys() == {"new"}


def test_more_than_eight_digits_sort_by_number(tmp_path: Path) -> None:
    save(tmp_path, 99_999_999)
    save(tmp_path, 100_000_000)
    assert_is(tmp_path, 100_000_000)


@pytest.mark.parametrize("options", [{"keep": 0}, {"milestones": -1}])
def test_impossible_options_are_refused(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="keep must be at least 1"):
        save(tmp_path, 1, **options)


class Killed(BaseException):
    """Stands for the process being killed: nothing it does afterwards reaches the disk."""


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, call: int) -> Iterator[list[int]]:
    """Every change of the disk from the `call`-th on raises; yields the count of the changes."""
    count = [0]

    def guard(function: Callable[..., object]) -> Callable[..., object]:
        def guarded(*arguments: object, **options: object) -> object:
            count[0] += 1
            if count[0] >= call:
                raise Killed
            return function(*arguments, **options)

        return guarded

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_file", guard(save_file))
        patch.setattr(Path, "write_text", guard(Path.write_text))
        patch.setattr(Path, "chmod", guard(Path.chmod))
        patch.setattr(Path, "rename", guard(Path.rename))
        patch.setattr(os, "fsync", guard(os.fsync))
        patch.setattr(shutil, "rmtree", guard(shutil.rmtree))
        yield count


@pytest.mark.parametrize("new_step", [20, 10])
def test_killed_at_any_moment_a_whole_checkpoint_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_step: int
) -> None:
    call = 0
    finished = False
    while not finished:
        call += 1
        run = tmp_path / str(call)
        save(run, 5)
        save(run, 10)
        with killed_at(monkeypatch, call) as count:
            try:
                save(run, new_step, keep=1)
                finished = True
            except Killed:
                assert count[0] >= call
        step = load_checkpoint(run).step
        assert step in {10, new_step}
        assert_is(run, step)
        # The next session goes on and clears away what the killed one left.
        save(run, 30, keep=1)
        assert names(run) == ["step_00000030"]
    assert call > 12


def full_disk_in_rust(*_: object) -> None:
    raise SafetensorError(
        "Error while serializing: I/O error: No space left on device (os error 28)"
    )


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("owner", "name", "failure"),
    [
        (module, "save_file", full_disk_in_rust),
        (Path, "write_text", full_disk),
        (os, "fsync", full_disk),
        (Path, "mkdir", full_disk),
        (Path, "rename", full_disk),
    ],
)
def test_full_disk_is_one_clear_error_and_loses_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    failure: Callable[..., None],
) -> None:
    save(tmp_path, 10)
    save(tmp_path, 20)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failure)
        with pytest.raises(OSError, match="could not write the checkpoint of step 30") as caught:
            save(tmp_path, 30, keep=1)
    assert caught.value.errno == errno.ENOSPC
    assert str(tmp_path) in str(caught.value)
    assert "step_00000020 and those before it are untouched" in str(caught.value)
    assert "Free some space" in str(caught.value)
    assert names(tmp_path) == ["step_00000010", "step_00000020"]
    assert_is(tmp_path / "step_00000010", 10)
    assert_is(tmp_path, 20)


def test_a_write_that_the_system_cuts_short_loses_nothing(tmp_path: Path) -> None:
    save(tmp_path, 10)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
    try:
        with pytest.raises(OSError, match="could not write the checkpoint of step 20") as caught:
            save_checkpoint(tmp_path, 20, tensors(20, size=200), {}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert names(tmp_path) == ["step_00000010"]
    assert_is(tmp_path, 10)


def test_leftovers_of_an_interrupted_write_are_passed_over(tmp_path: Path) -> None:
    save(tmp_path, 10)
    part = tmp_path / ".step_00000020.abcd.part"
    part.mkdir()
    (part / "model.safetensors").write_bytes(b"half")
    without_state = tmp_path / "step_00000030"
    without_state.mkdir()
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step_00000010"]
    assert_is(tmp_path, 10)


@pytest.mark.parametrize("kind", ["absent", "empty"])
def test_no_checkpoint_is_a_clear_error(tmp_path: Path, kind: str) -> None:
    folder = tmp_path if kind == "empty" else tmp_path / "nothing"
    with pytest.raises(CheckpointError, match=r"does not exist|no complete checkpoint") as caught:
        load_checkpoint(folder)
    assert str(folder) in str(caught.value)


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.safetensors"])
@pytest.mark.parametrize(
    ("damage", "reason"),
    [(flip_a_bit, "SHA-256"), (cut, "bytes instead of"), (Path.unlink, "missing")],
)
def test_damage_is_named_and_the_checkpoint_before_is_offered(
    tmp_path: Path, file: str, damage: Callable[[Path], None], reason: str
) -> None:
    save(tmp_path, 10)
    damage(save(tmp_path, 20) / file)
    with pytest.raises(CheckpointError, match=reason) as caught:
        load_checkpoint(tmp_path)
    assert file in str(caught.value)
    assert f"resume from {tmp_path / 'step_00000010'}" in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"step": 1}', "null"])
def test_a_damaged_description_is_named(tmp_path: Path, text: str) -> None:
    (save(tmp_path, 10) / "state.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"state\.json"):
        load_checkpoint(tmp_path)
