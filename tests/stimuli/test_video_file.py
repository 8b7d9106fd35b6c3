"""Reading video files: exact frame numbers, sizes, and one clear message for what cannot be read."""

import sys
from pathlib import Path

import numpy as np
import pytest

from clapp_snn.stimuli.video_file import count_frames, read_frames, resized
from tests.stimuli.small_videos import number_of, write_video


def test_all_frames_are_counted(tmp_path: Path) -> None:
    assert count_frames(write_video(tmp_path / "a.avi", 23)) == 23
    assert count_frames(write_video(tmp_path / "one.mp4", 1)) == 1


def test_frames_come_by_number_in_the_order_asked_for(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 30)
    numbers = np.array([3, 29, 0, 3, 12])
    images = read_frames(path, numbers)
    assert images.shape == (5, 48, 64, 3)
    assert [number_of(image) for image in images] == numbers.tolist()


def test_the_short_side_is_resized(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 4, rows=48, cols=80)
    images = read_frames(path, np.array([2]), short_side=30)
    assert images.shape == (1, 30, 50, 3)
    assert number_of(images[0]) == 2
    # Long sides are rounded down, as in the reference.
    assert resized(240, 321, 96) == (96, 128)
    assert resized(300, 200, 100) == (150, 100)
    assert resized(48, 64, None) == (48, 64)


def test_frames_beyond_the_end_are_an_error(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 10)
    with pytest.raises(ValueError, match=r"a\.avi: frame 10 is missing"):
        read_frames(path, np.array([4, 10]))


def test_a_truncated_file_is_told_by_its_frames(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.avi", 120, noise=True)
    size = whole.stat().st_size
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: size // 2])
    with pytest.raises(ValueError, match=r"cut\.avi: breaks off after \d+ of 120 frames"):
        count_frames(cut)


@pytest.mark.parametrize("content", [b"", b"this is no video at all" * 50])
def test_unreadable_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "noise.avi"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"noise\.avi: cannot be read as a video"):
        count_frames(path)


def test_a_truncated_mp4_is_named(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", 40)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"cut\.mp4: cannot be read as a video"):
        count_frames(cut)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone\.avi: cannot be read as a video"):
        count_frames(tmp_path / "gone.avi")


def test_without_pyav_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'clapp-snn\[video\]'"):
        count_frames(tmp_path / "a.avi")
