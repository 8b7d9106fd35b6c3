"""A dense area: its response and updates equal autograd; laws of the update; shapes that do not fit."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.functional import dense
from clapp_snn.functional.cells import from_cells, to_cells
from clapp_snn.functional.objective import Objective
from clapp_snn.functional.patches import cut_patches
from clapp_snn.functional.plasticity import AreaSignals, area_signals
from clapp_snn.functional.saccades import Draw, draw_saccades
from clapp_snn.randomness import generator
from tests.circuit import reference

GROUPS, GROUP, GRID, POST = 2, 3, 7, 10
SYNCHRONOUS = Objective(negatives=4)
TIME_LOCAL = Objective(negatives=1, sampling="local_same", time_local=True)
OPTIONS = {
    f"{name}, W_retro {retro}": replace(objective, retro=retro)
    for name, objective in (("clapp-s", SYNCHRONOUS), ("clapp", TIME_LOCAL))
    for retro in ("free", "tied", "zero")
}


class DenseArea(NamedTuple):
    weight: Tensor
    bias: Tensor
    W_pred: Tensor
    W_retro: Tensor | None

    def map(self, change: Callable[[Tensor], Tensor]) -> "DenseArea":
        retro = None if self.W_retro is None else change(self.W_retro)
        return DenseArea(change(self.weight), change(self.bias), change(self.W_pred), retro)


def gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None
    return leaf.grad


def normal(seed: int, name: str, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator(seed, name)).double()


def dense_area(objective: Objective) -> DenseArea:
    steps = len(objective.distances)
    return DenseArea(
        normal(0, "weight", POST, 256) / 16,
        0.1 * normal(0, "bias", POST),
        0.3 * normal(0, "pred", steps, POST, POST),
        0.3 * normal(0, "retro", steps, POST, POST) if objective.retro == "free" else None,
    )


def samples() -> Tensor:
    """(patch, 256): the patches of all images, flattened."""
    return cut_patches(normal(0, "images", GROUPS * GROUP, 1, 64, 64), 16, 8).flatten(1)


def draws(objective: Objective) -> list[Draw]:
    losses = 2 if objective.retro == "free" else 1
    return [
        draw_saccades(
            objective, [generator(1, "draw", loss, g) for g in range(GROUPS)], GROUP, GRID
        )
        for loss in range(losses)
    ]


def learn(
    objective: Objective, area: DenseArea, x: Tensor
) -> tuple[dict[str, Tensor], AreaSignals]:
    """Updates of all parameters of a dense area by the closed form."""
    output, code = dense.respond(x, area.weight, area.bias)
    cells = to_cells(output, GROUPS * GROUP, GROUP, GRID)
    drawn = draws(objective)
    second = drawn[1] if len(drawn) > 1 else None
    signals = area_signals(objective, cells, cells, area.W_pred, area.W_retro, drawn[0], second)
    signal = signals.target if signals.context is None else signals.target + signals.context
    changes = dense.update(x, code, from_cells(signal))._asdict() | {"W_pred": signals.W_pred}
    if signals.W_retro is not None:
        changes["W_retro"] = signals.W_retro
    return changes, signals


def differentiate(objective: Objective, area: DenseArea, x: Tensor) -> tuple[Tensor, DenseArea]:
    """Loss of the whole area, pair by pair, and its gradients by autograd."""
    leaves = area.map(lambda t: t.clone().requires_grad_())
    images = F.relu(x @ leaves.weight.T + leaves.bias).view(GROUPS, GROUP, GRID, GRID, POST)
    drawn = draws(objective)
    losses = []
    for group, z in enumerate(images):
        pairs = [
            (
                [step[group] for step in each.landing],
                None if each.fixation is None else each.fixation[group],
            )
            for each in drawn
        ]
        losses.append(
            reference.area_loss(
                z, z, leaves.W_pred, leaves.W_retro, pairs, objective.distances, objective.retro
            )
        )
    total = torch.stack(losses).mean()
    total.backward()
    return total.detach(), leaves.map(gradient)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
@pytest.mark.parametrize("name", OPTIONS)
def test_a_dense_area_learns_what_autograd_says(
    name: str, dtype: torch.dtype, tolerance: float
) -> None:
    objective = OPTIONS[name]
    area, x = dense_area(objective), samples()
    narrow = area.map(lambda t: t.to(dtype))
    changes, signals = learn(objective, narrow, x.to(dtype))
    loss, gradients = differentiate(objective, area, x)
    assert 0.05 < float(signals.gate) < 0.95, "gates all open or all shut would hide the gate"
    assert float(signals.loss) == pytest.approx(float(loss), rel=max(tolerance / 100, 1e-12))
    compared = 0
    for key, wanted in gradients._asdict().items():
        if wanted is None:
            continue
        change = changes[key]
        assert change.dtype == dtype
        assert float((change.double() + wanted).norm() / wanted.norm()) < tolerance, key
        compared += 1
    assert compared == len(changes)


def test_bfloat16_input_leaves_the_update_wide() -> None:
    """bfloat16 has 8 bits; the update keeps the precision of the signal."""
    x, weight, bias = normal(2, "x", 40, 30), normal(2, "w", 12, 30) / 6, normal(2, "b", 12)
    exact = dense.respond(x, weight, bias)
    found = dense.respond(x.bfloat16(), weight.float(), bias.float())
    assert found.output.dtype == torch.bfloat16
    assert float((found.output - exact.output).norm() / exact.output.norm()) < 2**-7
    signal = normal(2, "signal", 40, 12)
    change = dense.update(x.bfloat16(), exact.code, signal.float())
    wanted = dense.update(x, exact.code, signal)
    assert {change.weight.dtype, change.bias.dtype} == {torch.float32}
    assert 0 < float((change.weight - wanted.weight).norm() / wanted.weight.norm()) < 2**-6


sizes = st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5))
seeds = st.integers(0, 2**31)


def case(seed: int, size: tuple[int, int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    count, pre, post = size
    return (
        normal(seed, "x", count, pre),
        normal(seed, "w", post, pre),
        normal(seed, "b", post),
        normal(seed, "signal", count, post),
    )


@given(seed=seeds, size=sizes)
@settings(max_examples=30, deadline=None)
def test_update_is_a_sum_of_three_factors(seed: int, size: tuple[int, int, int]) -> None:
    x, weight, bias, signal = case(seed, size)
    output, code = dense.respond(x, weight, bias)
    assert torch.equal(code, (output > 0).to(torch.uint8))
    change = dense.update(x, code, signal)
    expected, threshold = torch.zeros_like(weight), torch.zeros_like(bias)
    for n in range(size[0]):
        for j in range(size[2]):
            if float(weight[j] @ x[n] + bias[j]) > 0:
                expected[j] += signal[n, j] * x[n]
                threshold[j] += signal[n, j]
    torch.testing.assert_close(change.weight, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(change.bias, threshold, rtol=1e-10, atol=1e-12)


@given(seed=seeds, size=sizes)
@settings(max_examples=30, deadline=None)
def test_sign_silence_and_order_of_samples(seed: int, size: tuple[int, int, int]) -> None:
    x, weight, bias, signal = case(seed, size)
    code = dense.respond(x, weight, bias).code
    change = dense.update(x, code, signal)
    for one, flipped in zip(change, dense.update(x, code, -signal), strict=True):
        assert torch.equal(one, -flipped)
    for nothing in dense.update(x, code, torch.zeros_like(signal)):
        assert not nothing.any()
    order = torch.randperm(size[0], generator=generator(seed, "order"))
    shuffled = dense.update(x[order], code[order], signal[order])
    for one, other in zip(change, shuffled, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_a_neuron_at_threshold_is_silent() -> None:
    """rho'(0) = 0, as autograd has it."""
    x = torch.tensor([[1.0, -1.0], [1.0, 0.0]])
    found = dense.respond(x, torch.ones(1, 2), torch.zeros(1))
    assert found.code.tolist() == [[0], [1]]
    assert found.output.tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize(
    ("x", "weight", "bias"),
    [
        ((4, 3, 3), (5, 3), (5,)),
        ((4, 3), (5, 4), (5,)),
        ((4, 3), (5, 3), (4,)),
        ((4, 3), (5,), (5,)),
    ],
)
def test_respond_names_shapes_that_do_not_fit(
    x: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"A dense layer maps x \(sample, pre\)") as raised:
        dense.respond(torch.zeros(x), torch.zeros(weight), torch.zeros(bias))
    assert all(str(shape) in str(raised.value) for shape in (x, weight, bias))


@pytest.mark.parametrize(
    ("x", "code", "signal"),
    [((4, 3), (4, 5), (4, 6)), ((4, 3), (5, 5), (5, 5)), ((4, 3), (1, 2, 2, 5), (1, 2, 2, 5))],
)
def test_update_names_shapes_that_do_not_fit(
    x: tuple[int, ...], code: tuple[int, ...], signal: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="A dense update needs x") as raised:
        dense.update(torch.zeros(x), torch.zeros(code, dtype=torch.uint8), torch.zeros(signal))
    assert all(str(shape) in str(raised.value) for shape in (x, code, signal))
