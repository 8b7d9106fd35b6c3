"""What a run keeps beside its weights, and what must not stop it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from clapp_snn.modalities.images import IMAGES
from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.training import loop
from clapp_snn.training.build import choose_engine
from clapp_snn.training.config import from_mapping
from clapp_snn.training.distributed import World
from clapp_snn.training.loop import train
from clapp_snn.training.score_histogram import ScoreHistogram
from tests.training import tiny
from tests.training.test_distributed import in_two_processes


def counts(run: Path) -> float:
    with np.load(run / "scores.npz") as stored:
        return float(sum(stored[name].sum() for name in stored.files if name != "edges"))


def test_score_histogram_goes_on_when_a_run_is_resumed(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(tiny.config(whole, log_every=2), tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    train(tiny.config(cut, log_every=2, steps=4), tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    train(
        tiny.config(cut, log_every=2), tiny.dataset(), tiny.SINGLE, IMAGES, resume=True, quiet=True
    )
    assert counts(whole) == counts(cut)
    # Three logged steps, six areas, 8 images x 105 cells x 17 pairs.
    assert counts(whole) == 3 * 6 * 8 * 105 * 17


def test_time_local_scores_are_counted_once_per_image(tmp_path: Path) -> None:
    """A time-local image is a fixation or a saccade, never both."""
    config = tiny.config(tmp_path / "run", method="clapp", steps=4)
    train(config, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    assert counts(tmp_path / "run") == 6 * 8 * 105


def test_an_empty_histogram_is_not_written(tmp_path: Path) -> None:
    ScoreHistogram(2, 7).write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_counts_belong_to_their_checkpoint(tmp_path: Path) -> None:
    """Going back by a checkpoint does not count the steps between twice."""
    run = tmp_path / "run"
    config = tiny.config(run, log_every=2, checkpoint_every=4)
    train(config, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    whole = counts(run)
    shutil.rmtree(run / "checkpoints" / "step_00000006")
    train(config, tiny.dataset(), tiny.SINGLE, IMAGES, resume=True, quiet=True)
    assert counts(run) == whole


def test_a_checkpoint_without_counts_is_resumed_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    train(tiny.config(run, steps=2), tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    file = run / "checkpoints" / "step_00000002" / "state.json"
    state = json.loads(file.read_text())
    del state["state"]["scores"]
    file.write_text(json.dumps(state))
    train(tiny.config(run, steps=4), tiny.dataset(), tiny.SINGLE, IMAGES, resume=True)
    assert "without counts of scores" in capsys.readouterr().out


def test_counts_of_other_bins_are_refused() -> None:
    counted = [[1.0] * 120]
    with pytest.raises(ValueError, match="in other bins"):
        ScoreHistogram(1, 7).load({"fixation": counted, "saccade": counted})


def test_an_unbounded_loss_may_fall_but_not_rise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the gate, 1 - u has no lower bound: far below -limit is learning, above it is divergence."""
    monkeypatch.setattr(loop, "DIVERGED", 2.5)
    config = tiny.config(tmp_path / "a", method="clapp-s-no-gamma", steps=40, learning_rate=0.05)
    run = train(config, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    last = (run.folder / "metrics.csv").read_text().split()[-1].split(",")
    assert min(float(value) for value in last[5:11]) < -2.5
    monkeypatch.setattr(loop, "DIVERGED", 1.0)
    with pytest.raises(DivergenceError, match="Area 1 diverged at step 1"):
        train(tiny.config(tmp_path / "b"), tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)


def test_a_run_does_not_go_backwards(tmp_path: Path) -> None:
    train(tiny.config(tmp_path / "run"), tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    fewer = tiny.config(tmp_path / "run", steps=5)
    with pytest.raises(ValueError, match="done 6 steps already, more than the 5"):
        train(fewer, tiny.dataset(), tiny.SINGLE, IMAGES, resume=True, quiet=True)


def start_late(world: World, folder: Path) -> None:
    if world.rank == 1:
        import time

        time.sleep(3)
    train(tiny.config(folder / "run", steps=1), tiny.dataset(32), world, IMAGES, quiet=True)


def test_a_slow_process_does_not_mistake_its_own_run_for_another(tmp_path: Path) -> None:
    in_two_processes(tmp_path, start_late)
    assert (tmp_path / "run" / "metrics.csv").exists()


def test_engines_are_refused_where_they_cannot_run() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    compiled = tiny.config(Path("x"), method="cpc", engine="compiled")
    with pytest.raises(ValueError, match="back-propagation"):
        choose_engine(compiled, cpu, explicit=False)
    with pytest.raises(ValueError, match="the device is cuda"):
        choose_engine(tiny.config(Path("x"), engine="native"), cuda, explicit=True)
    engine, sentence = choose_engine(
        tiny.config(Path("x"), engine="auto", precision="bfloat16"), cpu, explicit=True
    )
    assert engine == "torch"
    assert "bfloat16" in sentence


def test_a_value_of_the_wrong_type_is_named() -> None:
    with pytest.raises(ValueError, match=r"a\.yaml holds an option of the wrong type"):
        from_mapping({"batch": "8"}, "a.yaml")
