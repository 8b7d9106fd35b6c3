"""The state of Adam as plain named tensors, so that it can be stored without a pickle.

Keys are `{name}.{i}.{entry}`: `name` of the optimiser, `i` counts its parameters over all groups, `entry`
is `step`, `exp_avg` or `exp_avg_sq`. `{name}.stepped` marks which parameters have a state at all; plain SGD
leaves none. Hyper-parameters (learning rate, betas) are configuration and are not stored.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


def flatten_adam(optimizers: Sequence[Optimizer], names: Sequence[str]) -> dict[str, Tensor]:
    """Named views (not copies) of the state of all `optimizers`, one unique name each."""
    _check_names(optimizers, names)
    result = {}
    for optimizer, name in zip(optimizers, names, strict=True):
        states = [optimizer.state.get(parameter, {}) for _, parameter in _parameters(optimizer)]
        result[f"{name}.stepped"] = torch.tensor([bool(state) for state in states])
        for index, state in enumerate(states):
            for entry, value in state.items():
                result[f"{name}.{index}.{entry}"] = value.detach()
    return result


def restore_adam(
    optimizers: Sequence[Optimizer], names: Sequence[str], tensors: Mapping[str, Tensor]
) -> None:
    """Copy what `flatten_adam` gave into `optimizers` with the same names and parameters, exactly.

    Works across the plain, foreach and fused variants: `step` goes where the variant wants it.

    Raises:
        ValueError: the tensors do not belong to these optimisers; nothing is changed then.
    """
    _check_names(optimizers, names)
    used: set[str] = set()
    restored: list[tuple[Optimizer, Tensor, dict[str, Tensor]]] = []
    for optimizer, name in zip(optimizers, names, strict=True):
        parameters = _parameters(optimizer)
        stepped = tensors.get(f"{name}.stepped")
        if stepped is None or len(stepped) != len(parameters):
            found = "nothing" if stepped is None else f"a state of {len(stepped)}"
            raise ValueError(
                f"optimiser {name!r} has {len(parameters)} parameters, but {found} is stored for it; "
                "resume with the configuration of the run"
            )
        used.add(f"{name}.stepped")
        for index, (group, parameter) in enumerate(parameters):
            if stepped[index]:
                keys = [f"{name}.{index}.{entry}" for entry in _entries(group)]
                restored.append((optimizer, parameter, _state(group, parameter, keys, tensors)))
                used.update(keys)
    if unclaimed := sorted(set(tensors) - used):
        raise ValueError(
            f"stored optimiser state that no optimiser claims: {unclaimed[:5]}; resume with the "
            "configuration of the run"
        )
    for optimizer in optimizers:
        optimizer.state.clear()
    for optimizer, parameter, state in restored:
        optimizer.state[parameter] = state


def _state(
    group: Mapping[str, Any], parameter: Tensor, keys: Sequence[str], tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    state = {}
    for key in keys:
        entry = key.rsplit(".", 1)[1]
        if key not in tensors:
            raise ValueError(
                f"the stored optimiser state lacks {key!r}; resume with the configuration of the run"
            )
        value = tensors[key]
        if entry == "step":
            on_device = group["fused"] or group["capturable"]
            state[entry] = value.detach().clone().to(parameter.device if on_device else "cpu")
            continue
        if value.shape != parameter.shape:
            raise ValueError(
                f"stored optimiser state {key!r} has shape {tuple(value.shape)}, the parameter "
                f"{tuple(parameter.shape)}; resume with the configuration of the run"
            )
        # In the parameter's memory layout, so that foreach and fused kernels keep their fast path.
        state[entry] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(
            value
        )
    return state


def _entries(group: Mapping[str, Any]) -> list[str]:
    return ["step", "exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group["amsgrad"] else [])]


def _parameters(optimizer: Optimizer) -> list[tuple[dict[str, Any], Tensor]]:
    """(group, parameter) of all parameters, in order."""
    return [(group, parameter) for group in optimizer.param_groups for parameter in group["params"]]


def _check_names(optimizers: Sequence[Optimizer], names: Sequence[str]) -> None:
    if len(optimizers) != len(names) or len(set(names)) != len(names):
        raise ValueError(f"need {len(optimizers)} different names of optimisers, got {list(names)}")
