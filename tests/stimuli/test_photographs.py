import socket

import numpy as np
import pytest
import torch

from clapp_snn.stimuli import photographs
from clapp_snn.stimuli.photographs import (
    PHOTOGRAPHS,
    load_photograph,
    open_photographs,
    random_crops,
)


def everything(split) -> np.ndarray:
    return split.read(torch.arange(len(split))).numpy()


@pytest.mark.parametrize("cols", [200, 201])
def test_train_and_test_crops_share_no_pixel(monkeypatch, cols):
    # Red holds the column of a pixel, so every crop tells where it comes from.
    image = np.zeros((110, cols, 3), np.uint8)
    image[:, :, 0] = np.arange(cols)
    monkeypatch.setattr(photographs, "load_photograph", lambda name: image)
    data = open_photographs(train=40, test=40, unlabeled=40)
    middle = cols // 2
    for split in (data.train, data.unlabeled):
        columns = everything(split)[:, 0]
        assert columns.min() == 0
        assert columns.max() == middle - 1
    columns = everything(data.test)[:, 0]
    assert columns.min() == middle
    assert columns.max() == cols - 1


def test_the_embedded_data_are_balanced_and_say_what_they_are(monkeypatch):
    def no_network(*_: object) -> None:
        raise AssertionError("the embedded data must not use the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    data = open_photographs(train=4, test=3, unlabeled=5)
    assert data.class_names == sorted(PHOTOGRAPHS)
    assert torch.bincount(data.train.labels).tolist() == [4] * 16
    assert torch.bincount(data.test.labels).tolist() == [3] * 16
    assert data.unlabeled.labels is None
    assert len(data.unlabeled) == 80
    assert data.train.image_size == (96, 96)
    assert data.chance == 100 / 16
    for words in ("16 photographs", "small stand-in", "left half", "96x96"):
        assert words in data.note


def test_crops_are_parts_of_their_photograph():
    data = open_photographs(train=2, test=2, unlabeled=2)
    for label, name in enumerate(data.class_names):
        windows = np.lib.stride_tricks.sliding_window_view(load_photograph(name), (96, 96, 3))
        for split in (data.train, data.test):
            number = int((split.labels == label).nonzero()[0, 0])
            crop = split.read(torch.tensor([number]))[0].permute(1, 2, 0).numpy()
            corner = (windows[:, :, 0, 0, 0, :] == crop[0, 0]).all(-1)
            assert any((windows[r, c, 0] == crop).all() for r, c in np.argwhere(corner)), name


def test_the_seed_decides_the_crops():
    first, again, other = (open_photographs(s, 3, 2, 3).fingerprint for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_photograph_is_a_picture_with_some_contrast():
    for name in PHOTOGRAPHS:
        assert load_photograph(name).std() > 5, name


def test_crops_reach_every_position():
    image = np.zeros((9, 10, 3), np.uint8)
    image[:, :, 0] = np.arange(10)
    image[:, :, 1] = np.arange(9)[:, None]
    corners = random_crops(image, 400, 8, 0, "x")[:, :2, 0, 0]
    assert {tuple(corner) for corner in corners.tolist()} == {
        (col, row) for col in range(3) for row in range(2)
    }


def test_missing_photographs_are_named_and_ten_are_enough(monkeypatch):
    wanted = dict(PHOTOGRAPHS)
    for name in ("astronaut", "bricks", "camera", "cat", "coffee", "coins"):
        wanted[name] = "skimage/data/not_shipped.png"
    monkeypatch.setattr(photographs, "PHOTOGRAPHS", wanted)
    data = open_photographs(train=1, test=1, unlabeled=1)
    assert "10 photographs" in data.note
    assert "left out: astronaut, bricks, camera, cat, coffee, coins" in data.note
    assert len(data.class_names) == 10
    wanted["moon"] = "skimage/data/not_shipped.png"
    with pytest.raises(FileNotFoundError, match=r"only 9 of the 16 photographs.*astronaut.*moon"):
        open_photographs(train=1, test=1, unlabeled=1)


def test_crops_larger_than_half_a_photograph_are_refused():
    with pytest.raises(ValueError, match=r"cannot cut crops of 200x200"):
        open_photographs(size=200)
