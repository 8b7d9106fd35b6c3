"""Events and bursts: the definition spelled out spike by spike, streaming, recordings."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_snn.neurons.bursts import BurstDetector, label_spike_times

trains = st.lists(st.booleans(), min_size=1, max_size=120)


def by_definition(steps: list[int], longest: int) -> tuple[list[int], list[int], list[int]]:
    """Steps of events, steps of bursts and spikes a burst, grouping spikes one by one."""
    groups: list[list[int]] = []
    for step in steps:
        if groups and step - groups[-1][-1] <= longest:
            groups[-1].append(step)
        else:
            groups.append([step])
    bursts = [group for group in groups if len(group) > 1]
    return (
        [group[0] for group in groups],
        [group[1] for group in bursts],
        [len(group) for group in bursts],
    )


@given(trains, st.sampled_from([(1.0, 16.0, 16), (0.5, 4.0, 8), (0.3, 1.0, 3)]))
def test_streaming_detector_follows_the_definition(train, setting):
    dt, burst_isi, longest = setting
    spikes = torch.tensor(train, dtype=torch.float32)
    events, bursts, _ = BurstDetector(dt, burst_isi).run(spikes)
    expected = by_definition(torch.nonzero(spikes).flatten().tolist(), longest)
    assert torch.nonzero(events).flatten().tolist() == expected[0]
    assert torch.nonzero(bursts).flatten().tolist() == expected[1]


@given(trains, st.sampled_from([0.1, 0.7, 1.0]))
def test_recordings_are_labelled_as_streams_are(train, dt):
    spikes = torch.tensor(train, dtype=torch.float64)
    events, bursts, _ = BurstDetector(dt).run(spikes)
    labels = label_spike_times((np.flatnonzero(train) + 1) * dt)
    for found, stream in ((labels.events, events), (labels.bursts, bursts)):
        np.testing.assert_array_equal(found, (np.flatnonzero(stream.numpy()) + 1) * dt)
    assert sum(train) == len(labels.events) + (labels.spikes_per_burst - 1).sum()


@given(trains, st.integers(0, 120), st.integers(0, 10))
def test_a_train_may_come_in_pieces_and_any_shape(train, cut, seed):
    generator = torch.Generator().manual_seed(seed)
    spikes = (torch.rand(len(train), 2, 3, generator=generator) < 0.2).float()
    spikes[:, 0, 0] = torch.tensor(train, dtype=torch.float32)
    detector = BurstDetector()
    whole = detector.run(spikes)
    cut = min(cut, len(train))
    state = None
    pieces = []
    for piece in (spikes[:cut], spikes[cut:]):
        if len(piece):
            *labels, state = detector.run(piece, state)
            pieces.append(labels)
    for side in range(2):
        assert torch.equal(torch.cat([labels[side] for labels in pieces]), whole[side])
    alone = detector.run(spikes[:, 0, 0])
    assert torch.equal(alone[0], whole[0][:, 0, 0])
    assert torch.equal(alone[1], whole[1][:, 0, 0])


def test_sixteen_milliseconds_still_belong_to_a_burst():
    spikes = torch.zeros(400)
    spikes[[0, 160, 321]] = 1.0
    events, bursts, _ = BurstDetector(0.1).run(spikes)
    assert torch.nonzero(events).flatten().tolist() == [0, 321]
    assert torch.nonzero(bursts).flatten().tolist() == [160]


def test_rounding_of_recorded_times_splits_no_burst():
    """Multiples of 0.1 ms that lie 16 ms apart, some of them a rounding error more."""
    starts = np.arange(1, 400)
    intervals = [np.diff([start * 0.1, (start + 160) * 0.1]).item() for start in starts]
    assert max(intervals) > 16.0
    for start in starts:
        assert len(label_spike_times([start * 0.1, (start + 160) * 0.1]).bursts) == 1
        assert len(label_spike_times([start * 0.1, (start + 161) * 0.1]).bursts) == 0


def test_a_long_burst_has_one_event_one_burst_and_its_spikes_counted():
    labels = label_spike_times([10.0, 20.0, 30.0, 40.0, 100.0, 200.0, 215.0])
    assert labels.events.tolist() == [10.0, 100.0, 200.0]
    assert labels.bursts.tolist() == [20.0, 215.0]
    assert labels.spikes_per_burst.tolist() == [4, 2]


def test_no_spikes_no_labels():
    labels = label_spike_times([])
    assert [len(each) for each in labels] == [0, 0, 0]


@settings(max_examples=20)
@given(st.sampled_from([torch.float32, torch.float64]), st.integers(1, 3))
def test_labels_keep_the_precision_of_the_spikes(dtype, neurons):
    events, bursts, state = BurstDetector().run(torch.ones(4, neurons, dtype=dtype))
    assert {events.dtype, bursts.dtype, state.age.dtype, state.alone.dtype} == {dtype}


@pytest.mark.parametrize(
    "times", [[3.0, 2.0], [1.0, 1.0], [1.0, float("nan")], [[1.0], [2.0]]], ids=str
)
def test_recordings_out_of_order_are_refused(times):
    with pytest.raises(ValueError, match="strictly ascending"):
        label_spike_times(times)


@pytest.mark.parametrize("burst_isi", [0.0, -1.0, float("inf"), float("nan")])
def test_impossible_burst_intervals_are_refused(burst_isi):
    with pytest.raises(ValueError, match="burst_isi"):
        label_spike_times([1.0], burst_isi)
    with pytest.raises(ValueError, match="burst_isi"):
        BurstDetector(1.0, burst_isi)


@pytest.mark.parametrize("dt", [0.0, -0.1, 17.0, float("nan")])
def test_impossible_time_steps_are_refused(dt):
    with pytest.raises(ValueError, match="0 < dt <= burst_isi"):
        BurstDetector(dt)


def test_bad_trains_are_refused():
    detector = BurstDetector()
    with pytest.raises(ValueError, match="0 or 1"):
        detector.run(torch.tensor([0.0, 2.0]))
    with pytest.raises(ValueError, match="at least one time step"):
        detector.run(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="floating-point"):
        detector.run(torch.zeros(5, dtype=torch.int64))
    with pytest.raises(ValueError, match="The state is"):
        detector.run(torch.zeros(5, 3), detector.initial_state((2,)))
