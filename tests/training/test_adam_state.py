"""A run that is stopped and continued takes exactly the steps of one that was not."""

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import Adam

from clapp_snn.training.adam_state import flatten_adam, restore_adam
from clapp_snn.training.checkpoint import load_checkpoint, save_checkpoint

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "amsgrad": {"amsgrad": True},
}
NAMES = ["area_1", "area_2"]


def parameters() -> list[list[Tensor]]:
    """Two areas of leaf tensors without autograd, one in channels-last layout, one never learning."""
    generator = torch.Generator().manual_seed(1)
    conv = torch.randn(4, 3, 3, 3, generator=generator).to(memory_format=torch.channels_last)
    return [
        [conv, torch.randn(4, generator=generator), torch.randn(2, generator=generator)],
        [torch.randn(5, 4, generator=generator)],
    ]


def take_steps(areas: list[list[Tensor]], optimizers: list[Adam], steps: range) -> None:
    for step in steps:
        generator = torch.Generator().manual_seed(100 + step)
        for area, optimizer in zip(areas, optimizers, strict=True):
            for parameter in area:
                if parameter.shape != (2,):
                    noise = torch.randn(parameter.shape, generator=generator)
                    parameter.grad = torch.empty_like(parameter).copy_(noise)
            optimizer.step()


def make(areas: list[list[Tensor]], variant: str) -> list[Adam]:
    return [Adam(area, lr=0.01, **VARIANTS[variant]) for area in areas]


@pytest.mark.parametrize("variant", VARIANTS)
def test_continuation_is_bit_identical(tmp_path: Path, variant: str) -> None:
    whole = parameters()
    optimizers = make(whole, variant)
    take_steps(whole, optimizers, range(7))

    first = parameters()
    optimizers = make(first, variant)
    take_steps(first, optimizers, range(3))
    model = {f"{a}.{i}": value for a, area in enumerate(first) for i, value in enumerate(area)}
    save_checkpoint(tmp_path, 3, model, flatten_adam(optimizers, NAMES), {})

    stored = load_checkpoint(tmp_path)
    second = parameters()
    for a, area in enumerate(second):
        for i, value in enumerate(area):
            value.copy_(stored.model[f"{a}.{i}"])
    optimizers = make(second, variant)
    restore_adam(optimizers, NAMES, stored.optimizer)
    take_steps(second, optimizers, range(3, 7))

    for expected, got in zip(chain(*whole), chain(*second), strict=True):
        assert torch.equal(expected, got)
    conv = second[0][0]
    assert optimizers[0].state[conv]["exp_avg"].stride() == conv.stride()
    assert second[0][2] not in optimizers[0].state


def test_restored_state_is_a_copy() -> None:
    areas = parameters()
    optimizers = make(areas, "plain")
    take_steps(areas, optimizers, range(2))
    copies = make(areas, "plain")
    restore_adam(copies, NAMES, flatten_adam(optimizers, NAMES))
    before = {key: value.clone() for key, value in flatten_adam(copies, NAMES).items()}
    take_steps(areas, optimizers, range(2, 4))
    assert all(
        torch.equal(value, before[key]) for key, value in flatten_adam(copies, NAMES).items()
    )


def without_area_2(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if key.startswith("area_1")}


def without_one_moment(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if key != "area_1.1.exp_avg"}


def with_another_shape(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**state, "area_1.1.exp_avg": torch.zeros(5)}


def with_a_third_area(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**state, "area_3.stepped": torch.tensor([False])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_area_2, "'area_2' has 1 parameters, but nothing is stored"),
        (without_one_moment, "lacks 'area_1.1.exp_avg'"),
        (with_another_shape, r"shape \(5,\), the parameter \(4,\)"),
        (with_a_third_area, "no optimiser claims"),
    ],
)
def test_state_of_another_run_is_refused_and_changes_nothing(
    change: Callable[[dict[str, Tensor]], dict[str, Tensor]], message: str
) -> None:
    areas = parameters()
    optimizers = make(areas, "plain")
    take_steps(areas, optimizers, range(2))
    before = {key: value.clone() for key, value in flatten_adam(optimizers, NAMES).items()}
    with pytest.raises(ValueError, match=message):
        restore_adam(optimizers, NAMES, change(before))
    after = flatten_adam(optimizers, NAMES)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_names_must_differ() -> None:
    with pytest.raises(ValueError, match="2 different names"):
        flatten_adam(make(parameters(), "plain"), ["area", "area"])
