"""Runs on streams: what they leave, how they stop, and that they go on exactly, even in mid-window."""

import errno
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.stimuli.glances import GlanceStream
from clapp_snn.training import checkpoint, stream_loop
from clapp_snn.training.checkpoint import list_checkpoints, load_checkpoint
from clapp_snn.training.stream_build import build_network, open_objects
from clapp_snn.training.stream_config import StreamConfig, read_stream_config
from clapp_snn.training.stream_learner import StreamLearner
from clapp_snn.training.stream_loop import train_stream
from clapp_snn.training.stream_session import StreamSession, unflatten
from tests.small_data import write_events, write_images

TINY = StreamConfig(
    units=(6, 5), window=30.0, batch=3, windows=6, log_every=2, checkpoint_every=4, seed=3
)
STEPPED = replace(TINY, simulation="stepped", settle=5.0, tau_basal=10.0)
EVENTS = replace(
    TINY,
    data="events",
    source=Path("events"),
    window=80.0,
    settle=20.0,
    simulation="stepped",
    dt=2.0,
)
IMAGES = replace(TINY, data="images", source=Path("images"), encoder="vgg6", width=1 / 128)
KINDS = {
    "events": replace(EVENTS, fold=1, folds=3, simulation="drawn", settle=None),
    "events in time": EVENTS,
    "images": IMAGES,
    "images, rate": replace(IMAGES, neuron="rate", color=True),
    "rate": replace(TINY, neuron="rate"),
    "drawn": TINY,
    "stepped": STEPPED,
    "strict": replace(STEPPED, neuron="strict_burst", retro="free"),
    "lif, sgd": replace(STEPPED, neuron="lif", rule="sgd"),
    "direct feedback": replace(STEPPED, method="clapp-pp-dfb", units=(6, 4, 5)),
    "two contexts": replace(STEPPED, method="clapp-pp-both", units=(6, 4)),
    "feedback on maps": replace(IMAGES, method="clapp-pp-dfb", simulation="stepped", window=6.0),
}
"""Of the eager engine, which can be stopped in mid-window."""
KINDS = {kind: replace(config, engine="torch") for kind, config in KINDS.items()} | {
    f"{kind}, native": replace(KINDS[kind], engine="native")
    for kind in ("events in time", "images", "images, rate", "drawn", "strict", "direct feedback")
}


@pytest.fixture(autouse=True, scope="module")
def data(tmp_path_factory):
    """Relative names of sources are found here."""
    home = tmp_path_factory.mktemp("data")
    write_events(home / "events")
    write_images(home / "images")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        yield


def interrupt_at(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """A real SIGINT during the given call of `advance`."""
    advance, calls = StreamSession.advance, iter(range(1, 10**6))

    def counting(self: StreamSession):
        if next(calls) == call:
            os.kill(os.getpid(), signal.SIGINT)
        return advance(self)

    monkeypatch.setattr(StreamSession, "advance", counting)


def everything(run: Path) -> dict[str, Tensor]:
    newest = load_checkpoint(run)
    return newest.model | newest.optimizer


def rows(run: Path) -> list[list[str]]:
    """metrics.csv without the seconds."""
    lines = (run / "metrics.csv").read_text().split()
    return [[*line.split(",")[:1], *line.split(",")[2:]] for line in lines]


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_run_goes_on_bit_identically(kind, tmp_path: Path, monkeypatch) -> None:
    """Stopped by a signal (where there are steps, in the middle of window 4, and again in window 5)."""
    config = replace(KINDS[kind], out=tmp_path / "whole")
    result = train_stream(config, quiet=True)
    assert (result.windows, result.interrupted) == (6, False)

    whole = config.drawn or config.engine == "native"
    steps = 1 if whole else build_network(config).steps
    config = replace(config, out=tmp_path / "parts")
    done = 0
    for call in (3 * steps + (steps + 1) // 2, steps + 1 if steps > 1 else 1):
        with monkeypatch.context() as patch:
            interrupt_at(patch, call)
            result = train_stream(config, quiet=True, resume=done > 0)
        assert result.interrupted
        assert result.windows == load_checkpoint(config.folder()).step
        done = result.windows
        state = load_checkpoint(config.folder()).optimizer
        assert (int(state["stream.area_1.elapsed"]) > 0) == (steps > 1)
    assert not train_stream(config, quiet=True, resume=True).interrupted

    one, two = everything(tmp_path / "whole"), everything(tmp_path / "parts")
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")


def test_a_run_leaves_everything_in_its_folder_and_learns(tmp_path: Path) -> None:
    config = replace(TINY, out=tmp_path / "run")
    train_stream(config, quiet=True)
    assert read_stream_config(config.folder()) == config
    for name in ("environment.json", "metrics.csv", "tensorboard"):
        assert (tmp_path / "run" / name).exists(), name
    head, *lines = rows(config.folder())
    assert head == ["step", *(f"{k}_{m}" for k in ("loss", "gate", "activity") for m in (1, 2))]
    assert [line[0] for line in lines] == ["2", "4", "6"]
    fresh, learned = build_network(config).state_dict(), load_checkpoint(config.folder()).model
    assert all(not torch.equal(fresh[name], learned[name]) for name in fresh)


def test_a_longer_run_continues_a_finished_one(tmp_path: Path) -> None:
    train_stream(replace(TINY, out=tmp_path / "long", windows=9), quiet=True)
    train_stream(replace(TINY, out=tmp_path / "more"), quiet=True)
    train_stream(replace(TINY, out=tmp_path / "more", windows=9), quiet=True, resume=True)
    one, two = everything(tmp_path / "long"), everything(tmp_path / "more")
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_folders_and_configurations_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    config = replace(TINY, out=tmp_path / "run")
    with pytest.raises(FileNotFoundError, match="no run to resume"):
        train_stream(config, quiet=True, resume=True)
    train_stream(config, quiet=True)
    with pytest.raises(FileExistsError, match="--resume"):
        train_stream(config, quiet=True)
    with pytest.raises(ValueError, match="p_saccade"):
        train_stream(replace(config, p_saccade=0.2), quiet=True, resume=True)
    with pytest.raises(ValueError, match="more windows"):
        train_stream(replace(config, windows=5), quiet=True, resume=True)


def test_diverging_weights_name_area_and_window_and_keep_checkpoints(
    tmp_path: Path, monkeypatch
) -> None:
    learn = StreamLearner.apply

    def poisoned(self: StreamLearner, learned, y):
        if poisoned.calls == 5:
            with torch.no_grad():
                self.hierarchy.area(0).weight[0, 0] = torch.inf
        poisoned.calls += 1
        return learn(self, learned, y)

    poisoned.calls = 0
    monkeypatch.setattr(StreamLearner, "apply", poisoned)
    config = replace(TINY, out=tmp_path / "run")
    with pytest.raises(DivergenceError, match="Window 6: The weights of area 1 are not finite"):
        train_stream(config, quiet=True)
    assert load_checkpoint(config.folder()).step == 4


def test_weights_of_a_checkpoint_that_are_not_finite_name_their_area(
    tmp_path: Path, monkeypatch
) -> None:
    config = replace(TINY, out=tmp_path / "run")
    train_stream(config, quiet=True)

    def poisoned(folder: Path):
        found = load_checkpoint(folder)
        found.model["areas.1.W_pred"][0, 0] = torch.nan
        return found

    monkeypatch.setattr(stream_loop, "load_checkpoint", poisoned)
    with pytest.raises(DivergenceError, match="weights of area 2 are not finite"):
        train_stream(replace(config, windows=9), quiet=True, resume=True)


def test_input_in_time_reaches_the_steps_of_its_window() -> None:
    """Sums of the first area's input over each window are those of the glances."""
    objects = open_objects(EVENTS).learn
    learner = StreamLearner(build_network(EVENTS), 1e-3)
    it = StreamSession(learner, GlanceStream(objects, range(3), EVENTS.seed), EVENTS.seed)
    for _ in range(3):
        assert it._seen is not None
        glance, before = it._seen[0].view.flatten(2), it.states
        for step in range(it.network.steps - 1):
            assert it.advance() is None
            counted = max(0, step + 1 - 10)
            torch.testing.assert_close(
                it.states[0].sums.x, glance[:, 10 : 10 + counted].sum(1), rtol=1e-5, atol=1e-4
            )
        assert it.advance() is not None
        torch.testing.assert_close(it.states[0].x_prev, glance[:, 10:].mean(1))
        assert before is not it.states


def test_a_window_of_another_length_than_the_glance_is_refused(tmp_path: Path) -> None:
    config = replace(EVENTS, window=90.0, out=tmp_path / "run")
    with pytest.raises(ValueError, match="lasts 100 ms, but a window, settling included, 110 ms"):
        train_stream(config, quiet=True)


def test_a_full_disk_keeps_earlier_checkpoints(tmp_path: Path, monkeypatch) -> None:
    save, calls = checkpoint.save_file, []

    def full(tensors, file) -> None:
        calls.append(file)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(tensors, file)

    monkeypatch.setattr(checkpoint, "save_file", full)
    config = replace(TINY, out=tmp_path / "run")
    with pytest.raises(OSError, match="Free some space"):
        train_stream(config, quiet=True)
    assert [path.name for path in list_checkpoints(config.folder() / "checkpoints")] == [
        "step_00000004"
    ]


def test_a_sample_does_not_depend_on_its_batch() -> None:
    """With fixed weights: the same spikes, and updates that sum to those of the batch."""
    config = replace(STEPPED, rule="sgd", learning_rate=1e-30)
    objects = open_objects(config).train

    def counts(samples: list[int]) -> Tensor:
        learner = StreamLearner(build_network(config), config.learning_rate, config.rule)
        it = StreamSession(learner, GlanceStream(objects, samples, config.seed), config.seed)
        found = []
        for _ in range(2 * it.network.steps - 1):
            it.advance()
            found.append(torch.cat([state.sums.z for state in it.states], 1))
        return torch.stack(found, 1)

    assert torch.equal(counts([0, 1, 2])[1:2], counts([1]))


def test_a_finite_stream_ends_with_one_clear_error() -> None:
    objects = open_objects(TINY).train
    learner = StreamLearner(build_network(TINY), 1e-3)
    it = StreamSession(learner, GlanceStream(objects, range(3), 0, windows=2), 0, drawn=True)
    for _ in range(2):
        it.advance()
    with pytest.raises(EOFError, match="ends after 2 windows"):
        it.advance()


def test_a_stored_stream_of_another_network_is_refused() -> None:
    state = build_network(TINY).initial_state(3)[0]
    with pytest.raises(ValueError, match=r"no stream\.x\.basal of shape"):
        unflatten(state, "stream.x", {"stream.x.neuron.refractory": state.neuron.refractory})
