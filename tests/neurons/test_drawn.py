"""Counts drawn for a whole window against the step-by-step unit."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_snn.neurons.drawn import draw_counts
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import Inputs, Layer
from clapp_snn.neurons.noise import SampleStreams, Streams


def chi_square(found: torch.Tensor, expected: torch.Tensor) -> tuple[float, int]:
    """Pearson's statistic over the cells with at least five expected cases, and the degrees of freedom."""
    cells = expected >= 5
    statistic = ((found - expected)[cells] ** 2 / expected[cells]).sum().item()
    return statistic, int(cells.sum()) - 1


def test_counts_follow_the_binomial_law() -> None:
    """Chi-square of events and of bursts, below mean + 5 standard deviations of its distribution."""
    units, steps, q, p = 20_000, 50, 0.04, 0.3
    soma = torch.full((units,), 2.0)
    counts = draw_counts(
        Inputs(soma, p + 0 * soma), EventBurstParameters(), 1.0, steps, Streams.from_seed(0)
    )
    for values, chance in ((counts.events, q), (counts.bursts, q * p)):
        found = torch.bincount(values.long(), minlength=steps + 1).double()
        law = [math.comb(steps, k) * chance**k * (1 - chance) ** (steps - k) for k in range(51)]
        statistic, freedom = chi_square(found, units * torch.tensor(law, dtype=torch.float64))
        assert statistic < freedom + 5 * math.sqrt(2 * freedom)


@pytest.mark.parametrize("readout", ["half_wave", "opponent"])
def test_the_same_law_as_step_by_step(readout: str) -> None:
    """Means and variances of both within 4.5 standard errors of each other (drives random, copies summed)."""
    params = EventBurstParameters(background=2.0, readout=readout)
    drives = torch.Generator().manual_seed(2)
    soma, apical = torch.randn(2, 6, generator=drives)
    steps, units, copies = 200, 3000, 2
    drawn = draw_counts(
        Inputs(soma.expand(units, 6), apical.expand(units, 6)),
        params,
        1.0,
        steps,
        Streams.from_seed(3),
        copies,
    )
    shape = (steps, units * copies, 6)
    stepped, _ = Layer(EventBurst(params))(
        Inputs(soma.expand(shape), apical.expand(shape)), source=Streams.from_seed(4)
    )
    for counts, trains in zip(drawn, (stepped.event, stepped.burst), strict=True):
        reference = trains.sum(0).view(units, copies, 6).sum(1)
        variance = reference.var(0) + 1e-3
        assert (
            (counts.mean(0) - reference.mean(0)).abs() < 4.5 * (2 * variance / units).sqrt()
        ).all()
        # Var of a sample variance of n nearly Poisson counts of mean m: (2 m^2 + m) / n.
        error = ((2 * variance**2 + variance) / units).sqrt()
        assert ((counts.var(0) - reference.var(0)).abs() < 4.5 * math.sqrt(2) * error).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), scale=st.floats(0.0, 1e6))
def test_events_do_not_depend_on_the_apical_drive(seed: int, scale: float) -> None:
    drives = torch.Generator().manual_seed(seed)
    soma, apical = torch.randn(2, 30, generator=drives)
    params = EventBurstParameters()
    one, two = Streams.from_seed(seed), Streams.from_seed(seed)
    for _window in range(3):
        silent = draw_counts(Inputs(soma, 0 * soma), params, 1.0, 200, one)
        driven = draw_counts(Inputs(soma, scale * apical), params, 1.0, 200, two)
        assert torch.equal(silent.events, driven.events)
        assert (driven.bursts <= driven.events).all()


def test_saturated_drives_fire_in_every_step() -> None:
    soma = torch.full((3,), 1e4)
    counts = draw_counts(
        Inputs(soma, soma), EventBurstParameters(), 1.0, 20, Streams.from_seed(0), copies=5
    )
    assert counts.events.tolist() == counts.bursts.tolist() == [100.0] * 3


def test_bad_windows() -> None:
    inputs, streams = Inputs(torch.ones(2), torch.ones(2)), Streams.from_seed(0)
    with pytest.raises(ValueError, match="binomial only without refractory time"):
        draw_counts(inputs, EventBurstParameters(t_ref=20.0), 1.0, 200, streams)
    with pytest.raises(ValueError, match="at least one step and one copy"):
        draw_counts(inputs, EventBurstParameters(), 1.0, 0, streams)
    with pytest.raises(ValueError, match="positive number of milliseconds"):
        draw_counts(inputs, EventBurstParameters(), -1.0, 10, streams)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_drives_that_are_not_finite_are_refused(value: float, side: int) -> None:
    drives = [torch.ones(3), torch.ones(3)]
    drives[side][1] = value
    with pytest.raises(ValueError, match="not finite"):
        draw_counts(Inputs(*drives), EventBurstParameters(), 1.0, 50, Streams.from_seed(0))


def test_samples_with_streams_of_their_own_do_not_depend_on_the_batch() -> None:
    soma = torch.rand(4, 7, generator=torch.Generator().manual_seed(0))
    params, chosen = EventBurstParameters(), [3, 1]

    def draw(samples: list[int]) -> torch.Tensor:
        inputs = Inputs(soma[samples], soma[samples])
        return torch.stack(draw_counts(inputs, params, 1.0, 500, SampleStreams(1, samples)))

    assert torch.equal(draw([0, 1, 2, 3])[:, chosen], draw(chosen))
    with pytest.raises(ValueError, match="4 samples have streams"):
        draw_counts(Inputs(soma[:3], soma[:3]), params, 1.0, 500, SampleStreams(1, [0, 1, 2, 3]))
