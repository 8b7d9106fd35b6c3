"""UCF-101: official lists and tables, short videos counted, the whole test list or the published subset."""

import shutil
from pathlib import Path

import pytest
import torch

from clapp_snn.stimuli import ucf101, video_index
from clapp_snn.stimuli.ucf101 import open_ucf101, read_classes, read_list, test_subset
from tests.stimuli.small_videos import ACTIONS, number_of, write_ucf101

test_subset.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ucf101(tmp_path_factory.mktemp("ucf"))


def test_lists_decide_who_is_where(root: Path, tmp_path: Path) -> None:
    dataset = open_ucf101(root, frames=8, every=3, short_side=24, cache=tmp_path)
    assert dataset.class_names == list(ACTIONS)
    # Lengths cycle through 40, 20 | 20, 30 | 30, 40; a clip needs 22 frames, so two are too short.
    assert dataset.train.lengths.tolist() == [40, 30, 30, 40]
    assert dataset.train.labels is not None
    assert dataset.train.labels.tolist() == [0, 1, 2, 2]
    assert len(dataset.test) == 6
    assert "2 of the train videos are too short" in dataset.note
    # Three classes in the layout of UCF-101 are not UCF-101.
    assert dataset.name == root.name
    assert "not UCF-101 as it is distributed" in dataset.note
    assert "6 of 6 videos of the test list" in dataset.note
    (clip,) = dataset.train.read(torch.tensor([1]), torch.tensor([[0, 29]]))
    assert [number_of(image.numpy()) for image in clip] == [0, 29]
    assert clip.shape == (2, 24, 32, 3)


def test_frames_are_counted_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_ucf101(root, 8, cache=tmp_path)

    def never(path: Path) -> int:
        raise AssertionError(f"{path} is decoded again")

    monkeypatch.setattr("clapp_snn.stimuli.video_index.count_frames", never)
    assert open_ucf101(root, 8, cache=tmp_path).fingerprint == first.fingerprint


def test_the_published_subset_is_drawn_once_and_seeded(root: Path, tmp_path: Path) -> None:
    dataset = open_ucf101(root, 8, subset=True, seed=3, cache=tmp_path)
    assert len(dataset.test) == 2
    assert "published subset" in dataset.note
    one, two, other = test_subset(3783, 0), test_subset(3783, 0), test_subset(3783, 1)
    assert len(one) == 1135
    assert len(one.unique()) == 1135
    assert one.tolist() == two.tolist() != other.tolist()


def test_tables_of_the_reference_are_read_where_lists_are_missing(
    root: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "UCF-101").symlink_to(root / "UCF-101")
    (copy / "classInd.txt").write_text("1 Archery\n2 Bowling\n3 Diving\n")
    for key, group in (("train", 2), ("test", 1)):
        names = [f"frames/{a}/v_{a}_g{group:02d}_c01,40" for a in ACTIONS]
        (copy / f"{key}_split01.csv").write_text("\n".join(names) + "\n")
    dataset = open_ucf101(copy, 3, cache=tmp_path)
    assert (len(dataset.train), len(dataset.test)) == (3, 3)


def test_missing_entries_are_an_error_or_counted(root: Path, tmp_path: Path) -> None:
    copy = write_ucf101(tmp_path / "copy", each=1)
    gone = copy / "UCF-101/Bowling/v_Bowling_g02_c01.avi"
    gone.unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 3 videos are not there.*v_Bowling_g02_c01"):
        open_ucf101(copy, 3, cache=tmp_path)
    dataset = open_ucf101(copy, 3, skip_unreadable=True, cache=tmp_path)
    assert len(dataset.train) == 2
    assert "2 of 3 videos of the train list (1 left out" in dataset.note


def test_corrupt_videos_are_an_error_or_counted(tmp_path: Path) -> None:
    copy = write_ucf101(tmp_path / "copy", each=1)
    (copy / "UCF-101/Diving/v_Diving_g01_c01.avi").write_bytes(b"noise" * 100)
    with pytest.raises(ValueError, match=r"1 of 3 videos cannot be read.*v_Diving_g01_c01"):
        open_ucf101(copy, 3, cache=tmp_path)
    dataset = open_ucf101(copy, 3, skip_unreadable=True, cache=tmp_path)
    assert len(dataset.test) == 2
    assert dataset.test.labels is not None
    assert dataset.test.labels.tolist() == [0, 1]
    assert "v_Diving_g01_c01" in dataset.note


def test_videos_that_could_not_be_read_once_are_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = write_ucf101(tmp_path / "copy", each=1)
    files = sorted((copy / "UCF-101").rglob("*.avi"))
    real = video_index.count_frames

    def lost(file: Path) -> int:
        if file == files[0]:
            raise ValueError(f"{file}: [Errno 13] Permission denied")
        return real(file)

    monkeypatch.setattr(video_index, "count_frames", lost)
    before = video_index.index_videos(files, tmp_path)
    assert before.frames[0] == 0
    assert len(before.problems) == 1
    monkeypatch.setattr(video_index, "count_frames", real)
    after = video_index.index_videos(files, tmp_path)
    assert after.frames[0] > 0
    assert after.frames[1:] == before.frames[1:]
    assert after.problems == []


def test_bad_folders_and_lists_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no folder"):
        open_ucf101(tmp_path / "none", 3)
    with pytest.raises(FileNotFoundError, match=r"no ucfTrainTestlist/classInd\.txt"):
        open_ucf101(tmp_path, 3)
    classes = tmp_path / "classInd.txt"
    classes.write_text("1 Archery\n3 Bowling\n")
    with pytest.raises(ValueError, match="line 2 should read '2 ACTION'"):
        read_classes(classes)
    classes.write_text("1 Archery\n2 Bowling\n")
    with pytest.raises(FileNotFoundError, match=r"neither .*trainlist01\.txt nor"):
        open_ucf101(tmp_path, 3)
    entries = tmp_path / "trainlist01.txt"
    entries.write_text("Archery/a.avi 1\nSwimming/b.avi 2\n")
    with pytest.raises(ValueError, match=r"entry 2 \('Swimming/b.avi'\)"):
        read_list(entries, ["Archery", "Bowling"])
    entries.write_text("\n")
    with pytest.raises(ValueError, match="names no video"):
        read_list(entries, ["Archery"])


def test_the_second_split_is_asked_for_by_number(root: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"trainlist02\.txt"):
        open_ucf101(root, 3, split=2, cache=tmp_path)


def test_whole_official_lists_are_called_by_their_name(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ucf101, "OFFICIAL_CLASSES", 3)
    monkeypatch.setattr(ucf101, "OFFICIAL_LISTS", {1: (6, 6)})
    assert open_ucf101(root, 8, cache=tmp_path).name == "UCF-101"
    gone = tmp_path / "gone"
    shutil.copytree(root, gone)
    next(gone.rglob("*.avi")).unlink()
    assert open_ucf101(gone, 8, skip_unreadable=True, cache=tmp_path).name == "gone"


def test_other_data_in_a_folder_of_the_official_name_are_called_unofficial(tmp_path: Path) -> None:
    part = write_ucf101(tmp_path / "UCF-101", each=1)
    assert open_ucf101(part, 3, cache=tmp_path / "cache").name == "unofficial UCF-101"
