import numpy as np
import pytest
import torch
from PIL import Image

from clapp_snn.stimuli import dataset as module
from clapp_snn.stimuli.dataset import open_dataset

PIXELS = bytes(3 * 96 * 96)


@pytest.fixture
def binaries(tmp_path):
    home = tmp_path / "mine"
    home.mkdir()
    for key in ("train", "test"):
        (home / f"{key}_X.bin").write_bytes(PIXELS * 2)
        (home / f"{key}_y.bin").write_bytes(b"\x01\x02")
    (home / "class_names.txt").write_text("bird\ncat\n")
    return home


@pytest.fixture
def images(tmp_path, monkeypatch):
    monkeypatch.setenv("CLAPP_SNN_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "pets"
    for name in ("cat", "dog"):
        (home / "train" / name).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(home / "train" / name / "x.png")
    return home


def test_binaries_are_recognised_with_and_without_prefix(binaries):
    assert open_dataset(str(binaries)).name == "mine"
    assert open_dataset(f"stl10:{binaries}").name == "mine"


def test_an_image_folder_is_recognised(images):
    assert open_dataset(str(images)).class_names == ["cat", "dog"]
    (images / "train" / "dog" / "bad.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"bad.png"):
        open_dataset(str(images))
    assert len(open_dataset(str(images), skip_unreadable=True).train) == 2


def test_the_home_folder_may_be_written_short(binaries, monkeypatch):
    monkeypatch.setenv("HOME", str(binaries.parent))
    assert open_dataset("~/mine").name == "mine"
    assert open_dataset("stl10:~/mine").name == "mine"


def test_the_embedded_data_follow_the_seed(monkeypatch):
    seeds = []
    monkeypatch.setattr(module, "open_photographs", seeds.append)
    open_dataset("photographs", seed=5)
    assert seeds == [5]


def test_train_images_are_used_for_learning_only_on_request(binaries):
    with pytest.raises(FileNotFoundError, match=r"unlabeled_from_train"):
        _ = open_dataset(str(binaries)).unlabeled
    data = open_dataset(str(binaries), unlabeled_from_train=True)
    assert data.unlabeled.labels is None
    assert data.unlabeled.read(torch.tensor([1])).shape == (1, 3, 96, 96)


def test_downloading_is_for_stl10(binaries, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "download_stl10", asked.append)
    open_dataset(f"stl10:{binaries}", download=True)
    assert asked == [binaries]
    for spec in ("photographs", str(binaries)):
        with pytest.raises(ValueError, match=r"only STL-10 can be downloaded"):
            open_dataset(spec, download=True)


@pytest.mark.parametrize("spec", ["no/such/place", "cifar10", "."])
def test_unknown_data_are_refused_with_a_list_of_what_is_accepted(spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"Accepted are 'photographs'.*'stl10:FOLDER'.*train/"
    ):
        open_dataset(spec)


@pytest.mark.parametrize("spec", ["", "stl10:", "  "])
def test_an_empty_name_is_refused(spec):
    with pytest.raises(ValueError, match=r"needs a folder"):
        open_dataset(spec)
