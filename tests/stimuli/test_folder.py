import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from clapp_snn.stimuli import folder as module
from clapp_snn.stimuli.folder import decode, default_cache, open_image_folder


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    chosen = tmp_path / "cache"
    monkeypatch.setenv("CLAPP_SNN_CACHE", str(chosen))
    return chosen


def save(path: Path, value: int | tuple[int, int, int] = 0, size: tuple[int, int] = (8, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = (value,) * 3 if isinstance(value, int) else value
    Image.new("RGB", size, colour).save(path)
    return path


@pytest.fixture
def root(tmp_path) -> Path:
    """Two classes and a pool; every image has its own grey level."""
    home = tmp_path / "pets"
    save(home / "train" / "dog" / "b.png", 20)
    save(home / "train" / "dog" / "A.JPG", 21)
    save(home / "train" / "cat" / "deep" / "er" / "x.bmp", 10)
    save(home / "test" / "dog" / "t.png", 30)
    save(home / "unlabeled" / "z.png", 41)
    save(home / "unlabeled" / "more" / "a.webp", 40)
    (home / "train" / "dog" / "notes.txt").write_text("no image")
    (home / "train" / "dog" / ".hidden.png").write_bytes(b"no image")
    return home


def levels(split) -> list[int]:
    return split.read(torch.arange(len(split)))[:, 0, 0, 0].tolist()


@pytest.mark.usefixtures("cache")
def test_images_and_classes_come_in_alphabetical_order(root):
    data = open_image_folder(root)
    assert data.name == "pets"
    assert data.class_names == ["cat", "dog"]
    assert levels(data.train) == [10, 21, 20]
    assert data.train.labels.tolist() == [0, 1, 1]
    assert data.test.labels.tolist() == [1]
    assert levels(data.unlabeled) == [40, 41]
    assert data.unlabeled.labels is None
    assert data.unlabeled.image_size == (96, 96)
    assert open_image_folder(root, size=32).train.image_size == (32, 32)


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (41, 20)])
def test_the_centre_square_is_resized_with_lanczos(tmp_path, size):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    top, left = (size[1] - 20) // 2, (size[0] - 20) // 2
    square = Image.fromarray(np.ascontiguousarray(pixels[top : top + 20, left : left + 20]))
    wanted = np.asarray(square.resize((12, 12), Image.Resampling.LANCZOS))
    assert np.array_equal(decode(tmp_path / "x.png", 12), wanted.transpose(2, 0, 1))
    assert np.array_equal(decode(tmp_path / "x.png", 20), np.asarray(square).transpose(2, 0, 1))


def test_images_are_turned_upright(tmp_path):
    image = Image.fromarray(np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3))
    exif = Image.Exif()
    exif[0x0112] = (
        6  # the camera was held so that the picture must be turned by 90 degrees clockwise
    )
    image.save(tmp_path / "x.png", exif=exif)
    upright = np.rot90(np.asarray(image), -1)
    assert np.array_equal(decode(tmp_path / "x.png", 16), upright.transpose(2, 0, 1))


def test_other_pixel_formats_become_rgb(tmp_path):
    Image.new("L", (4, 4), 77).save(tmp_path / "grey.png")
    Image.fromarray(np.full((4, 4), 77 * 256 + 200, np.uint16)).save(tmp_path / "deep.png")
    Image.new("RGBA", (4, 4), (77, 77, 77, 255)).save(tmp_path / "opaque.png")
    Image.new("RGBA", (4, 4), (77, 77, 77, 0)).save(tmp_path / "clear.png")
    Image.new("RGB", (4, 4), (77, 77, 77)).quantize(4).save(tmp_path / "palette.gif")
    for name in ("grey.png", "deep.png", "opaque.png", "palette.gif"):
        assert (decode(tmp_path / name, 4) == 77).all(), name
    assert (decode(tmp_path / "clear.png", 4) == 255).all()
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(ValueError, match=r"float.tiff: pixels of type F"):
        decode(tmp_path / "float.tiff", 4)


def test_decoded_images_are_kept_until_a_file_changes(root, cache, monkeypatch):
    calls = []
    monkeypatch.setattr(module, "decode", lambda f, s: calls.append(f.name) or decode(f, s))
    open_image_folder(root)
    assert len(calls) == 6
    assert len(list(cache.glob("*.bin"))) == 3
    open_image_folder(root)
    assert len(calls) == 6
    os.utime(save(root / "test" / "dog" / "t.png", 33), ns=(1, 1))
    assert levels(open_image_folder(root).test) == [33]
    assert calls[6:] == ["t.png"]


@pytest.mark.usefixtures("cache")
def test_unreadable_files_are_named(root):
    for number in range(6):
        (root / "train" / "dog" / f"bad{number}.png").write_bytes(b"not a picture")
    with pytest.raises(
        ValueError, match=r"6 of 9 image files cannot be read: .*bad0.png"
    ) as caught:
        open_image_folder(root)
    assert "bad4.png and 1 more" in str(caught.value)
    assert "skip_unreadable" in str(caught.value)


@pytest.mark.usefixtures("cache")
def test_a_truncated_picture_is_unreadable_and_can_be_left_out(root):
    file = root / "train" / "dog" / "A.JPG"
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"1 of 3 image files cannot be read: .*A.JPG"):
        open_image_folder(root)
    for _ in range(2):  # the second time from the cache
        data = open_image_folder(root, skip_unreadable=True)
        assert levels(data.train) == [10, 20]
        assert data.train.labels.tolist() == [0, 1]
        assert "1 unreadable files were left out" in data.note
        assert "A.JPG" in data.note


@pytest.mark.usefixtures("cache")
def test_what_could_not_be_read_once_is_tried_again(root, monkeypatch):
    """A lost disk or a missing permission changes neither size nor time of a file."""
    real = module.decode

    def lost(file, size):
        if file.name == "A.JPG":
            raise ValueError(f"{file}: [Errno 13] Permission denied")
        return real(file, size)

    monkeypatch.setattr(module, "decode", lost)
    assert levels(open_image_folder(root, skip_unreadable=True).train) == [10, 20]
    monkeypatch.setattr(module, "decode", real)
    assert len(levels(open_image_folder(root, skip_unreadable=True).train)) == 3


@pytest.mark.usefixtures("cache")
def test_a_split_with_nothing_readable_is_refused(root):
    (root / "test" / "dog" / "t.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"1 of 1 image files cannot be read"):
        open_image_folder(root, skip_unreadable=True)


@pytest.mark.usefixtures("cache")
def test_missing_splits_are_errors_when_they_are_asked_for(root):
    (root / "test" / "dog" / "t.png").unlink()
    for file in list((root / "unlabeled").rglob("*.*")):
        file.unlink()
    data = open_image_folder(root)
    with pytest.raises(FileNotFoundError, match=r"no test images.*test/<class>/"):
        _ = data.test
    with pytest.raises(FileNotFoundError, match=r"no unlabelled images.*unlabeled_from_train"):
        _ = data.unlabeled


@pytest.mark.usefixtures("cache")
def test_folders_that_do_not_fit_are_refused(root):
    save(root / "test" / "horse" / "h.png")
    with pytest.raises(ValueError, match=r"test/ has classes that train/ has not: horse"):
        open_image_folder(root)
    (root / "train" / "horse").mkdir()
    with pytest.raises(FileNotFoundError, match=r"classes without images: horse"):
        open_image_folder(root)
    with pytest.raises(FileNotFoundError, match=r"train/ has no class folders"):
        open_image_folder(root / "unlabeled")


def test_a_full_disk_leaves_no_half_cache(root, cache, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(module, "write_text", full)
        with pytest.raises(OSError, match=r"No space left.*set CLAPP_SNN_CACHE") as caught:
            open_image_folder(root)
    assert caught.value.errno == errno.ENOSPC
    assert list(cache.glob("*.json")) == []
    assert levels(open_image_folder(root).train) == [10, 21, 20]


def test_a_cache_that_cannot_be_written_is_one_clear_error(root, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CLAPP_SNN_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match=r"cannot keep decoded images .* set CLAPP_SNN_CACHE"):
        open_image_folder(root)


@pytest.mark.parametrize(
    ("platform", "variable", "inside"),
    [
        ("linux", "XDG_CACHE_HOME", "clapp_snn/images"),
        ("win32", "LOCALAPPDATA", "clapp_snn/images"),
        ("darwin", "HOME", "Library/Caches/clapp_snn/images"),
    ],
)
def test_the_default_cache_is_the_users(tmp_path, monkeypatch, platform, variable, inside):
    monkeypatch.delenv("CLAPP_SNN_CACHE", raising=False)
    monkeypatch.setattr(module.sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert default_cache() == tmp_path / inside
