"""Rate-trained weights as spikes: counts follow activities, and nothing is changed silently."""

from dataclasses import replace

import numpy as np
import pytest

from clapp_snn.export.canonical_layers import Conv2d, Dense, SumPool
from clapp_snn.export.convert import Conversion, Converted, convert
from clapp_snn.export.input_code import encode
from clapp_snn.export.interpreter import run
from clapp_snn.export.rate_layers import RateLayer, respond


def dense_layers(seed: int = 0) -> list[RateLayer]:
    r = np.random.default_rng(seed)
    return [
        RateLayer(Dense(r.normal(size=(30, 16)) / 4, 0.1 * r.normal(size=30))),
        RateLayer(Dense(r.normal(size=(20, 30)) / 4, 0.1 * r.normal(size=20))),
    ]


def conv_layers(pool: bool) -> list[RateLayer]:
    r = np.random.default_rng(0)
    first = Conv2d(r.normal(size=(6, 1, 3, 3)) / 2, np.zeros(6), (1, 1), (1, 1), (1, 8, 8))
    side = 4 if pool else 8
    second = Conv2d(r.normal(size=(5, 6, 3, 3)) / 4, np.zeros(5), (1, 1), (1, 1), (6, side, side))
    return [RateLayer(first, pool), RateLayer(second)]


def inputs(shape: tuple[int, ...] = (16,), samples: int = 40, low: float = 0.0) -> np.ndarray:
    return np.random.default_rng(1).uniform(low, 1.0, (samples, *shape))


def errors(layers: list[RateLayer], converted: Converted, x: np.ndarray, steps: int) -> list[float]:
    """Root mean square error of counts times scale per step, over that of the activity, by layer."""
    spikes = run(converted.network, converted.spikes(x, steps))
    x = np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], 1) if converted.signed else x
    found = []
    for index, (layer, scale, counted) in enumerate(
        zip(layers, converted.scales, spikes, strict=True)
    ):
        if converted.signed and index == 0:
            weight = layer.synapse.weight
            doubled = np.concatenate([weight, -weight], 1)
            layer = RateLayer(Dense(doubled, layer.synapse.bias))
        z, x = respond(layer, x, average=True)
        estimate = scale * counted.mean(0)
        found.append(float(np.sqrt(np.square(estimate - z).mean() / np.square(z).mean())))
    return found


def test_counts_converge_to_activities() -> None:
    layers, x = dense_layers(), inputs()
    converted = convert(layers, x, Conversion(peak=0.25, percentile=100.0, steps=128))
    short, long = (errors(layers, converted, x, steps) for steps in (16, 512))
    assert max(long) < 0.15
    assert all(b < 0.7 * a for a, b in zip(short, long, strict=True))


def test_balance_makes_the_right_number_of_spikes() -> None:
    """On the calibration inputs themselves, to the resolution of the bisection and single spikes."""
    layers, x = dense_layers(), inputs()
    how = Conversion(percentile=100.0, steps=64)
    totals = []
    for balance in (True, False):
        converted = convert(layers, x, replace(how, balance=balance))
        spikes = run(converted.network, converted.spikes(x, how.steps))
        z1, below = respond(layers[0], x)
        z2, _ = respond(layers[1], below)
        wanted = [z / s for z, s in zip((z1, z2), converted.scales, strict=True)]
        totals.append(
            [c.sum() / (how.steps * w.sum()) for c, w in zip(spikes, wanted, strict=True)]
        )
    assert np.allclose(totals[0], 1, atol=0.01)
    assert np.abs(np.array(totals[1]) - 1).max() > 0.03


def test_a_leak_silences_weak_drives() -> None:
    """Why the default has none."""
    layers, x = dense_layers(), inputs()
    plain = errors(layers, convert(layers, x, Conversion(steps=128)), x, 256)
    leaky = errors(layers, convert(layers, x, Conversion(beta=0.8, steps=128)), x, 256)
    assert leaky[0] > 2 * plain[0]


def test_input_of_both_signs_has_two_lines() -> None:
    layers, x = dense_layers(), inputs(low=-1.0)
    converted = convert(layers, x, Conversion(peak=0.25, percentile=100.0))
    assert converted.signed
    assert converted.network.input_shape == (32,)
    assert max(errors(layers, converted, x, 512)) < 0.2


def test_max_pooling_is_refused_or_averaged() -> None:
    layers, x = conv_layers(pool=True), inputs((1, 8, 8))
    with pytest.raises(ValueError, match="Max-pooling has no counterpart"):
        convert(layers, x)
    converted = convert(layers, x, Conversion(pool="sum", peak=0.25, percentile=100.0))
    assert isinstance(converted.network.layers[2], SumPool)
    assert max(errors(layers, converted, x, 512)) < 0.15


def test_maps_without_pooling() -> None:
    layers, x = conv_layers(pool=False), inputs((1, 8, 8))
    converted = convert(layers, x, Conversion(peak=0.25, percentile=100.0))
    assert max(errors(layers, converted, x, 512)) < 0.15


@pytest.mark.parametrize("pool", [False, True])
def test_a_dense_layer_above_maps_sees_them_flat(pool: bool) -> None:
    first = conv_layers(pool)[0]
    size = 6 * (4 if pool else 8) ** 2
    weight = np.random.default_rng(3).normal(size=(7, size)) / size**0.5
    layers, x = [first, RateLayer(Dense(weight, 0.1 * np.ones(7)))], inputs((1, 8, 8))
    pooling = "sum" if pool else Conversion().pool
    converted = convert(layers, x, Conversion(pool=pooling, peak=0.25, percentile=100.0))
    counted = run(converted.network, converted.spikes(x, 512))[-1].mean(0)
    _, below = respond(first, x, average=True)
    z = np.maximum(below.reshape(len(x), -1) @ weight.T + 0.1, 0)
    estimate = converted.scales[-1] * counted
    assert np.square(estimate - z).mean() < 0.15**2 * np.square(z).mean()


def test_what_cannot_be_converted() -> None:
    layers = dense_layers()
    with pytest.raises(ValueError, match="no layers"):
        convert([], inputs())
    with pytest.raises(ValueError, match="fit the first layer"):
        convert(layers, inputs((15,)))
    with pytest.raises(ValueError, match="must be finite"):
        convert(layers, np.full((2, 16), np.nan))
    with pytest.raises(ValueError, match="inputs are silent"):
        convert(layers, np.zeros((2, 16)))
    silent = [RateLayer(Dense(-np.ones((3, 16)), np.zeros(3)))]
    with pytest.raises(ValueError, match="Layer 1 is silent"):
        convert(silent, inputs())
    converted = convert(layers, inputs())
    with pytest.raises(ValueError, match="negative"):
        converted.spikes(-inputs(), 4)


@pytest.mark.parametrize(
    "values",
    [{"beta": 0.0}, {"beta": 1.5}, {"percentile": 0.0}, {"peak": 0.0}, {"peak": 1.1}, {"steps": 0}],
)
def test_impossible_conversions(values: dict) -> None:
    with pytest.raises(ValueError, match=r"must lie|at least"):
        Conversion(**values)


def test_regular_code_counts_exactly() -> None:
    p = np.random.default_rng(0).random((5, 30))
    for steps in (1, 7, 100):
        counts = encode(p, steps).sum(0)
        assert (np.abs(counts - p * steps) < 1).all()
    assert encode(np.ones((1, 3)), 9).all()
    assert not encode(np.zeros((1, 3)), 9).any()
    # The first steps of a long code are the short code.
    assert (encode(p, 100)[:40] == encode(p, 40)).all()


def test_regular_code_does_not_fire_in_step() -> None:
    together = encode(np.full((1, 64), 0.25), 32).sum(2)
    assert together.max() <= 20
    assert together.min() >= 12


def test_bernoulli_code() -> None:
    """Within 4.5 standard errors of p, and found again from the seed."""
    p = np.full((1, 200), 0.3)
    spikes = encode(p, 500, "bernoulli", seed=3)
    assert abs(spikes.mean() - 0.3) < 4.5 * np.sqrt(0.21 / 100_000)
    assert (spikes == encode(p, 500, "bernoulli", seed=3)).all()
    assert (spikes != encode(p, 500, "bernoulli", seed=4)).any()
    with pytest.raises(ValueError, match="between 0 and 1"):
        encode(p * 4, 5)
    with pytest.raises(ValueError, match="regular or bernoulli"):
        encode(p, 5, "other")  # type: ignore[arg-type]
