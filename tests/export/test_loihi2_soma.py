"""What somata write for learning: whole steps without bias, so that the engine loses nothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapp_snn.export.loihi2.learning import LearningSynapses, Post
from clapp_snn.export.loihi2.learning_area import AreaSettings
from clapp_snn.export.loihi2.soma_program import (
    Held,
    SomaProgram,
    Written,
    initial_noise,
    write,
)
from clapp_snn.export.loihi2.traces import Independent, Nearest

SOMATA = 4000
ALL = np.ones(SOMATA, np.int64)
QUIET = SomaProgram(homeostasis=0)


def held(z: int = 6, c: int = 0, A: int = 0, R: int = 0, gamma: int = 1) -> Held:
    """The same in all somata."""
    return Held(z * ALL, c * ALL, A * ALL, R * ALL, gamma)


def error(mean: float, count: int = SOMATA) -> float:
    """4.5 standard errors of the mean of numbers that are rounded to one of two neighbours."""
    part = mean % 1
    return 4.5 * math.sqrt(part * (1 - part) / count) + 1e-9


@pytest.mark.parametrize("gamma", [1, -1])
@pytest.mark.parametrize("A", [0, 1, 3, 8, -5, 100, -100])
def test_steps_have_the_right_mean_for_both_signs(A: int, gamma: int) -> None:
    noise = initial_noise(SOMATA, seed=1)
    found = write(QUIET, held(z=7, c=21, A=A, R=A // 5, gamma=gamma), noise)
    for values, step, exact in (
        (found.basal.y1, 8, gamma * A / 8),
        (found.basal.y2, 32, gamma * (A // 5) / 8),
        (found.pred.y1, 8, gamma * 7 / 4),
        (found.retro.y1, 8, gamma * 21 / 4),
    ):
        assert not (values % step).any()
        assert abs(values / step - exact).max() < 1
        assert abs(values.mean() / step - exact) <= error(exact)
    assert (found.basal.y3 == 8).all()
    assert found.noise is not None
    assert (found.noise != noise).any()


def test_without_a_gate_only_homeostasis_acts() -> None:
    """A step towards the target in h / 8 of all windows."""
    for z, pull in ((0, 1), (5, 1), (6, 0), (7, -1), (61, -1)):
        found = write(SomaProgram(), held(z=z, c=3, A=90, R=90, gamma=0), initial_noise(SOMATA))
        assert abs(found.basal.y1.mean() / 8 - 3 * pull / 8) <= error(3 / 8) * abs(pull)
        assert set(np.unique(found.basal.y1)) <= {0, 8 * pull}
        assert not any(each.any() for each in (found.basal.y2, found.pred.y1, found.retro.y1))


def test_steps_stop_where_seven_bits_do() -> None:
    for gamma in (1, -1):
        found = write(SomaProgram(), held(z=61, c=61, A=10**5, R=10**5, gamma=gamma), None)
        assert (found.basal.y1 == 120 * gamma).all()
        assert (found.basal.y2 == (96 if gamma > 0 else -128)).all()
        assert (found.pred.y1 == 120 * gamma).all()
    silent = write(QUIET, held(z=0, A=10**4, R=40), None)
    assert not silent.basal.y1.any()
    assert not silent.basal.y3.any()
    assert (silent.basal.y2 == 32 * 3).all()


@given(st.integers(-128, 127), st.integers(0, 15), st.sampled_from([1, -1]))
def test_nearest_rounding_is_that_of_the_neighbour(A: int, z: int, gamma: int) -> None:
    one = np.ones(1, np.int64)
    found = write(QUIET, Held(z * one, one, A * one, A * one, gamma), None)
    assert found.noise is None
    if z:
        assert found.basal.y1[0] == 8 * np.clip(math.floor(gamma * A / 8 + 0.5), -15, 15)
    assert found.pred.y1[0] == 8 * gamma * math.floor(z / 4 + 0.5)


def test_noise_is_uniform_and_somata_are_independent() -> None:
    """Chi square of pairs, within 5 standard deviations of its mean: of one soma four draws apart, of two."""
    noise = initial_noise(64, seed=3)
    assert len(np.unique(noise)) == 64
    seen = []
    for _ in range(500):
        found = write(QUIET, Held(*(4 * (np.zeros(64, np.int64),)), 1), noise)
        assert found.noise is not None
        noise = found.noise
        seen.append(noise >> 12)
    draws = np.stack(seen)
    for one, other in ((draws[:-1], draws[1:]), (draws[:, :-1], draws[:, 1:])):
        table = np.bincount((8 * one + other).ravel(), minlength=64)
        chi2 = ((table - table.mean()) ** 2 / table.mean()).sum()
        assert abs(chi2 - 63) < 5 * math.sqrt(2 * 63)
    assert abs(np.corrcoef(draws.T) - np.eye(64)).max() < 6 / math.sqrt(len(draws))


def learned(written: Written, x1: int, tag: int, settings: AreaSettings) -> np.ndarray:
    """Change of basal weights after one update with a given trace and tag."""
    pre = 3
    synapses = LearningSynapses(
        np.zeros((SOMATA, pre), np.int64),
        settings.basal_rule,
        Independent(np.random.default_rng(4)),
    )
    synapses.steps = settings.window - 1
    synapses.x1 = np.full(pre, x1)
    synapses.tag = np.full((SOMATA, pre), tag)
    synapses.step(np.zeros(pre, np.int64), written.basal)
    return synapses.weight


@pytest.mark.parametrize("gamma", [1, -1])
@pytest.mark.parametrize("A", [2, -2, 60, -60])
def test_weights_follow_the_rule_on_average(A: int, gamma: int) -> None:
    """dw = 2^-7 (x1 A + t R) gamma / 8, with neither drift nor dead zone, over random numbers of both kinds.

    The engine alone would round -60 / 8 x 3 / 8 down, and lose 2 x 3 / 8 at a gain of 2^-7 altogether.
    """
    settings = AreaSettings(x1_tau=1e9, soma=QUIET)
    x1, tag, R = 20, 12, 9
    found = learned(
        write(QUIET, held(z=5, A=A, R=R, gamma=gamma), initial_noise(SOMATA, 5)), x1, tag, settings
    )
    exact = gamma * (x1 * A + tag * R) / 8 / 128
    spread = found.mean(1).std(ddof=1) / math.sqrt(SOMATA)
    assert abs(found.mean() - exact) <= 4.5 * spread
    assert 4.5 * spread < 0.05


def test_the_engine_loses_nothing_of_whole_steps() -> None:
    """Products of steps of y1 and y2 add up exactly, whatever the sign; only the weight is rounded."""
    settings = AreaSettings(x1_tau=1e9)
    basal, context = settings.basal_rule.dw
    assert (basal.lost_bits, context.lost_bits) == (3, 5)
    for k1, k2 in ((15, 3), (-15, -4), (1, -1), (-7, 2)):
        rule = settings.basal_rule
        synapses = LearningSynapses(np.zeros((1, 1), np.int64), rule, Nearest())
        synapses.steps, synapses.x1 = settings.window - 1, np.array([64])
        synapses.tag = np.array([[32]])
        one = np.ones(1, np.int64)
        synapses.step(np.zeros(1, np.int64), Post(8 * k1 * one, 32 * k2 * one, 8 * one))
        assert synapses.weight[0, 0] == math.ceil((64 * k1 + 32 * k2) / 128 - 0.5)
        assert synapses.tag[0, 0] == 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"homeostasis": 8}, "between 0 and 7"),
        ({"count_bits": 4}, "Between 0 and 3 bits"),
        ({"target": -1}, "number of spikes"),
    ],
)
def test_programs_that_do_not_exist(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SomaProgram(**change)
    with pytest.raises(ValueError, match="states of the noise"):
        initial_noise(2**15 + 1)
