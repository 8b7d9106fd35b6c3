import math

import numpy as np
import pytest
import torch

from clapp_snn.randomness import generator
from clapp_snn.stimuli.spike_encoding import ENCODERS, encode_spikes

RANDOM = ["snntorch_rate", "norse_poisson"]


def streams(count: int, seed: int = 0) -> list[torch.Generator]:
    return [generator(seed, sample) for sample in range(count)]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_spikes_have_time_first_and_leave_the_global_random_state_alone(encoder):
    values = torch.rand(3, 2, 5, generator=generator(1))
    before = torch.get_rng_state()
    spikes = encode_spikes(values, 20, streams(3), encoder)
    assert spikes.shape == (20, 3, 2, 5)
    assert ((spikes == 0) | (spikes == 1)).all()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(spikes, encode_spikes(values, 20, streams(3), encoder))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_spikes_of_a_sample_do_not_depend_on_its_batch(encoder):
    values = torch.rand(4, 9, generator=generator(2))
    together = encode_spikes(values, 30, streams(4), encoder)
    alone = encode_spikes(values[2:3], 30, streams(4)[2:3], encoder)
    assert torch.equal(together[:, 2:3], alone)


@pytest.mark.parametrize("encoder", RANDOM)
@pytest.mark.parametrize(("rate", "dt"), [(100.0, 1.0), (50.0, 2.0), (1000.0, 1.0)])
def test_random_encoders_fire_at_the_rate(encoder, rate, dt):
    values = torch.tensor([[0.0, 0.2, 1.0]])
    steps = 20_000
    count = encode_spikes(values, steps, streams(1), encoder, rate, dt).sum(0)[0]
    chance = values[0] * rate * dt / 1000
    # Binomial standard deviation, 4.5 of them; chances 0 and 1 are exact.
    assert ((count - steps * chance).abs() <= 4.5 * (steps * chance * (1 - chance)).sqrt()).all()


def test_random_encoders_draw_anew_for_every_sample():
    spikes = encode_spikes(torch.full((2, 200), 0.5), 50, streams(2), "snntorch_rate", 1000.0)
    # Independent fair coins agree in half of 10 000 cases, standard deviation 50; 4.5 of them.
    assert abs(int((spikes[:, 0] == spikes[:, 1]).sum()) - 5000) < 225


def test_latency_is_linear():
    values = torch.tensor([[0.0, 0.005, 0.25, 0.5, 1.0]])
    spikes = encode_spikes(values, 9, streams(1), "snntorch_latency")[:, 0]
    assert spikes.sum(0).tolist() == [0, 0, 1, 1, 1]
    assert spikes.argmax(0)[2:].tolist() == [6, 4, 0]


def test_lif_encoders_follow_the_interval_of_the_leaky_membrane():
    """T = -tau ln(1 - 1 / I), with I such that T = 1 / rate for an input of 1 (tau 10 ms)."""
    rate, dt = 100.0, 0.05
    full = 1 / (1 - math.exp(-1))
    values = torch.tensor([[0.5, 0.7, 0.9, 1.0]])
    steps = 3000
    spikes = encode_spikes(values, steps, streams(1), "norse_lif", rate, dt)[:, 0].numpy()
    assert not spikes[:, 0].any()
    first = encode_spikes(values, steps, streams(1), "norse_latency", rate, dt)[:, 0].numpy()
    for column, value in enumerate(values[0].tolist()[1:], start=1):
        interval = -10.0 * math.log(1 - 1 / (full * value))
        times = np.flatnonzero(spikes[:, column]) * dt
        # Spikes fall on whole steps, and an Euler step errs by a share dt / (2 tau) of the interval.
        assert np.diff(times).mean() == pytest.approx(interval, abs=2 * dt)
        assert np.flatnonzero(first[:, column]) * dt == pytest.approx(times[:1])


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([[0.5]], {"encoder": "morse"}, "unknown encoder 'morse'; there are snntorch_rate,"),
        ([[1.5]], {}, "only values from 0 to 1"),
        ([[-0.1]], {}, "only values from 0 to 1"),
        ([[math.nan]], {}, "only values from 0 to 1"),
        ([[0.5]], {"steps": 0}, "at least one time step, not 0"),
        ([[0.5]], {"rate": 2000.0}, r"2000\.0 spikes per second .* step of 1\.0 ms"),
        ([[0.5]], {"rate": -1.0}, r"-1\.0 spikes per second"),
        ([[0.5], [0.5]], {}, "2 samples need as many generators, not 1"),
    ],
)
def test_impossible_requests_are_refused(values, options, message):
    with pytest.raises(ValueError, match=message):
        encode_spikes(torch.tensor(values), **{"steps": 5, "generators": streams(1), **options})
