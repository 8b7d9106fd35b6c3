"""Counter-based numbers: published answers of Philox, two implementations, distributions, addresses."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clapp_snn import native
from clapp_snn.native.counter import counter_draw
from clapp_snn.neurons.fast_streams import CounterStreams, counter_numbers, philox

# Known answers that the authors of Philox 4x32-10 publish with their Random123 library.
ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
SAMPLES = torch.tensor([0, 7, 2**32 - 1])
FLOAT32, CPU = torch.float32, torch.device("cpu")
needs_native = pytest.mark.skipif(not native.available(), reason=native.why_unavailable())


@pytest.mark.parametrize(("counter", "key", "answer"), ANSWERS)
def test_known_answers(counter, key, answer):
    first, second, third, fourth = counter
    words = philox((torch.tensor([first]), second, torch.tensor([third]), fourth), key)
    assert tuple(int(word) for word in words) == answer


@needs_native
@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 3), st.integers(1, 150),
    st.booleans(),
)  # fmt: skip
def test_the_engine_and_torch_give_the_same_bits(key, step, stream, size, normal):
    ours = counter_numbers(SAMPLES, size, key, step, stream, normal)
    assert torch.equal(ours, counter_draw(SAMPLES, size, key, step, stream, normal))


def test_normal_numbers_are_box_muller_pairs():
    block = torch.arange(8 * 512)
    words = philox((block, 3, torch.zeros(1, dtype=torch.int64), 1), (5, 0))
    x, y = (words[w].double().numpy().reshape(512, 8) for w in (0, 2))
    radius = np.sqrt(-2 * np.log((np.floor(x / 2) + 0.5) / 2**31))
    # Bit 31 picks a half of the circle, bit 30 an axis, and the rest an angle around it.
    angle = y % 2**30
    turn = (angle - 2**30 * (angle >= 2**29)) / 2**30 * math.pi / 2
    side = np.where(y >= 2**31, -radius, radius)
    swap = (y // 2**30) % 2 == 1
    numbers = counter_numbers(torch.tensor([0]), 512 * 32, 5, 3, 1, True)[0].view(512, 4, 8)
    # Single precision: a few units in the last place of numbers up to 6.7.
    assert (
        np.abs(numbers[:, 0].numpy() - side * np.where(swap, np.sin(turn), np.cos(turn))).max()
        < 2e-6
    )
    assert (
        np.abs(numbers[:, 2].numpy() - side * np.where(swap, np.cos(turn), np.sin(turn))).max()
        < 2e-6
    )


@pytest.mark.parametrize("normal", [False, True])
def test_distribution(normal):
    size = 200_000
    numbers = counter_numbers(torch.tensor([11]), size, 77, 5, 0, normal)[0].double().numpy()
    law = stats.norm if normal else stats.uniform
    # Kolmogorov's 1e-5 quantile.
    assert stats.kstest(numbers, law.cdf).statistic < 2.47 / math.sqrt(size)
    scores = numbers if normal else (numbers - 0.5) * math.sqrt(12)
    for shift in (1, 8, 16, 24, 32):
        # Products of independent standard scores have mean 0 and variance 1.
        products = scores[:-shift] * scores[shift:]
        assert abs(products.mean()) < 4.5 / math.sqrt(len(products))


def test_numbers_depend_on_every_part_of_the_address():
    def numbers(seed=0, key="a", sample=0, step=0, side=0):
        source = CounterStreams(seed, key, samples=[sample], step=step)
        draws = source.draw(("uniform", "uniform"), torch.Size((1, 64)), FLOAT32, CPU)
        return draws[side]

    base = numbers()
    others = [
        numbers(seed=1), numbers(key="b"), numbers(sample=1), numbers(step=1), numbers(side=1),
    ]  # fmt: skip
    assert torch.equal(base, numbers())
    for other in others:
        # 64 equal 24-bit numbers would be a miracle, and so would more than two.
        assert int((other == base).sum()) <= 2


def test_a_sample_does_not_depend_on_its_batch_nor_a_step_on_the_ones_before():
    shape, kinds = torch.Size((3, 5, 20)), ("normal", "uniform")
    together = CounterStreams(1, "area", samples=[4, 9, 2])
    together.draw(kinds, shape, FLOAT32, CPU)
    second = together.draw(kinds, shape, FLOAT32, CPU)
    alone = CounterStreams(1, "area", samples=[9], step=1)
    for all_, one in zip(
        second, alone.draw(kinds, torch.Size((1, 5, 20)), FLOAT32, CPU), strict=True
    ):
        assert torch.equal(all_[1:2], one)
    assert together.step == alone.step == 2


def test_kinds_precision_and_shape():
    source = CounterStreams(3)
    draws = source.draw(("none", "normal"), torch.Size((2, 3)), torch.float64, CPU)
    assert draws.event is None
    assert draws.burst.shape == (2, 3)
    assert draws.burst.dtype == torch.float64


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="numbered from 0 to 2\\^32 - 1, not -1"):
        CounterStreams(0, samples=[0, -1])
    with pytest.raises(ValueError, match="not 4294967296"):
        CounterStreams(0, step=2**32)
    with pytest.raises(ValueError, match="Sample 0 is in the batch more than once"):
        CounterStreams(0, samples=[0, 0])
    with pytest.raises(ValueError, match="use another key"):
        CounterStreams(0, step=2**32 - 2).advance(3)
    with pytest.raises(ValueError, match="2 samples are numbered"):
        CounterStreams(0, samples=[0, 1]).numbered(torch.Size((3, 4)))
