"""Which neurons, or which synapses, a monitor looks at."""

import operator
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

Index = int | tuple[int, ...]
"""One entry of a tensor: its index in flattened order, or one number an axis."""


def flat_indices(
    wanted: Sequence[Index] | None, shape: tuple[int, ...], what: str = "neuron"
) -> Int[Tensor, "count"] | None:
    """Indices into the flattened `shape`; None, meaning all of them, stays None.

    Raises ValueError for an index outside the shape, the same one twice, or none at all; TypeError for
    anything but whole numbers.
    """
    if wanted is None:
        return None
    flat = [_flat(index, shape, what) for index in wanted]
    if not flat:
        raise ValueError(f"Select at least one {what}, or leave the selection out to record all.")
    if len(set(flat)) < len(flat):
        raise ValueError(f"The selection names a {what} more than once.")
    return torch.tensor(flat)


def _flat(index: Index, shape: tuple[int, ...], what: str) -> int:
    axes = tuple(map(operator.index, index if isinstance(index, tuple) else (index,)))
    sizes = shape if isinstance(index, tuple) else (int(np.prod(shape)),)
    if len(axes) != len(sizes) or any(
        not 0 <= entry < size for entry, size in zip(axes, sizes, strict=False)
    ):
        raise ValueError(f"There is no {what} {index} in a shape of {tuple(shape)}.")
    return int(np.ravel_multi_index(axes, sizes))


def axis_columns(
    flat: Int[np.ndarray, "rows"], shape: tuple[int, ...]
) -> dict[str, Int[np.ndarray, "rows"]]:
    """Columns axis_0, axis_1, ... that say where flat indices lie in a shape of more than one axis."""
    if len(shape) < 2:
        return {}
    return {f"axis_{axis}": places for axis, places in enumerate(np.unravel_index(flat, shape))}
