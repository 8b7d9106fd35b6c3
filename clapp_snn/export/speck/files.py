"""Files with all that the cores of Speck are configured with.

`network.json` has one record a core, named as the attributes of samna's layer configuration are; the arrays
that belong to it are in `network.npz`: `weight_K` (post, pre, row, column), `bias_K`. samna takes kernels as
(post, pre, column, row).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from clapp_snn.export.canonical_layers import Shape
from clapp_snn.export.common_scale import LOWEST
from clapp_snn.export.speck.network import IntegerCore, SpeckNetwork
from clapp_snn.export.target import Placement
from clapp_snn.files import atomic_path, write_text

ARRAYS, DESCRIPTION = "network.npz", "network.json"


def write_network(
    folder: Path, model: SpeckNetwork, cores: list[int], placed: list[Placement]
) -> list[Path]:
    """Write both files into an existing folder; their paths."""
    arrays: dict[str, Any] = {}
    for index, core in enumerate(model.cores):
        arrays[f"weight_{index}"] = core.weight.astype(np.int8)
        arrays[f"bias_{index}"] = core.bias.astype(np.int8)
    targets: list[int | None] = [*cores[1:], None]
    network = model.network
    record = {
        "name": network.name,
        "dt_ms": network.dt,
        "input_shape": list(network.input_shape),
        "layers": [
            _core(core, number, target)
            for core, number, target in zip(model.cores, cores, targets, strict=True)
        ],
        "placement": [list(each) for each in placed],
        "metadata": network.metadata,
    }
    with atomic_path(folder / ARRAYS) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    write_text(folder / DESCRIPTION, json.dumps(record, indent=1))
    return [folder / ARRAYS, folder / DESCRIPTION]


def _core(core: IntegerCore, number: int, target: int | None) -> dict[str, Any]:
    layer = core.geometry
    onward = {"layer": target, "enable": True, "pooling": core.stage.pool}
    return {
        "core": number,
        "dimensions": {
            "input_shape": _shape(layer.input_shape),
            "output_shape": _shape(layer.output_shape),
            "padding": _pair(layer.padding),
            "stride": _pair(layer.stride),
            "kernel_size": layer.weight.shape[2],
        },
        "destinations": [] if target is None else [onward],
        "return_to_zero": True,
        "threshold_high": core.threshold,
        "threshold_low": LOWEST,
        "leak_enable": bool(core.bias.any()),
        "monitor_enable": target is None,
        "shape": list(core.stage.neurons.shape),
        "drive_of_weight_1": core.scale,
    }


def _shape(shape: Shape) -> dict[str, Any]:
    return {"size": {"x": shape[2], "y": shape[1]}, "feature_count": shape[0]}


def _pair(pair: tuple[int, int]) -> dict[str, int]:
    return {"x": pair[1], "y": pair[0]}
