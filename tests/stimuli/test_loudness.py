import pytest
import torch

from clapp_snn.randomness import generator
from clapp_snn.stimuli.cochlea import Cochlea
from clapp_snn.stimuli.loudness import BANDS, LOOKS, PART, UNIT, Loudness
from clapp_snn.stimuli.sounds import Sounds, open_sounds
from tests.small_data import write_sounds


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Sounds:
    return open_sounds(write_sounds(tmp_path_factory.mktemp("sounds") / "small.npz", 12))


def streams(count: int) -> list[torch.Generator]:
    return [generator(1, sample) for sample in range(count)]


def test_the_split_of_the_collection(sounds):
    assert sounds.test.tolist() == [True] * 3 + [False] * 9
    test = sounds.select(sounds.test)
    assert len(test) == 3
    assert all(map(torch.equal, test.waves, sounds.waves[:3]))
    assert test.labels.tolist() == [0, 1, 2]


def test_looks_run_from_the_beginning_of_a_sound_to_its_end(sounds):
    objects, steps = Loudness(sounds), round(PART)
    seen = objects.inspect(torch.tensor([4, 1]), [])
    assert seen.shape == (2, LOOKS, BANDS)
    for row, index in enumerate((4, 1)):
        whole = Cochlea(8000, BANDS)(sounds.waves[index])
        for look, start in enumerate((0, 33, 67, len(whole) - steps)):
            wanted = whole[start : start + steps].mean(0) / UNIT
            torch.testing.assert_close(seen[row, look], wanted)
    torch.testing.assert_close(objects.raw(seen), seen.mean(1))


def test_spikes_are_loudness_on_average(sounds):
    """4 x 40 bands x 4 looks of 200 lotteries with q < 0.5, p = q: within 4.5 standard errors of the mean."""
    quiet, spikes = Loudness(sounds), Loudness(sounds, 1.0)
    indices = torch.arange(4)
    wanted, seen = quiet.inspect(indices, []), spikes.inspect(indices, streams(4))
    assert seen.shape == (4, LOOKS, 200, BANDS)
    size = 1000 / (500 * UNIT)
    assert seen.unique().tolist() == pytest.approx([0, size])
    q = wanted / size
    error = (q * (1 - q)).sum().div(200).sqrt() * size
    assert abs(float((seen.mean(2) - wanted).sum())) < 4.5 * float(error)
    torch.testing.assert_close(spikes.raw(seen), seen.mean((1, 2)))


def test_a_view_depends_on_its_own_stream_only(sounds):
    objects = Loudness(sounds, 1.0)
    both = objects.views(torch.tensor([3, 5]), streams(2))
    alone = objects.views(torch.tensor([5]), streams(2)[1:])
    assert torch.equal(both[1:], alone)
