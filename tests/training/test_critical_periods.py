"""Critical periods: one area learns at a time, exactly as it would among the others; resume is exact."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.image_network import ImageNetwork
from clapp_snn.circuit.network import AreaUpdate
from clapp_snn.circuit.speech_hierarchy import SpeechHierarchy
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.speech import SPEECH6, SpeechEncoder
from clapp_snn.methods import get_method
from clapp_snn.modalities.images import IMAGES
from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.randomness import generator
from clapp_snn.report.html import write_report
from clapp_snn.training.build import image_network
from clapp_snn.training.checkpoint import list_checkpoints, load_checkpoint
from clapp_snn.training.config import TrainConfig, require_same
from clapp_snn.training.critical_periods import SequentialLearner, choose_learner, plastic_area
from clapp_snn.training.logbook import read_metrics
from clapp_snn.training.loop import train
from tests.circuit import small_maps
from tests.training import tiny


def patches(name: str) -> ImageNetwork:
    network = image_network(get_method(name), 1 / 64)
    network.reset_parameters(seed=1)
    return network


def streams(area: int, loss: int) -> list[torch.Generator]:
    return [generator(5, "saccade", area, loss)]


def images() -> Tensor:
    return torch.randn(2, 1, 64, 64, generator=generator(0, "images"))


def equal(a: AreaUpdate, b: AreaUpdate) -> bool:
    return all(
        torch.equal(one, two) for (_, one), (_, two) in zip(a.changes, b.changes, strict=True)
    )


@pytest.mark.parametrize("name", ["clapp", "clapp-s", "clapp-fb", "gim-layerwise"])
def test_an_area_learns_alone_what_it_learns_among_others(name: str) -> None:
    network = patches(name)
    for update in network.learn(images(), streams, 2):
        assert equal(network.learn_area(update.area, images(), streams, 2), update)


@pytest.mark.parametrize("name", small_maps.LOCAL)
def test_an_area_on_maps_learns_alone_what_it_learns_among_others(name: str) -> None:
    network = small_maps.build(name)
    seen = small_maps.views(), small_maps.streams, small_maps.GROUP
    for update in network.learn(*seen):
        assert equal(network.learn_area(update.area, *seen), update)


def test_context_from_above_teaches_nothing_above() -> None:
    """clapp-s-above: the area above learns as context only while its own critical period lasts."""
    network = patches("clapp-s-above")
    updates = list(network.learn(images(), streams, 2))
    same = [equal(network.learn_area(u.area, images(), streams, 2), u) for u in updates]
    assert same == [True, False, False, False, False, False]


def watched_layers(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[], AreaUpdate]
) -> list[tuple[int, bool]]:
    seen: list[tuple[int, bool]] = []
    respond = Encoder.respond

    def watched(self: Encoder, index: int, x: Tensor, *, learn: bool) -> object:
        seen.append((index, learn))
        return respond(self, index, x, learn=learn)

    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "respond", watched)
        act()
    return seen


def test_areas_below_forget_and_areas_above_are_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    network = patches("clapp-s")
    for area in range(6):
        seen = watched_layers(monkeypatch, partial(network.learn_area, area, images(), streams, 2))
        assert seen == [(below, False) for below in range(area)] + [(area, True)]


@pytest.mark.parametrize(("total", "areas"), [(6, 6), (20, 6), (7, 3), (5, 6)])
def test_periods_are_equally_long_and_in_order(total: int, areas: int) -> None:
    owner = [plastic_area(step, total, areas) for step in range(total)]
    lengths = [owner.count(area) for area in range(areas)]
    assert owner == sorted(owner)
    assert max(lengths) - min(lengths) <= 1
    assert sum(lengths) == total


def config(run: Path, **changes: object) -> TrainConfig:
    values: dict[str, object] = {"plasticity": "sequential", "width": 1 / 64, "log_every": 1}
    return tiny.config(run, **(values | changes))


def test_weights_change_in_their_period_only() -> None:
    network = patches("clapp-s")
    learner = SequentialLearner(network, 1e-3, 2, tiny.SINGLE)
    for step in range(6):
        before = {name: value.clone() for name, value in network.state_dict().items()}
        learner.begin(step, 6)
        reports = learner.step(images(), None, streams)
        after = network.state_dict()
        moved = {name for name in after if not torch.equal(before[name], after[name])}
        layer = f"encoder.layers.{step}"
        assert moved == {f"{layer}.weight", f"{layer}.bias", f"areas.{step}.W_pred"}
        assert [float(report.loss) > 0 for report in reports] == [m == step for m in range(6)]
        assert [bool(report.scores) for report in reports] == [m == step for m in range(6)]


def test_resume_is_exact_and_keeps_the_length_of_the_run(tmp_path: Path) -> None:
    whole = config(tmp_path / "whole", steps=8, checkpoint_every=3, keep=20)
    train(whole, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    once = load_checkpoint(tmp_path / "whole").model
    parts = tmp_path / "parts"
    train(replace(whole, out=parts), tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    for folder in list_checkpoints(parts / "checkpoints"):
        if int(folder.name.split("_")[1]) > 3:
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
    resumed = replace(whole, out=parts)
    train(resumed, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True, resume=True)
    twice = load_checkpoint(parts).model
    assert all(torch.equal(once[name], twice[name]) for name in once)
    with pytest.raises(ValueError, match="steps: 8 -> 9"):
        require_same(whole, replace(whole, steps=9))


def test_the_variant_has_a_folder_of_its_own() -> None:
    named = TrainConfig(method="clapp", plasticity="sequential").folder()
    assert named.name.startswith("clapp-sequential-")


@pytest.mark.parametrize("method", ["hinge-cpc", "supervised", "hinge-dfa", "random"])
def test_methods_whose_areas_do_not_learn_on_their_own_are_refused(method: str) -> None:
    with pytest.raises(ValueError, match="areas learn on their own"):
        TrainConfig(method=method, plasticity="sequential")
    network = patches(method)
    with pytest.raises(ValueError):  # noqa: PT011 - the words depend on the kind of network
        network.learn_area(0, images(), streams, 2)


def test_only_networks_on_images_have_critical_periods() -> None:
    network = SpeechHierarchy(SpeechEncoder(SPEECH6, 1 / 64), get_method("clapp-s", "speech"), 3)
    wanted = TrainConfig(method="clapp-s", plasticity="sequential")
    with pytest.raises(ValueError, match="not for SpeechHierarchy; leave plasticity out"):
        choose_learner(wanted, network, tiny.SINGLE)
    with pytest.raises(ValueError, match="plasticity is an option for images"):
        TrainConfig(method="clapp-s", data="utterances", plasticity="sequential")


def test_what_was_not_measured_is_no_number(tmp_path: Path) -> None:
    """Three steps a log row, one area a step: a row holds the areas of its steps, each with its own mean."""
    run = config(tmp_path / "run", steps=6, log_every=3)
    train(run, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    every = replace(run, out=tmp_path / "every", log_every=1)
    train(every, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    coarse, fine = (read_metrics(tmp_path / name / "metrics.csv") for name in ("run", "every"))
    for area in range(6):
        values = coarse[f"loss_{area + 1}"]
        assert np.isfinite(values).tolist() == [area < 3, area >= 3]
        assert values[area // 3] == fine[f"loss_{area + 1}"][area] > 0
    page = write_report(tmp_path / "run").read_text()
    assert "<td>0.000</td>" not in page
    assert "nan" not in page


def test_divergence_of_the_plastic_area_is_found(tmp_path: Path) -> None:
    with pytest.raises(DivergenceError, match="Area 1 diverged"):
        train(
            config(tmp_path / "run", steps=60, learning_rate=1e30),
            tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True,
        )  # fmt: skip


def test_unmeasured_areas_are_null_in_a_checkpoint_and_the_log_goes_on(tmp_path: Path) -> None:
    """A checkpoint within a logging interval; JSON knows no NaN."""
    whole, parts = (
        config(tmp_path / name, steps=8, log_every=4, checkpoint_every=3, keep=20)
        for name in ("whole", "parts")
    )
    for run in (whole, parts):
        train(run, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True)
    for folder in list_checkpoints(parts.out / "checkpoints"):
        if int(folder.name.split("_")[1]) > 3:
            shutil.rmtree(folder)
    text = (parts.out / "checkpoints" / "step_00000003" / "state.json").read_text()
    state = json.loads(text, parse_constant=lambda _: pytest.fail("no JSON"))["state"]
    assert len(state["recent"]) == 3
    assert any(value is None for row in state["recent"] for value in row)
    train(parts, tiny.dataset(), tiny.SINGLE, IMAGES, quiet=True, resume=True)
    logs = [read_metrics(run.out / "metrics.csv") for run in (whole, parts)]
    for column in logs[0]:
        if "second" not in column:
            np.testing.assert_array_equal(logs[0][column], logs[1][column])
