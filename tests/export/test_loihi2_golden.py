"""The integer models of Loihi 2 against what Lava's fixed-point simulation computed: no difference at all.

The files are made by hardware/loihi2/make_golden.py, with inputs and parameters inside.
"""

import math

import numpy as np
import pytest

from clapp_snn.export.canonical_layers import Conv2d
from clapp_snn.export.loihi2.layers import (
    IntegerConv,
    IntegerDense,
    IntegerLIF,
    LIFTrace,
    delayed,
    simulate,
)
from clapp_snn.export.loihi2.learning import LearningRule, LearningSynapses, Post, Product
from clapp_snn.export.loihi2.learning_area import AreaSettings, LoihiArea
from clapp_snn.export.loihi2.soma_program import SomaProgram
from clapp_snn.export.loihi2.traces import Independent, Nearest, Rounding, Shared
from clapp_snn.export.loihi2.two_compartment import IntegerTwoCompartment
from tests.export.golden import Arrays, golden

EXAMPLE = {"x1_impulse": 16, "x1_tau": 8.0, "x2_impulse": 9, "x2_tau": 20.0}
TWO_TRACES = (Product(("x1", "y1"), 1, -5), Product(("x2", "y2"), -1, -6))
TAG = (Product(("x1", "y3")), Product(("t",), -1))


def require_equal(trace: LIFTrace, stored: Arrays, name: str, suffix: str = "") -> None:
    for field in ("spikes", "u", "v"):
        different = getattr(trace, field) != stored[f"{name}_{field}{suffix}"]
        assert not different.any(), f"{different.sum()} of {different.size} {field} differ"


@pytest.mark.parametrize("case", range(6))
def test_dense_synapses_and_neurons(case: int) -> None:
    stored = golden("dense_lif")

    def at(name: str) -> np.ndarray:
        return stored[f"{name}_{case}"].astype(np.int64)

    synapses = IntegerDense(at("weight"), int(at("exponent")), int(at("bits")))
    neurons = IntegerLIF(
        (8,), *(int(at(name)) for name in ("du", "dv", "vth", "bias_mant", "bias_exp"))
    )
    recurrent = IntegerDense(at("recurrent")) if f"recurrent_{case}" in stored else None
    trace = simulate(neurons, delayed(synapses(at("spikes"))), recurrent)
    require_equal(trace, stored, "lif", f"_{case}")
    assert trace.v.any()
    assert (recurrent is not None) == (case == 5)


def test_the_stored_cases_reach_the_ends_of_the_ranges() -> None:
    stored = golden("dense_lif")
    assert abs(stored["lif_v_2"]).max() == 2**23 - 1
    assert abs(np.diff(stored["lif_u_2"], axis=0)).max() > 2**23


@pytest.mark.parametrize("case", range(2))
def test_convolutions_and_neurons(case: int) -> None:
    stored = golden("conv_lif")
    weight = stored[f"weight_{case}"].astype(np.int64)
    spikes = stored[f"spikes_{case}"].astype(np.int64)
    stride, padding = (tuple(stored[f"{name}_{case}"].tolist()) for name in ("stride", "padding"))
    exponent, du, dv, vth = stored[f"neurons_{case}"].tolist()
    layer = Conv2d(weight.astype(float), np.zeros(len(weight)), stride, padding, spikes.shape[1:])
    synapses = IntegerConv(weight, layer, exponent)
    trace = simulate(IntegerLIF(layer.output_shape, du, dv, vth), delayed(synapses(spikes)))
    require_equal(trace, stored, "lif", f"_{case}")
    assert trace.spikes.any()


def test_two_compartments_with_burst_coincidence() -> None:
    stored = golden("two_compartment")
    basal, apical = (
        delayed(IntegerDense(stored[f"weight_{name}"])(stored[name].astype(np.int64)))
        for name in ("basal", "apical")
    )
    soma = IntegerLIF((8,), 4095, *stored["soma"].tolist())
    du, vth = stored["plateau"].tolist()
    found = IntegerTwoCompartment(soma, IntegerLIF((8,), du, 4095, vth)).run(basal, apical)
    for name in ("soma", "apical", "gate"):
        require_equal(getattr(found, name), stored, name)
    coincidences = found.soma.spikes & found.apical.spikes
    np.testing.assert_array_equal(found.bursts[1:], coincidences[:-1])
    assert 0 < found.bursts.sum() < found.soma.spikes.sum()


RULES: tuple[tuple[LearningRule, bool], ...] = (
    (LearningRule(TWO_TRACES, TAG, **EXAMPLE), False),
    (LearningRule(TWO_TRACES, TAG, **EXAMPLE, epoch=8), False),
    (
        LearningRule((Product(("x1", "y1"), 3, -6),), **EXAMPLE, epoch=4, decimation=2),
        False,
    ),
    (LearningRule(TWO_TRACES, TAG, **EXAMPLE), True),
    (LearningRule(TWO_TRACES, TAG, **EXAMPLE, epoch=8), True),
)


def learn(rule: LearningRule, rounding: Rounding, stored: Arrays) -> dict[str, np.ndarray]:
    synapses = LearningSynapses(stored["initial"].astype(np.int64), rule, rounding)
    found: dict[str, list[np.ndarray]] = {name: [] for name in ("weight", "tag", "x1", "x2")}
    for spikes, *post in zip(stored["spikes"], *stored["post"], strict=True):
        synapses.step(spikes.astype(np.int64), Post(*(y.astype(np.int64) for y in post)))
        for name, values in found.items():
            values.append(getattr(synapses, name))
    return {name: np.stack(values) for name, values in found.items()}


@pytest.mark.parametrize("case", range(5))
def test_learning_with_the_same_rounding_is_exact(case: int) -> None:
    """Case 0 to 2 round to the nearest, 3 and 4 use the random numbers that Lava draws."""
    stored = golden("learning")
    rule, random = RULES[case]
    found = learn(rule, Shared(7) if random else Nearest(), stored)
    for name, values in found.items():
        np.testing.assert_array_equal(values, stored[f"{name}_{case}"], err_msg=name)
    assert len(np.unique(found["weight"], axis=0)) > 3


AREA_RULE = LearningRule(
    (Product(("x1", "y1"), 1, -6), Product(("t", "y2"), 1, -6)),
    TAG,
    x1_impulse=4,
    x1_tau=8.0,
    decimation=3,
)


@pytest.mark.parametrize(
    ("rule", "last", "post"),
    [(RULES[0][0], "last", None), (AREA_RULE, "last_whole", "post_whole")],
    ids=["example", "area"],
)
def test_stochastic_rounding_has_lavas_mean(
    rule: LearningRule, last: str, post: str | None
) -> None:
    """Independent numbers for every synapse, against Lava's one number for all of them.

    Lava's synapses share their numbers, so that its standard error comes from the spread of means over
    synapses; ours likewise. Single synapses may be 4 standard errors apart.
    """
    rounding, stored = golden("rounding"), golden("learning")
    lava = rounding[last].astype(float)
    if post is not None:
        stored["post"] = rounding[post]
    ours = np.stack(
        [
            learn(rule, Independent(np.random.default_rng(n)), stored)["weight"][-1]
            for n in range(40)
        ]
    ).astype(float)
    means = [each.mean((1, 2)) for each in (lava, ours)]
    error = math.hypot(*(mean.std(ddof=1) / math.sqrt(len(mean)) for mean in means))
    assert 0 < abs(means[0].mean() - means[1].mean()) <= 2 * error
    single = np.hypot(*(each.std(0, ddof=1) / math.sqrt(len(each)) for each in (lava, ours)))
    inner = (abs(lava).max(0) < 255) & (abs(ours).max(0) < 255)
    assert inner.sum() >= 12
    assert (abs(lava.mean(0) - ours.mean(0)) <= 4 * single)[inner].all()


AREA = AreaSettings(
    basal=Product(("x1", "y1"), 1, -5),
    lateral=Product(("x1", "y1"), 1, -2),
    x1_impulse=4,
    x1_tau=8.0,
    decimation=4,
    margin=1000,
    soma=SomaProgram(target=3, homeostasis=2, count_bits=1),
)


@pytest.mark.parametrize("mode", ["nearest", "lava"])
def test_a_learning_area(mode: str) -> None:
    stored = golden("area")
    weights = [stored[f"initial_{name}"] for name in ("basal", "W_pred", "W_retro")]
    rounding = [Nearest() if mode == "nearest" else Shared(seed) for seed in (11, 12, 13)]
    area = LoihiArea(
        *weights,
        IntegerLIF((6,), 4095, 128, 200, bias=stored["initial_bias"]),
        AREA,
        (rounding[0], rounding[1], rounding[2]),
        None if mode == "nearest" else stored["initial_noise"],
    )
    found = area.run(stored["input"].astype(np.int64), stored["fixation"] > 0)
    for name, values in found._asdict().items():
        different = values != stored[f"{name}_{mode}"]
        assert not different.any(), f"{different.sum()} of {different.size} {name} differ"
    assert set(found.gamma.tolist()) == {-1, 0, 1}
