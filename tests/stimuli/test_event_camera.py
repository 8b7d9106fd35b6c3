"""Recordings are written here event by event, independently of the readers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clapp_snn.stimuli.event_camera import NMNIST, open_nmnist, read_events, read_nmnist
from clapp_snn.stimuli.event_recordings import Recordings, Sensor

Event = tuple[int, int, int, int]
"""Time, polarity, row, column."""

EVENTS: list[Event] = [(0, 0, 0, 0), (5, 1, 33, 2), (5, 0, 7, 33), (300_000, 1, 33, 33)]
ADDRESSES = [0, 34 * 34 + 33 * 34 + 2, 7 * 34 + 33, 2311]


def packed(events: list[Event]) -> bytes:
    """40 bits an event, written as one big number."""
    numbers = [col << 32 | row << 24 | on << 23 | time for time, on, row, col in events]
    return b"".join(number.to_bytes(5, "big") for number in numbers)


def write(path: Path, events: list[Event]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed(events))
    return path


def pack(path: Path, **changes: object) -> Path:
    """Two recordings: three events, then two."""
    arrays = {
        "addr": np.array([3, 2311, 0, 17, 17], np.uint16),
        "dt": np.array([10, 0, 65_000, 7, 1], np.uint16),
        "offsets": np.array([0, 3, 5]),
        "labels": np.array([9, 4], np.uint8),
        "size": np.array([2, 34, 34], np.int16),
    }
    arrays.update({key: np.asarray(value) for key, value in changes.items()})
    np.savez(path, **arrays)
    return path


def test_a_file_of_nmnist(tmp_path):
    recording = read_nmnist(write(tmp_path / "a.bin", EVENTS), label=7)
    time, address = recording.events(0)
    assert len(recording) == 1
    assert time.tolist() == [0, 5, 5, 300_000]
    assert address.tolist() == ADDRESSES
    assert recording.labels.tolist() == [7]
    assert read_nmnist(tmp_path / "a.bin").labels is None


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**23 - 1), st.integers(0, 1), st.integers(0, 33), st.integers(0, 33)
        ),
        min_size=1,
        max_size=20,
    )
)
def test_all_events_survive(tmp_path_factory, events):
    events = sorted(events, key=lambda event: event[0])
    recording = read_nmnist(write(tmp_path_factory.mktemp("bin") / "a.bin", events))
    polarity, pixel = np.divmod(recording.address.numpy(), 34 * 34)
    row, col = np.divmod(pixel, 34)
    assert list(zip(recording.time.tolist(), polarity, row, col, strict=True)) == events


def test_overflow_markers_move_the_clock_on(tmp_path):
    """Row 240 marks that 8192 microseconds are to be added from there on."""
    marker = (0, 0, 240, 0)
    events = [(100, 1, 2, 3), marker, (50, 1, 2, 3), marker, marker, (1, 0, 0, 0)]
    recording = read_nmnist(write(tmp_path / "a.bin", events))
    assert recording.time.tolist() == [100, 8192 + 50, 3 * 8192 + 1]
    assert recording.address.tolist() == [34 * 34 + 71, 34 * 34 + 71, 0]


def test_a_folder_of_nmnist_is_labelled_by_its_folders(tmp_path):
    write(tmp_path / "3" / "00002.bin", EVENTS[:3])
    write(tmp_path / "0" / "00009.bin", EVENTS)
    write(tmp_path / "notes" / "00001.bin", EVENTS)
    recordings = open_nmnist(tmp_path)
    assert recordings.labels.tolist() == [0, 3]
    assert recordings.offsets.tolist() == [0, 4, 7]
    assert recordings.sensor == NMNIST
    with pytest.raises(FileNotFoundError, match="no recordings in"):
        open_nmnist(tmp_path / "3")


def test_many_recordings_in_one_file(tmp_path):
    recordings = read_events(pack(tmp_path / "pack.npz"))
    assert recordings.time.tolist() == [10, 10, 65_010, 7, 8]
    assert recordings.address.tolist() == [3, 2311, 0, 17, 17]
    assert recordings.labels.tolist() == [9, 4]
    assert recordings.sensor == NMNIST
    wide = read_events(pack(tmp_path / "wide.npz", size=[1, 40, 60]))
    assert wide.sensor == Sensor(1, 40, 60)


def test_one_recording_as_coordinates(tmp_path):
    time, polarity, row, col = np.array(EVENTS).T
    np.savez(tmp_path / "one.npz", t=time, x=col.astype(np.uint8), y=row, p=polarity == 1)
    recordings = read_events(tmp_path / "one.npz")
    assert recordings.time.tolist() == [0, 5, 5, 300_000]
    assert recordings.address.tolist() == ADDRESSES


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: it holds no events"),
        (packed([(0, 0, 240, 0)]), "recording 0 is empty"),
        (packed(EVENTS)[:-2], r"has 18 bytes, not a whole number of events of 5 bytes"),
        (packed([EVENTS[1], EVENTS[0]]), r"event 1 of recording 0 is earlier than the event"),
        (
            packed([EVENTS[0], (1, 1, 34, 2)]),
            r"event 1 has polarity 1, row 34 and column 2, outside the sensor \(2 polarities of 34x34",
        ),
        (packed([(1, 0, 0, 99)]), "row 0 and column 99, outside the sensor"),
    ],
)
def test_bad_files_of_nmnist_are_named(tmp_path, content, message):
    file = tmp_path / "bad.bin"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_nmnist(file)
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dt": np.array([10, 5, -1, 7, 1])}, "event 2 of recording 0 is earlier"),
        ({"dt": np.array([10, 5, 1, -7, 8])}, "event 0 of recording 1 has a negative time"),
        (
            {"addr": np.array([3, 3, 3, 3, 2312])},
            "event 1 of recording 1 has address 2312, outside",
        ),
        ({"addr": np.array([3, -1, 3, 3, 3])}, "event 1 of recording 0 has address -1, outside"),
        ({"offsets": np.array([0, 3, 3, 5]), "labels": [1, 2, 3]}, "recording 1 is empty"),
        ({"offsets": np.array([0, 3, 9])}, "5 times, 5 addresses and offsets up to 9"),
        ({"offsets": np.array([0, 5, 3, 5])}, "do not fit together"),
        ({"offsets": np.array([0]), "addr": [], "dt": [], "labels": []}, "do not fit together"),
        ({"addr": np.array([3, 3])}, "5 times, 2 addresses"),
        ({"labels": np.array([1])}, "1 labels for 2 recordings"),
    ],
)
def test_bad_event_lists_are_named(tmp_path, changes, message):
    file = pack(tmp_path / "bad.npz", **changes)
    with pytest.raises(ValueError, match=message) as error:
        read_events(file)
    assert str(file) in str(error.value)


def test_files_that_are_no_event_lists_are_refused(tmp_path):
    whole = pack(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"truncated or no \.npz file"):
        read_events(tmp_path / "cut.npz")
    flipped = bytearray(whole)
    flipped[whole.index(np.array([3, 2311], np.uint16).tobytes())] ^= 1
    (tmp_path / "flipped.npz").write_bytes(flipped)
    with pytest.raises(ValueError, match=r"truncated or no \.npz file"):
        read_events(tmp_path / "flipped.npz")
    (tmp_path / "empty.npz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"truncated or no \.npz file"):
        read_events(tmp_path / "empty.npz")
    np.savez(tmp_path / "other.npz", image=np.zeros(3))
    with pytest.raises(
        ValueError, match=r"holds the arrays .*'image'.*either addr, dt and offsets or"
    ):
        read_events(tmp_path / "other.npz")
    np.savez(tmp_path / "uneven.npz", t=[1, 2], x=[1], y=[1], p=[1])
    with pytest.raises(ValueError, match="2 times, 1 polarities, 1 rows and 1 columns"):
        read_events(tmp_path / "uneven.npz")
    for reader in (read_events, read_nmnist):
        with pytest.raises(FileNotFoundError, match="is missing"):
            reader(tmp_path / "nowhere")


def test_recordings_made_by_hand_are_checked_too():
    with pytest.raises(ValueError, match="these recordings: event 1 of recording 0 is earlier"):
        Recordings(
            Sensor(1, 2, 2), torch.tensor([4, 3]), torch.tensor([0, 1]), torch.tensor([0, 2])
        )
