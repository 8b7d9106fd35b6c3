import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clapp_snn.randomness import generator
from clapp_snn.stimuli.event_glances import DURATION, MICRO_SACCADES, EventGlances
from clapp_snn.stimuli.event_recordings import Recordings, Sensor, bin_events, join
from clapp_snn.stimuli.glances import GlanceStream

SMALL = Sensor(2, 3, 4)


def recordings(count: int = 5, seed: int = 0, until: int = 310_000) -> Recordings:
    draws = np.random.default_rng(seed)
    lengths = draws.integers(40, 60, count)
    times = [np.sort(np.r_[draws.integers(0, until, length - 1), until]) for length in lengths]
    return Recordings(
        SMALL,
        torch.from_numpy(np.concatenate(times)),
        torch.from_numpy(draws.integers(0, SMALL.addresses, lengths.sum())),
        torch.from_numpy(np.r_[0, lengths.cumsum()]),
        torch.arange(count) % 3,
    )


@given(
    st.lists(st.tuples(st.integers(-50, 400), st.integers(0, 5)), max_size=40),
    st.integers(1, 40),
    st.integers(1, 8),
)
def test_binning_counts_every_event_once(events, step, steps):
    events.sort()
    time, address = torch.tensor(events, dtype=torch.int64).view(-1, 2).unbind(1)
    edges = np.arange(steps + 1) * step
    inside = (time < steps * step).numpy()
    expected, _, _ = np.histogram2d(time[inside], address[inside], bins=[edges, np.arange(7)])
    assert np.array_equal(bin_events(time, address, 6, step, steps).numpy(), expected)


def test_counts_are_those_of_each_recording():
    all_ = recordings()
    counts = all_.counts()
    assert counts.shape == (5, SMALL.addresses)
    for number in range(5):
        _, address = all_.events(number)
        expected = np.bincount(address.numpy(), minlength=SMALL.addresses)
        assert np.array_equal(counts[number].numpy(), expected)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=7))
def test_selected_recordings_are_the_ones_asked_for(numbers):
    all_ = recordings()
    chosen = all_.select(torch.tensor(numbers))
    assert torch.equal(chosen.labels, all_.labels[numbers])
    for place, number in enumerate(numbers):
        assert all(map(torch.equal, chosen.events(place), all_.events(number)))


def test_joined_recordings_keep_their_events_and_labels():
    first, second = recordings(2, 1), recordings(3, 2)
    both = join([first, second])
    assert torch.equal(both.select(torch.tensor([0, 1])).time, first.time)
    assert torch.equal(both.select(torch.tensor([2, 3, 4])).address, second.address)
    assert both.labels.tolist() == [0, 1, 0, 1, 2]


def test_only_like_recordings_are_joined():
    first = recordings(2)
    parts = first.sensor, first.time, first.address, first.offsets
    with pytest.raises(ValueError, match=r"some .* have labels and some have none"):
        join([first, Recordings(*parts)])
    with pytest.raises(ValueError, match="of one sensor can be joined, not 2"):
        join([first, Recordings(Sensor(9, 9, 9), *parts[1:], labels=first.labels)])
    with pytest.raises(ValueError, match="of one sensor can be joined, not 0"):
        join([])


def test_each_micro_saccade_is_a_fixation():
    all_ = recordings()
    objects = EventGlances(all_, step=1000)
    for fixation, start in enumerate(MICRO_SACCADES):
        seen = objects.fixations(torch.tensor([3]), torch.tensor([fixation]))
        assert seen.shape == (1, DURATION // 1000, SMALL.addresses)
        time, address = (part.numpy() for part in all_.events(3))
        inside = (time >= start) & (time < start + DURATION)
        expected = np.zeros((100, SMALL.addresses))
        np.add.at(expected, ((time[inside] - start) // 1000, address[inside]), 1)
        assert np.array_equal(seen[0].numpy(), expected)
        coarse = EventGlances(all_, step=DURATION)
        counts = coarse.fixations(torch.tensor([3]), torch.tensor([fixation]))
        assert torch.equal(counts, seen.sum(1, keepdim=True))


def test_a_stream_shows_all_three_micro_saccades():
    objects = EventGlances(recordings(), step=DURATION)
    which = torch.arange(3)
    known = objects.fixations(torch.zeros(3, dtype=torch.int64), which)
    streams = [generator(0, sample) for sample in range(300)]
    seen = objects.views(torch.zeros(300, dtype=torch.int64), streams)
    matches = (seen[:, None] == known[None]).flatten(2).all(2)
    assert (matches.sum(1) == 1).all()
    # Binomial: 300 draws with probability 1/3, standard deviation 8.2; 4.5 of them.
    assert (matches.sum(0) - 100).abs().max() < 37
    glances = GlanceStream(objects, [0, 1], seed=0)
    glance, _ = glances.next(glances.start())
    assert glance.view.shape == (2, 1, SMALL.addresses)
    assert torch.equal(objects.labels, torch.arange(5) % 3)
    assert len(objects) == 5


def test_a_recording_that_ends_inside_a_fixation_is_refused():
    parts = join([recordings(2), recordings(1, until=200_000)])
    with pytest.raises(ValueError, match=r"recording 2 ends after 200\.0 ms, .* leave it out"):
        EventGlances(parts)
    assert len(EventGlances(parts, starts=[0, 100_000])) == 3


@pytest.mark.parametrize("step", [0, 300, 200_000])
def test_fixations_are_whole_numbers_of_steps(step):
    with pytest.raises(ValueError, match=f"no whole number of steps of {step} microseconds"):
        EventGlances(recordings(), step=step)


@pytest.mark.parametrize("starts", [[], [0, 0], [100, 50]])
def test_fixations_follow_each_other(starts):
    with pytest.raises(ValueError, match="one after the other, not at"):
        EventGlances(recordings(), starts=starts)
