"""Files that a Lava program needs to build a network: arrays, a description, and the program itself.

Arrays are laid out as Lava's processes take them: maps as (column, row, channel), kernels turned by 180
degrees, pooling as part of the synapses, because Lava has no process for it.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from clapp_snn.export.canonical_layers import SumPool
from clapp_snn.export.interpreter import reshape
from clapp_snn.export.loihi2.layers import IntegerConv
from clapp_snn.export.loihi2.network import IntegerStage, LoihiNetwork
from clapp_snn.export.loihi2.script import SCRIPT
from clapp_snn.export.target import Placement
from clapp_snn.files import atomic_path, write_text

ARRAYS, DESCRIPTION, PROGRAM = "network.npz", "network.json", "run_lava.py"


def write_network(folder: Path, model: LoihiNetwork, placed: list[Placement]) -> list[Path]:
    """Write the three files into an existing folder; their paths."""
    arrays: dict[str, np.ndarray] = {}
    stages: list[dict[str, Any]] = []
    shape = model.network.input_shape
    for index, stage in enumerate(model.stages):
        found, record = _stage(stage, shape)
        arrays |= {f"{name}_{index}": values for name, values in found.items()}
        stages.append(record)
        shape = stage.neurons.shape
    record = {
        "name": model.network.name,
        "dt_ms": model.network.dt,
        "input_shape": list(model.network.input_shape),
        "delay_steps": model.delay,
        "stages": stages,
        "placement": [list(each) for each in placed],
        "metadata": model.network.metadata,
    }
    with atomic_path(folder / ARRAYS) as temporary:
        save_arrays(temporary, arrays)
    write_text(folder / DESCRIPTION, json.dumps(record, indent=1))
    write_text(folder / PROGRAM, SCRIPT)
    return [folder / ARRAYS, folder / DESCRIPTION, folder / PROGRAM]


def save_arrays(path: Path, arrays: dict[str, Any]) -> None:
    """Write named arrays, compressed, whatever the path ends in."""
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _stage(
    stage: IntegerStage, shape: tuple[int, ...]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    neurons = stage.neurons
    arrays = {
        "bias": turned(np.broadcast_to(neurons.bias, neurons.shape)),
        "v0": turned(np.broadcast_to(neurons.v0, neurons.shape)),
    }
    record: dict[str, Any] = {
        "shape": list(neurons.shape),
        "du": neurons.du,
        "dv": neurons.dv,
        "vth": neurons.vth,
        "bias_exponent": neurons.bias_exponent,
        "weight_exponent": stage.synapse.exponent,
        "weight_of_unit_drive": stage.unit,
        "bits": stage.bits,
    }
    if isinstance(stage.synapse, IntegerConv):
        arrays["weight"], record["stride"], record["padding"] = _kernels(stage)
        record["input_shape"] = list(shape)
    else:
        arrays["weight"] = stage.synapse.weight @ _pooling(stage, shape)
    if stage.recurrent is not None:
        order = turned(np.arange(math.prod(neurons.shape)).reshape(neurons.shape)).ravel()
        arrays["recurrent"] = stage.recurrent.weight[order][:, order]
    return arrays, record


def turned(values: np.ndarray) -> np.ndarray:
    """(channel, row, column) as (column, row, channel); anything else as it is."""
    return values.transpose(2, 1, 0) if values.ndim == 3 else values


def _kernels(stage: IntegerStage) -> tuple[np.ndarray, list[int], list[int]]:
    synapse = stage.synapse
    assert isinstance(synapse, IntegerConv)
    size = math.prod(layer.size for layer in stage.before if isinstance(layer, SumPool))
    kernels = np.kron(synapse.weight, np.ones((size, size), np.int64)) << synapse.exponent
    stride, padding = (
        [size * each for each in pair]
        for pair in (synapse.geometry.stride, synapse.geometry.padding)
    )
    return kernels[:, :, ::-1, ::-1].transpose(0, 3, 2, 1), stride[::-1], padding[::-1]


def _pooling(stage: IntegerStage, shape: tuple[int, ...]) -> Int64[np.ndarray, "pooled pre"]:
    """What pooling and flattening do to spikes in Lava's order, as a matrix."""
    pre = math.prod(shape)
    x = np.eye(pre, dtype=np.int64).reshape(pre, *shape)
    for layer in stage.before:
        x = reshape(layer, x)
    order = turned(np.arange(pre).reshape(shape)).ravel()
    return x.reshape(pre, -1).T[:, order]
