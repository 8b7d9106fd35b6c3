import numpy as np
import pytest
import torch

from clapp_snn.randomness import generator
from clapp_snn.stimuli.event_camera import read_events
from clapp_snn.stimuli.event_counts import UNIT, EventCounts
from clapp_snn.stimuli.event_glances import DURATION, MICRO_SACCADES
from clapp_snn.stimuli.event_recordings import Recordings, Sensor
from clapp_snn.stimuli.event_source import open_recordings
from tests.small_data import write_events


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Recordings:
    return read_events(write_events(tmp_path_factory.mktemp("events"), 6, 3) / "small_train.npz")


def brute(recordings: Recordings, number: int, start: int) -> np.ndarray:
    """Counts of a micro-saccade by polarity, row and column, event by event."""
    counts = np.zeros((2, 34, 34))
    for time, address in zip(*recordings.events(number), strict=True):
        if start <= time < start + DURATION:
            pixel, col = divmod(int(address), 34)
            counts[pixel // 34, pixel % 34, col] += 1
    return counts


def test_a_look_is_the_counts_of_a_micro_saccade(recordings):
    seen = EventCounts(recordings, "full").inspect(torch.tensor([2, 0]), [])
    assert seen.shape == (2, 3, 2, 34, 34)
    for row, number in enumerate((2, 0)):
        for look, start in enumerate(MICRO_SACCADES):
            wanted = brute(recordings, number, start) / UNIT
            np.testing.assert_allclose(seen[row, look].numpy(), wanted, rtol=1e-6)


def test_pooling_averages_squares_and_a_border_is_cut_off_first(recordings):
    full = EventCounts(recordings, "full").inspect(torch.tensor([1]), [])[0].numpy()
    for border, side in ((0, 17), (1, 16)):
        seen = EventCounts(recordings, border=border).inspect(torch.tensor([1]), [])[0]
        kept = full[:, :, border : 34 - border, border : 34 - border]
        wanted = kept.reshape(3, 2, side, 2, side, 2).mean((3, 5))
        np.testing.assert_allclose(seen.numpy(), wanted, rtol=1e-5, atol=1e-7)


def test_activity_in_time_has_the_constant_one_as_its_mean(recordings):
    streams = [generator(0, sample) for sample in range(4)]
    constant = EventCounts(recordings).views(torch.arange(4), streams)
    streams = [generator(0, sample) for sample in range(4)]
    in_time = EventCounts(recordings, step=0.5).views(torch.arange(4), streams)
    assert in_time.shape == (4, 200, 2, 17, 17)
    torch.testing.assert_close(in_time.mean(1), constant)
    one = 200 / UNIT / 4
    assert torch.allclose(in_time / one, (in_time / one).round(), atol=1e-4)


def test_the_raw_features_are_event_counts_up_to_a_factor(recordings):
    whole = torch.stack(
        [
            torch.from_numpy(sum(brute(recordings, number, start) for start in MICRO_SACCADES))
            for number in range(6)
        ]
    ).float()
    for step in (None, 1.0):
        objects = EventCounts(recordings, "full", step=step)
        raw = objects.raw(objects.inspect(torch.arange(6), []))
        torch.testing.assert_close(raw * 3 * UNIT, whole.flatten(1), rtol=1e-4, atol=1e-4)


def test_odd_sides_are_not_pooled(recordings):
    odd = Recordings(
        Sensor(2, 33, 34),
        torch.tensor([0, 300_000]),
        torch.tensor([0, 1]),
        torch.tensor([0, 2]),
    )
    with pytest.raises(ValueError, match="even sides"):
        EventCounts(odd)
    assert EventCounts(odd, "full").views(torch.tensor([0]), [generator(0)]).shape[-2:] == (33, 34)


def test_folds_of_all_recordings(tmp_path):
    folder = write_events(tmp_path, 18, 12)
    train, test = open_recordings(folder)
    assert (len(train), len(test)) == (18, 12)
    seen = []
    for fold in range(5):
        train, test = open_recordings(folder, fold, 5)
        assert train.labels.bincount().tolist() == [8, 8, 8]
        assert test.labels.bincount().tolist() == [2, 2, 2]
        seen += [tuple(test.events(number)[1].tolist()) for number in range(len(test))]
    assert len(set(seen)) == 30, "every recording is in the test of exactly one fold"


def test_folders_that_are_not_what_is_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no train recordings; expected .*Train"):
        open_recordings(tmp_path)
    folder = write_events(tmp_path / "twice")
    (folder / "other_train.npz").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"2 files \*train.npz"):
        open_recordings(folder)
    folder = write_events(tmp_path / "nameless")
    arrays = dict(np.load(folder / "small_test.npz"))
    del arrays["labels"]
    np.savez(folder / "small_test.npz", **arrays)
    with pytest.raises(ValueError, match=r"small_test.npz has no labels"):
        open_recordings(folder)


def test_files_of_nmnist_in_folders(tmp_path):
    for part in ("Train", "Test"):
        for digit in range(2):
            file = tmp_path / part / str(digit) / "00001.bin"
            file.parent.mkdir(parents=True)
            late = (5 << 32 | 7 << 24 | 1 << 23 | 310_000).to_bytes(5, "big")
            file.write_bytes((digit << 32).to_bytes(5, "big") + late)
    train, test = open_recordings(tmp_path)
    assert train.labels.tolist() == test.labels.tolist() == [0, 1]
    assert train.events(1)[1].tolist() == [1, 34 * 34 + 7 * 34 + 5]
