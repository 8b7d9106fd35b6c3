"""Binomial counts of the compiled engine: the law, sums, and numbers that depend on nothing else."""

import pytest
import torch
from scipy import stats
from torch import Tensor

from clapp_snn.native.binomial import Lottery, binomial_counts
from clapp_snn.native.neurons import Counter
from tests.threads import threads

SAMPLES, UNITS = 300, 100


def draw(value: Tensor, lottery: Lottery, step: int = 0, samples: Tensor | None = None, **options):
    numbers = torch.arange(len(value)) if samples is None else samples
    count = torch.full_like(value, torch.nan)
    binomial_counts(value, lottery, Counter(99, step, numbers, value.shape[1]), count, **options)
    return count


@pytest.mark.parametrize(
    ("trials", "q"),
    [(1, 0.3), (7, 0.9), (10, 0.5), (1000, 2e-3), (1000, 0.02), (1000, 0.0479), (1000, 0.3), (5000, 0.04),
     (3, 1e-3)],
)  # fmt: skip
def test_the_law_is_scipys(trials: int, q: float) -> None:
    """Chi square over all counts expected at least 10 times, the rest in one class; p > 1e-4 (seed fixed)."""
    counts = draw(torch.full((SAMPLES, UNITS), q), Lottery(trials)).long().flatten()
    law = stats.binom(trials, q)
    expected = torch.tensor(law.pmf(range(trials + 1))) * len(counts)
    seen = torch.bincount(counts, minlength=trials + 1).double()
    often = expected >= 10
    chi = ((seen - expected)[often] ** 2 / expected[often]).sum()
    rest = float(expected[~often].sum())
    assert rest < 10 or abs(float(seen[~often].sum()) - rest) < 4.5 * rest**0.5
    assert stats.chi2.sf(float(chi), max(1, int(often.sum()) - 1)) > 1e-4
    # Means within 4.5 standard errors.
    error = (trials * q * (1 - q) / len(counts)) ** 0.5
    assert abs(float(counts.double().mean()) - trials * q) < 4.5 * error


def test_certain_and_impossible_trials() -> None:
    value = torch.tensor([[1.0, 5.0, 0.0, -1.0, torch.nan]])
    assert draw(value, Lottery(1234)).tolist() == [[1234, 1234, 0, 0, 0]]
    trials = torch.tensor([[3.0, 0.0, 9.0, 9.0, 9.0]])
    assert draw(value, Lottery(trials)).tolist() == [[3, 0, 0, 0, 0]]


def test_background_and_slope_make_the_probability() -> None:
    value = torch.tensor([[-2.0, 0.0, 1.0, 4.0]]).expand(SAMPLES, -1).repeat(1, 50).contiguous()
    counts = draw(value, Lottery(20, offset=0.1, slope=0.2)).view(SAMPLES, 50, 4).mean((0, 1)) / 20
    expected = torch.tensor([0.1, 0.1, 0.3, 0.9])
    error = (expected * (1 - expected) / (20 * 50 * SAMPLES)).sqrt()
    assert bool(((counts - expected).abs() < 4.5 * error).all())


def test_paths_are_independent_and_channels_are_summed() -> None:
    value, totals = torch.full((SAMPLES, 60), 0.4), torch.full((SAMPLES, 2, 6), torch.nan)
    counts = draw(value, Lottery(10, paths=2), scale=0.5, totals=totals)
    torch.testing.assert_close(counts.view(SAMPLES, 10, 6).sum(1), totals.sum(1) / 2)
    one, two = totals.flatten(0, 1).view(SAMPLES, 2, 6).unbind(1)
    both = torch.corrcoef(torch.stack([one.flatten(), two.flatten()]))[0, 1]
    assert abs(float(both)) < 4.5 / (SAMPLES * 6) ** 0.5
    assert not torch.equal(one, two)


def test_numbers_depend_on_sample_step_and_unit_alone() -> None:
    value = torch.rand(5, 77) * 0.2
    whole = draw(value, Lottery(900, paths=2), step=3)
    alone = draw(value[2:3], Lottery(900, paths=2), step=3, samples=torch.tensor([2]))
    assert torch.equal(whole[2:3], alone)
    assert not torch.equal(whole, draw(value, Lottery(900, paths=2), step=4))
    quiet = value.clone()
    quiet[:, ::2] = 0
    assert torch.equal(draw(quiet, Lottery(900, paths=2), step=3)[:, 1::2], whole[:, 1::2])
    with threads(2):
        assert torch.equal(draw(value, Lottery(900, paths=2), step=3), whole)


def test_what_cannot_be_drawn_is_refused() -> None:
    value = torch.rand(2, 6)
    for lottery in (Lottery(10, paths=3), Lottery(-1), Lottery(1 << 24), Lottery(5, slope=-1.0)):
        with pytest.raises(ValueError, match="Counts need one or two paths"):
            draw(value, lottery)
    with pytest.raises(ValueError, match="Counts need one or two paths, whole maps"):
        draw(value, Lottery(10), totals=torch.zeros(2, 1, 4))
    with pytest.raises(ValueError, match="value has to be"):
        draw(value.double(), Lottery(10))
    with pytest.raises(ValueError, match="trials has to have shape"):
        draw(value, Lottery(torch.ones(2, 5)))


@pytest.mark.parametrize("wrong", [-1.0, float(1 << 24), 4e9, torch.inf, torch.nan])
def test_trials_that_float32_cannot_count_are_refused(wrong: float) -> None:
    """They would be drawn for ever."""
    trials = torch.full((2, 6), 5.0)
    trials[1, 2] = wrong
    with pytest.raises(ValueError, match="below 2\\^24"):
        draw(torch.rand(2, 6), Lottery(trials))
