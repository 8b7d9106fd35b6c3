import hashlib
import re
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from clapp_snn.stimuli import stl10
from clapp_snn.stimuli.stl10 import IMAGE_BYTES, find_stl10, open_stl10, read_folds


def write_binaries(folder: Path, train: int = 6, test: int = 4, unlabeled: int = 5) -> dict:
    """Random data in STL-10 format, written pixel plane by pixel plane; returns the upright images."""
    folder.mkdir(parents=True, exist_ok=True)
    stream = np.random.default_rng(0)
    images = {}
    for key, count in (("train", train), ("test", test), ("unlabeled", unlabeled)):
        images[key] = stream.integers(0, 256, (count, 3, 96, 96), np.uint8)
        with (folder / f"{key}_X.bin").open("wb") as file:
            for image in images[key]:
                for plane in image:
                    for column in range(96):
                        file.write(plane[:, column].tobytes())
        if key != "unlabeled":
            (folder / f"{key}_y.bin").write_bytes(bytes(1 + i % 2 for i in range(count)))
    (folder / "class_names.txt").write_text("bird\ncat\n")
    (folder / "fold_indices.txt").write_text("0 1 2\n3 4 5\n")
    return images


@pytest.mark.parametrize("nested", ["", "stl10_binary", "stl10_binary/stl10_binary"])
def test_images_and_labels_are_read_from_every_accepted_place(tmp_path, nested):
    root = tmp_path / "Some-Birds"
    images = write_binaries(root / nested)
    data = open_stl10(root)
    assert data.name == "Some-Birds"
    assert "not STL-10" in data.note
    assert data.class_names == ["bird", "cat"]
    for key, part in (("train", data.train), ("test", data.test), ("unlabeled", data.unlabeled)):
        assert part.image_size == (96, 96)
        assert np.array_equal(part.read(torch.arange(len(part))).numpy(), images[key])
    assert data.train.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert data.unlabeled.labels is None


def test_folds_are_read_and_checked(tmp_path):
    write_binaries(tmp_path)
    assert [fold.tolist() for fold in read_folds(tmp_path)] == [[0, 1, 2], [3, 4, 5]]
    (tmp_path / "fold_indices.txt").write_text("0 1\n2 6\n")
    with pytest.raises(ValueError, match=r"line 2: .* from 0 to 5"):
        read_folds(tmp_path)
    (tmp_path / "fold_indices.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"fold_indices.txt is missing"):
        read_folds(tmp_path)


def test_the_official_name_needs_official_sizes_and_labels(tmp_path, monkeypatch):
    write_binaries(tmp_path / "copy")
    labels = {
        key: hashlib.md5((tmp_path / "copy" / f"{key}_y.bin").read_bytes()).hexdigest()
        for key in ("train", "test")
    }
    monkeypatch.setattr(stl10, "OFFICIAL_IMAGES", {"train": 6, "test": 4, "unlabeled": 5})
    assert open_stl10(tmp_path / "copy").name == "copy"
    write_binaries(tmp_path / "STL-10" / "stl10_binary")
    assert open_stl10(tmp_path / "STL-10").name == "unofficial STL-10"
    monkeypatch.setattr(stl10, "OFFICIAL_LABELS_MD5", labels)
    assert open_stl10(tmp_path / "copy").name == "STL-10"
    monkeypatch.setattr(stl10, "OFFICIAL_IMAGES", {"train": 6, "test": 4, "unlabeled": 100_000})
    assert open_stl10(tmp_path / "copy").name == "copy"


def test_a_hundred_thousand_images_are_never_copied_whole(tmp_path):
    write_binaries(tmp_path)
    with (tmp_path / "unlabeled_X.bin").open("r+b") as file:
        file.truncate(100_000 * IMAGE_BYTES)  # sparse: takes no room on the disk
        file.seek(99_999 * IMAGE_BYTES + 1)
        file.write(b"\x07")
    tracemalloc.start()
    pool = open_stl10(tmp_path).unlabeled
    last = pool.read(torch.tensor([99_999]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(pool) == 100_000
    assert last[0, 0, 1, 0] == 7
    assert last.sum() == 7
    assert peak < 2_000_000


def test_no_binaries_at_all_says_what_is_expected(tmp_path):
    assert find_stl10(tmp_path) is None
    with pytest.raises(FileNotFoundError, match=r"expected train_X.bin.*--download"):
        open_stl10(tmp_path)


@pytest.mark.parametrize(
    "name", ["train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin", "class_names.txt"]
)
def test_a_missing_file_is_named(tmp_path, name):
    write_binaries(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name} is missing.* put a complete file there"):
        open_stl10(tmp_path)


def test_missing_unlabelled_images_are_an_error_when_they_are_asked_for(tmp_path):
    write_binaries(tmp_path)
    (tmp_path / "unlabeled_X.bin").unlink()
    data = open_stl10(tmp_path)
    assert len(data.train) == 6
    with pytest.raises(
        FileNotFoundError, match=r"unlabeled_X.bin is missing.*unlabeled_from_train"
    ):
        _ = data.unlabeled


@pytest.mark.parametrize("size", [0, 3 * IMAGE_BYTES - 1])
def test_a_truncated_image_file_is_refused(tmp_path, size):
    write_binaries(tmp_path)
    with (tmp_path / "unlabeled_X.bin").open("r+b") as file:
        file.truncate(size)
    with pytest.raises(ValueError, match=rf"unlabeled_X.bin has {size} bytes.*truncated"):
        open_stl10(tmp_path)


def test_a_wrong_number_of_labels_is_refused(tmp_path):
    write_binaries(tmp_path)
    (tmp_path / "test_y.bin").write_bytes(b"\x01\x02\x01")
    with pytest.raises(ValueError, match=r"test_y.bin has 3 labels for the 4 images"):
        open_stl10(tmp_path)


def break_images(home):
    with (home / "unlabeled_X.bin").open("r+b") as file:
        file.truncate(2 * IMAGE_BYTES - 1)


def break_label_count(home):
    (home / "test_y.bin").write_bytes(b"\x01")


def drop_labels(home):
    (home / "train_y.bin").unlink()


def empty_class_names(home):
    (home / "class_names.txt").write_text("")


@pytest.mark.parametrize("spoil", [break_images, break_label_count, drop_labels, empty_class_names])
def test_the_advice_on_a_bad_file_leads_to_whole_data(tmp_path, monkeypatch, spoil):
    """It names what to remove and what to download, and the download then does fetch."""
    home = tmp_path / "stl10_binary"
    write_binaries(home)
    spoil(home)
    fetched = []
    monkeypatch.setattr(stl10, "download", lambda *_: fetched.append("archive"))
    monkeypatch.setattr(stl10, "extract_tar", lambda _, root: write_binaries(root / "stl10_binary"))
    with pytest.raises((ValueError, FileNotFoundError)) as refused:
        open_stl10(tmp_path)
    told = re.search(r"remove (\S+) instead .*--data stl10:(\S+) --download$", str(refused.value))
    assert told, refused.value
    shutil.rmtree(told[1])
    stl10.download_stl10(told[2])
    assert fetched
    assert len(open_stl10(tmp_path).test) == 4


def test_nobody_is_told_to_remove_images_of_their_own(tmp_path):
    write_binaries(tmp_path)
    break_images(tmp_path)
    with pytest.raises(ValueError, match=r"put a complete file there$"):
        open_stl10(tmp_path)


@pytest.mark.parametrize("wrong", [0, 3])
def test_labels_out_of_range_are_refused(tmp_path, wrong):
    write_binaries(tmp_path)
    (tmp_path / "train_y.bin").write_bytes(bytes([1, 2, 1, 2, 1, wrong]))
    with pytest.raises(ValueError, match=r"labels must be from 1 to 2"):
        open_stl10(tmp_path)


def test_an_empty_list_of_classes_is_refused(tmp_path):
    write_binaries(tmp_path)
    (tmp_path / "class_names.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"class_names.txt is empty"):
        open_stl10(tmp_path)
