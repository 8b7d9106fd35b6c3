"""What a run was made with is written down truly, session by session."""

import json
import platform
import subprocess
from pathlib import Path

import pytest
import torch

from clapp_snn.training import environment as module
from clapp_snn.training.environment import (
    describe_environment,
    read_environment,
    record_environment,
)


def test_describes_this_process() -> None:
    facts = describe_environment(7, ["clapp-snn", "train", "a folder"])
    assert facts["seed"] == 7
    assert facts["command"] == "clapp-snn train 'a folder'"
    assert facts["packages"]["torch"] == torch.__version__
    assert facts["python"] == platform.python_version()
    assert facts["cpu"]["threads"] == torch.get_num_threads()
    assert facts["cpu"]["model"]
    assert facts["cpu"]["vectors"]
    assert len(facts["gpus"]) == torch.cuda.device_count()
    assert json.loads(json.dumps(facts)) == facts


def test_sessions_are_appended(tmp_path: Path) -> None:
    first = {"seed": 1}
    path = record_environment(tmp_path, first)
    assert path == tmp_path / "environment.json"
    record_environment(tmp_path, {"seed": 2})
    assert read_environment(tmp_path) == [first, {"seed": 2}]
    assert [entry.name for entry in tmp_path.iterdir()] == ["environment.json"]


@pytest.mark.parametrize("text", ["{", "[]", '{"other": 1}'])
def test_a_strange_file_is_not_overwritten(tmp_path: Path, text: str) -> None:
    (tmp_path / "environment.json").write_text(text)
    with pytest.raises(ValueError, match=r"environment\.json does not hold"):
        record_environment(tmp_path, {"seed": 1})
    assert (tmp_path / "environment.json").read_text() == text


def test_commit_only_of_the_repository_that_tracks_the_file(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *words],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    tracked, installed = tmp_path / "a.py", tmp_path / "site" / "b.py"
    installed.parent.mkdir()
    tracked.write_text("1")
    installed.write_text("1")
    assert module._git_state(tracked) is None
    git("init", "--quiet")
    git("add", "a.py")
    git("commit", "--quiet", "-m", "first")
    assert module._git_state(tracked) == {"commit": git("rev-parse", "HEAD"), "modified": False}
    assert module._git_state(installed) is None
    tracked.write_text("2")
    state = module._git_state(tracked)
    assert state is not None
    assert state["modified"]


def test_no_git_program_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert describe_environment(1, "clapp-snn demo")["git"] is None
