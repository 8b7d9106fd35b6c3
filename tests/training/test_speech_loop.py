"""The training loop on speech: the same loop, checkpoints and logs as for images."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clapp_snn.methods.speech import SPEECH_METHODS
from clapp_snn.modalities.speech import SPEECH
from clapp_snn.stimuli.speech_record import SpeechCorpus, SpeechSplit
from clapp_snn.stimuli.utterances import open_utterances
from clapp_snn.training.batches import Plan
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.config import TrainConfig, read_config
from clapp_snn.training.loop import train
from clapp_snn.training.speech_batches import SpeechBatches
from clapp_snn.training.speech_build import build_speech, load_speech_encoder
from tests.training.tiny import SINGLE


@pytest.fixture(scope="module")
def corpus() -> SpeechCorpus:
    return open_utterances(2, 3, 1)


def config(out: Path, **changes: object) -> TrainConfig:
    values: dict[str, object] = {
        "data": "utterances", "out": out, "width": 1 / 64, "batch": 4, "group": 2, "steps": 2,
        "learning_rate": 1e-3, "log_every": 1, "device": "cpu",
    }  # fmt: skip
    return TrainConfig(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("method", SPEECH_METHODS)
def test_two_steps_of_every_method(tmp_path: Path, corpus: SpeechCorpus, method: str) -> None:
    run = tmp_path / "run"
    result = train(config(run, method=method), corpus, SINGLE, SPEECH, quiet=True)
    learns = SPEECH_METHODS[method].task != "none"
    assert (result.step, result.total) == ((2, 2) if learns else (0, 0))
    with (run / "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert {f"loss_{m + 1}" for m in range(len(SPEECH_METHODS[method].splits))} < row.keys()
        assert all(math.isfinite(float(value)) for value in row.values())
    start, _ = build_speech(
        config(run, method=method), torch.device("cpu"), len(corpus.class_names)
    )
    before, after = start.state_dict(), load_checkpoint(run).model
    assert before.keys() == after.keys()
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    assert moved == (set(after) if learns else set())
    encoder = load_speech_encoder(read_config(run), run, torch.device("cpu"))
    assert torch.equal(encoder.gru.weight_ih_l0, after["encoder.gru.weight_ih_l0"])


@pytest.mark.parametrize("method", ["clapp-s", "cpc"])
def test_a_resumed_run_is_the_run(tmp_path: Path, corpus: SpeechCorpus, method: str) -> None:
    options = {"method": method, "recurrence": "eprop"}
    train(config(tmp_path / "whole", steps=4, **options), corpus, SINGLE, SPEECH, quiet=True)
    train(config(tmp_path / "cut", steps=3, **options), corpus, SINGLE, SPEECH, quiet=True)
    again = config(tmp_path / "cut", steps=4, **options)
    train(again, corpus, SINGLE, SPEECH, resume=True, quiet=True)
    whole, cut = (load_checkpoint(tmp_path / name).model for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    changed = config(tmp_path / "cut", steps=4, method=method, recurrence="detached")
    with pytest.raises(ValueError, match=r"recurrence: 'eprop' -> 'detached'"):
        train(changed, corpus, SINGLE, SPEECH, resume=True, quiet=True)


def test_the_three_recurrences_differ_in_the_top_area_alone(
    tmp_path: Path, corpus: SpeechCorpus
) -> None:
    models = []
    for form in ("bptt", "eprop", "detached"):
        train(config(tmp_path / form, recurrence=form), corpus, SINGLE, SPEECH, quiet=True)
        models.append(load_checkpoint(tmp_path / form).model)
    top = ("encoder.convolutions.4", "encoder.gru", "areas.4")
    for other in models[1:]:
        different = {name for name in other if not torch.equal(models[0][name], other[name])}
        assert different
        assert all(name.startswith(top) for name in different)


def test_batches_are_a_function_of_the_step(corpus: SpeechCorpus) -> None:
    plan = Plan(len(corpus.train), 4, 2, 0, 1, seed=3)
    batches = SpeechBatches(corpus.train, plan, torch.device("cpu"))
    whole = list(batches.between(0, 3))
    (late,) = batches.between(2, 3)
    assert torch.equal(whole[2][1], late[1])
    assert whole[0][1].shape == (4, 20480)
    assert late[2] is not None
    assert late[2].shape == (4, 128)
    parts = [Plan(len(corpus.train), 2, 2, rank, 2, seed=3) for rank in range(2)]
    halves = [
        next(SpeechBatches(corpus.train, p, torch.device("cpu")).between(2, 3)) for p in parts
    ]
    assert torch.equal(torch.cat([half[1] for half in halves]), late[1])


def test_utterances_without_labels_give_none(corpus: SpeechCorpus) -> None:
    bare = SpeechSplit([replace(one, phones=None) for one in corpus.train.utterances])
    plan = Plan(len(bare), 4, 2, 0, 1, seed=3)
    _, audio, labels = next(SpeechBatches(bare, plan, torch.device("cpu")).between(0, 1))
    assert labels is None
    assert audio.isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recurrence": "eprop", "data": "photographs"}, "recurrence is an option for speech"),
        ({"color": True, "data": "utterances"}, "color is an option for images"),
        (
            {"method": "clapp", "data": "utterances"},
            "Unknown method 'clapp' for speech; choose one of",
        ),
        ({"precision": "bfloat16", "data": "librispeech:x"}, "precision is an option for images"),
    ],
)
def test_options_of_another_modality_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainConfig(**options)  # type: ignore[arg-type]


def test_the_folder_names_data_and_variant() -> None:
    made = TrainConfig(data="librispeech:some/where", recurrence="eprop")
    assert made.folder() == Path("runs/clapp-s-eprop-where-w1-s2")
    assert made.variant == "eprop"
    assert TrainConfig(data="utterances").folder() == Path("runs/clapp-s-utterances-w1-s2")


def test_foreign_weights_are_refused(tmp_path: Path, corpus: SpeechCorpus) -> None:
    train(config(tmp_path / "run", steps=0), corpus, SINGLE, SPEECH, quiet=True)
    wider = config(tmp_path / "run", width=1 / 32)
    with pytest.raises(ValueError, match="do not fit a speech encoder of width"):
        load_speech_encoder(wider, tmp_path / "run", torch.device("cpu"))
