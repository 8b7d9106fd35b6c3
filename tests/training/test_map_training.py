"""CLAPP++ through the training loop: every method trains, resumes exactly, and learns its task."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clapp_snn.circuit.map_hierarchy import MapHierarchy
from clapp_snn.methods.local_learners import LOCAL_LEARNERS
from clapp_snn.modalities.images import IMAGES
from clapp_snn.randomness import generator
from clapp_snn.training.batches import Plan
from clapp_snn.training.build import build_hierarchy, build_network, load_encoder
from clapp_snn.training.checkpoint import list_checkpoints, load_checkpoint
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.learner import make_learner
from clapp_snn.training.loop import train
from tests.circuit import small_maps
from tests.training import tiny

MAPS = [name for name, method in LOCAL_LEARNERS.items() if method.maps is not None]
DATA = tiny.dataset(size=96)


def config(run: Path, **changes: object) -> TrainConfig:
    values: dict[str, object] = {"method": "clapp-pp", "steps": 2, "log_every": 1, "width": 1 / 64}
    return tiny.config(run, **(values | changes))


@pytest.mark.parametrize("method", MAPS)
def test_every_method_trains_and_can_be_read_back(tmp_path: Path, method: str) -> None:
    settings = config(tmp_path / "run", method=method)
    train(settings, DATA, tiny.SINGLE, IMAGES, quiet=True)
    first = load_checkpoint(list_checkpoints(tmp_path / "run" / "checkpoints")[0]).model
    last = load_checkpoint(tmp_path / "run").model
    assert all(not torch.equal(first[name], last[name]) for name in last)
    encoder = load_encoder(settings, tmp_path / "run", torch.device("cpu"))
    features = encoder.features(torch.zeros(2, 1, 96, 96))
    assert [f.shape for f in features] == [(2, 1, 1, channels) for channels in encoder.channels]


def test_a_run_resumes_exactly(tmp_path: Path) -> None:
    whole = config(tmp_path / "whole", steps=3, method="clapp-pp-both")
    train(whole, DATA, tiny.SINGLE, IMAGES, quiet=True)
    parts = replace(whole, out=tmp_path / "parts")
    train(replace(parts, steps=2), DATA, tiny.SINGLE, IMAGES, quiet=True)
    train(parts, DATA, tiny.SINGLE, IMAGES, quiet=True, resume=True)
    once, twice = (load_checkpoint(tmp_path / name).model for name in ("whole", "parts"))
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_pairs_show_the_same_images_twice() -> None:
    settings = config(Path("unused"))
    network, sentence = build_network(settings, torch.device("cpu"), 3)
    assert isinstance(network, MapHierarchy)
    assert "torch" in sentence
    plan = Plan(24, 8, 4, 0, 1, seed=2)
    batches = IMAGES.batches(settings, DATA.unlabeled, plan, network, torch.device("cpu"))
    again = IMAGES.batches(settings, DATA.unlabeled, plan, network, torch.device("cpu"))
    ((_, pair, labels),) = batches.between(1, 2)
    ((_, same, _),) = again.between(1, 2)
    assert labels is None
    assert pair.shape == (16, 1, 96, 96)
    assert torch.equal(pair, same)
    assert not torch.equal(pair[:8], pair[8:])
    with pytest.raises(ValueError, match="does not work on patches"):
        build_hierarchy(settings, torch.device("cpu"), 3)


@pytest.mark.parametrize("name", ["clapp-pp", "clapp-pp-dfb"])
def test_every_area_learns_to_recognise_an_image_in_its_other_view(name: str) -> None:
    """Without any prediction the loss is 2; two noisy views of few images are told apart by all areas."""
    network = small_maps.build(name, torch.float32, gain=1.0)
    learner = make_learner(network, 1e-2, small_maps.GROUP, tiny.SINGLE)
    image = small_maps.views(torch.float32)[: small_maps.IMAGES]
    losses = []
    for step in range(70):
        noise = torch.randn(8, 1, 16, 16, generator=generator(step, "noise"))
        reports = learner.step(torch.cat((image, image)) + 0.1 * noise, None, small_maps.streams)
        losses.append([float(report.loss) for report in reports])
    assert max(losses[-1]) < 1.5, losses[-1]
