"""Which frames a clip takes, recordings in memory and files, packs, and what is said of short ones."""

import functools
from pathlib import Path

import numpy as np
import pytest
import torch

from clapp_snn.randomness import generator
from clapp_snn.stimuli import embedded_clips
from clapp_snn.stimuli.clip_pack import ArrayClips, open_clip_pack, read_pack
from clapp_snn.stimuli.clips import (
    ClipSplit,
    FileClips,
    draw_windows,
    long_enough,
    middle_windows,
    span,
    without_short,
)
from clapp_snn.stimuli.embedded_clips import open_embedded_clips
from tests.stimuli.small_videos import number_of, write_pack, write_video


def numbered(lengths: list[int]) -> ArrayClips:
    """Recordings whose pixels hold the number of the frame."""
    recordings = [
        torch.arange(n, dtype=torch.uint8)[:, None, None, None].expand(n, 4, 5, 3).contiguous()
        for n in lengths
    ]
    return ArrayClips(recordings, torch.arange(len(lengths)))


def test_starts_are_uniform_over_all_that_fit() -> None:
    lengths = torch.full((3000,), 12)
    windows = draw_windows(lengths, frames=4, every=3, generator=generator(0, "windows"))
    assert (windows.diff(dim=1) == 3).all()
    # 10 frames from first to last leave the starts 0, 1 and 2: 1000 each, within 4.5 standard errors.
    counts = torch.bincount(windows[:, 0])
    assert counts.shape == (3,)
    assert (counts - 1000).abs().max() < 4.5 * (3000 * (1 / 3) * (2 / 3)) ** 0.5


def test_short_recordings_are_looped_and_long_ones_taken_in_the_middle() -> None:
    windows = middle_windows(torch.tensor([5, 10, 20]), frames=4, every=3)
    assert windows.tolist() == [[0, 3, 1, 4], [0, 3, 6, 9], [5, 8, 11, 14]]
    drawn = draw_windows(torch.tensor([2]), 4, 3, generator(0, "x"))
    assert drawn.tolist() == [[0, 1, 0, 1]]
    assert middle_windows(torch.tensor([1]), 3, 2).tolist() == [[0, 0, 0]]


def test_what_is_too_short_is_counted() -> None:
    split = numbered([9, 10, 30])
    assert span(4, 3) == 10
    assert long_enough(split.lengths, 4, 3).tolist() == [False, True, True]
    kept, short = without_short(split, 4, 3, "train")
    assert (len(kept), short) == (2, 1)
    assert kept.labels is not None
    assert kept.labels.tolist() == [1, 2]
    (images,) = kept.read(torch.tensor([1]), torch.tensor([[0, 29]]))
    assert images[:, 0, 0, 0].tolist() == [0, 29]
    with pytest.raises(ValueError, match=r"None of the 3 train recordings.*the longest has 30"):
        without_short(split, 40, 1, "train")
    assert without_short(split, 2, 1, "train") == (split, 0)


def test_files_are_decoded_in_threads_in_order(tmp_path: Path) -> None:
    files = [write_video(tmp_path / f"{n}.avi", 20 + n) for n in range(4)]
    split = FileClips(files, torch.arange(20, 24), None, 48, workers=3)
    assert isinstance(split, ClipSplit)
    frames = torch.tensor([[1, 2], [19, 5], [0, 0]])
    clips = split.read(torch.tensor([3, 0, 2]), frames)
    found = [[number_of(image.numpy()) for image in clip] for clip in clips]
    assert found == frames.tolist()


def test_a_file_that_vanishes_is_named(tmp_path: Path) -> None:
    split = FileClips([tmp_path / "gone.avi"], torch.tensor([20]), None, 48)
    with pytest.raises(ValueError, match=r"gone\.avi"):
        split.read(torch.tensor([0]), torch.tensor([[0]]))


def test_a_pack_gives_its_images_back(tmp_path: Path) -> None:
    images = write_pack(tmp_path / "act_train.npz", 4)
    write_pack(tmp_path / "act_test.npz", 2)
    dataset = open_clip_pack(tmp_path, frames=5)
    assert (dataset.name, dataset.class_names, dataset.chance) == ("act", ["sit", "walk"], 50.0)
    assert (len(dataset.train), len(dataset.unlabeled), len(dataset.test)) == (4, 4, 2)
    assert dataset.train.labels is not None
    assert dataset.train.labels.tolist() == [0, 1, 0, 1]
    (clip,) = dataset.train.read(torch.tensor([2]), torch.tensor([[4, 0, 1]]))
    np.testing.assert_array_equal(clip.numpy(), images[2][[4, 0, 1]])
    assert "made up" in dataset.note
    assert dataset.describe()["fingerprint"] == open_clip_pack(tmp_path, 5).fingerprint
    write_pack(tmp_path / "act_test.npz", 3)
    assert open_clip_pack(tmp_path, 5).fingerprint != dataset.fingerprint


def test_missing_and_several_packs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no clip pack"):
        open_clip_pack(tmp_path, 5)
    write_pack(tmp_path / "act_train.npz", 2)
    with pytest.raises(FileNotFoundError, match=r"act_test\.npz is missing"):
        open_clip_pack(tmp_path, 5)
    write_pack(tmp_path / "act_test.npz", 2, class_names=np.array(["sit", "run"]))
    with pytest.raises(ValueError, match="name different classes"):
        open_clip_pack(tmp_path, 5)
    write_pack(tmp_path / "other_train.npz", 2)
    with pytest.raises(ValueError, match=r"several clip packs \(act, other\)"):
        open_clip_pack(tmp_path, 5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": None}, "has no labels"),
        ({"n_frames": np.int64(4)}, "10 images do not make 2 clips of 4 frames"),
        ({"labels": np.array([0, 5])}, "do not name 2 classes"),
        ({"offsets": np.zeros(11, np.int64)}, "do not cut"),
        ({"class_names": np.array([{"a": 1}], dtype=object)}, "truncated or no .npz"),
    ],
)
def test_damaged_packs_are_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = tmp_path / "bad_train.npz"
    write_pack(path, 2, **changes)
    with pytest.raises(ValueError, match=message):
        read_pack(path)


def test_damaged_images_and_truncated_packs_are_named(tmp_path: Path) -> None:
    path = tmp_path / "bad_train.npz"
    write_pack(path, 1, data=np.zeros(10, np.uint8), offsets=np.arange(0, 11, 2))
    with pytest.raises(ValueError, match="image 0 cannot be decoded"):
        read_pack(path)
    write_pack(path, 2)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="truncated"):
        read_pack(path)


def test_clips_of_one_frame_are_too_short_for_clips_of_two(tmp_path: Path) -> None:
    write_pack(tmp_path / "act_train.npz", 2, frames=1)
    write_pack(tmp_path / "act_test.npz", 2, frames=1)
    assert len(open_clip_pack(tmp_path, 1).train) == 2
    with pytest.raises(ValueError, match="None of the 2 train recordings is long enough"):
        open_clip_pack(tmp_path, 2)


def test_embedded_clips_keep_training_and_test_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    # Decoding the shipped videos is the slow part.
    monkeypatch.setattr(embedded_clips, "_load", functools.cache(embedded_clips._load))
    dataset = open_embedded_clips(54, train=2, test=1, short_side=48)
    assert dataset.class_names == ["bigbuckbunny", "bikes", "carphone"]
    assert (len(dataset.train), len(dataset.test)) == (6, 3)
    assert dataset.unlabeled.labels is None
    assert set(dataset.train.lengths.tolist()) == {54}
    again = open_embedded_clips(54, train=2, test=1, short_side=48)
    assert again.fingerprint == dataset.fingerprint
    other = open_embedded_clips(54, seed=1, train=2, test=1, short_side=48)
    assert other.fingerprint != dataset.fingerprint
    assert "say nothing about UCF-101" in dataset.note
    with pytest.raises(ValueError, match="None of the 6 embedded recordings is long enough"):
        open_embedded_clips(55, train=2, test=1, short_side=48)
