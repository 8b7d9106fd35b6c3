"""Intervals, bursts and rates from spike times, against slow and obvious ways to compute them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapp_snn.neurons.bursts import label_spike_times
from clapp_snn.recording.spike_statistics import (
    burst_onsets,
    burst_probability,
    histogram,
    interspike_intervals,
    population_rate,
    spikes_in_bursts,
)


@st.composite
def recordings(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of up to four neurons in steps of 0.1 ms, in order of time as monitors give them."""
    trains = draw(st.lists(st.sets(st.integers(1, 900), max_size=25), min_size=1, max_size=4))
    spikes = sorted((step, neuron) for neuron, train in enumerate(trains) for step in train)
    steps = np.array([step for step, _ in spikes], dtype=int)
    return steps * 0.1, np.array([neuron for _, neuron in spikes], dtype=int)


@given(recordings())
def test_intervals_and_bursts_agree_with_the_labels_of_single_trains(
    recording: tuple[np.ndarray, np.ndarray],
) -> None:
    time, neuron = recording
    trains = [time[neuron == each] for each in np.unique(neuron)]
    pooled = np.concatenate([np.diff(train) for train in trains] or [np.zeros(0)])
    np.testing.assert_array_equal(interspike_intervals(time, neuron), pooled)
    inside = spikes_in_bursts(time, neuron)
    for each in np.unique(neuron):
        labels = label_spike_times(time[neuron == each])
        assert inside[neuron == each].sum() == labels.spikes_per_burst.sum()
        assert np.isin(labels.bursts, time[inside & (neuron == each)]).all()


@given(recordings())
def test_every_burst_has_the_onset_that_its_train_shows(
    recording: tuple[np.ndarray, np.ndarray],
) -> None:
    time, neuron = recording
    labels = {each: label_spike_times(time[neuron == each]) for each in np.unique(neuron)}

    def pooled(name: str) -> tuple[np.ndarray, np.ndarray]:
        parts = [(getattr(label, name), each) for each, label in labels.items()]
        times = np.concatenate([times for times, _ in parts] or [np.zeros(0)])
        return times, np.concatenate(
            [np.full(len(times), each) for times, each in parts] or [np.zeros(0, dtype=int)]
        )

    onsets, owners = burst_onsets(*pooled("events"), *pooled("bursts"))
    for each, label in labels.items():
        train = time[neuron == each]
        second = np.searchsorted(train, label.bursts)
        np.testing.assert_array_equal(onsets[owners == each], train[second - 1])


def test_a_burst_without_its_event_is_left_out() -> None:
    times, owners = burst_onsets(
        np.array([50.0]), np.array([1]), np.array([10.0, 60.0, 61.0]), np.array([1, 1, 2])
    )
    assert times.tolist() == [50.0]
    assert owners.tolist() == [1]


def test_a_burst_labelled_at_its_event_begins_there() -> None:
    events, owners = np.array([10.0, 20.0, 20.0]), np.array([0, 0, 1])
    onsets = burst_onsets(events, owners, events[1:], owners[1:])
    assert [times.tolist() for times in onsets] == [[20.0, 20.0], [0, 1]]


def test_sixteen_milliseconds_still_are_a_burst_whatever_the_rounding() -> None:
    time = np.array([0.1, 0.1 + 160 * 0.1, 161 * 0.1 + 16.1])
    assert spikes_in_bursts(time, np.zeros(3, dtype=int)).tolist() == [True, True, False]


def test_bins_include_their_ends() -> None:
    edges = np.array([0.0, 0.1, 0.2, 0.3])
    assert histogram(np.array([0.1, 0.2, 0.30000000000000004]), edges).tolist() == [1, 1, 1]
    assert histogram(np.array([0.0, 0.05, 0.31]), edges).tolist() == [1, 0, 0]
    assert histogram(np.zeros(0), edges).tolist() == [0, 0, 0]


def test_rate_of_a_regular_population() -> None:
    """Ten neurons that fire every 20 ms fire at 50 Hz."""
    time = np.tile(np.arange(20, 401, 20.0), 10)
    edges = np.array([0.0, 100.0, 300.0, 400.0])
    np.testing.assert_allclose(population_rate(time, 10, edges), [50, 50, 50])


def test_burst_probability_is_nan_without_events() -> None:
    found = burst_probability(np.array([10.0, 0.0, 5.0]), np.array([2.0, 0.0, 5.0]))
    np.testing.assert_array_equal(found, [0.2, np.nan, 1.0])


def test_impossible_bins() -> None:
    with pytest.raises(ValueError, match="at least one neuron"):
        population_rate(np.zeros(1), 0, np.array([0.0, 1.0]))
    for edges in ([0.0], [0.0, 0.0], [1.0, 0.0]):
        with pytest.raises(ValueError, match="at least two edges, in ascending order"):
            histogram(np.zeros(1), np.array(edges))
