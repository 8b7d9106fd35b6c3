"""The learning areas of an exported network, in the settings of the chip's learning engine.

Weights keep the 8-bit scales of their matrices. Counts of a window stand for activity, z = scale count /
counted steps, so that the margin 1 of the score becomes a whole number. Learning rates of optimisers have no
counterpart: gains are those of `AreaSettings`, and can be changed in the file. Activity is an average over a
window, so that a window that is too long for the engine becomes one of 126 steps, with fewer spikes to
average. Biases stay as they are.
"""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import Dense
from clapp_snn.export.learning import AreaLearning, Learning
from clapp_snn.export.loihi2.arithmetic import ALIGNMENT, WEIGHT_BITS
from clapp_snn.export.loihi2.files import save_arrays
from clapp_snn.export.loihi2.learning import LONGEST_EPOCH
from clapp_snn.export.loihi2.learning_area import QUIET, AreaSettings
from clapp_snn.export.loihi2.network import integer_stage
from clapp_snn.export.loihi2.traces import LARGEST_TRACE
from clapp_snn.export.quantise import quantise
from clapp_snn.files import atomic_path, write_text

ARRAYS, DESCRIPTION = "learning.npz", "learning.json"
TYPICAL_SHARE = 64
"""A typical apical input is taken to be the largest possible one divided by this."""


def write_learning(folder: Path, network: Network, learning: Learning) -> list[Path]:
    """Write the initial weights of all areas and their settings; paths of the files.

    Raises ValueError for layers that are not dense, and for windows that are too short.
    """
    arrays: dict[str, np.ndarray] = {}
    areas: list[dict[str, Any]] = []
    epoch, decimation = epochs(learning.steps)
    window = epoch * 2**decimation
    for index, (stage, area) in enumerate(zip(network.stages, learning.areas, strict=True)):
        if not isinstance(stage.synapse, Dense) or stage.neurons.recurrent is not None:
            raise ValueError(
                f"Layer {index} is not a plain dense layer; on Loihi 2 only dense layers learn. Export "
                "without learning."
            )
        whole = integer_stage(stage, index)
        found, settings = area_settings(area, learning)
        arrays |= {f"{name}_{index}": values for name, values in found.items()}
        arrays[f"basal_{index}"] = whole.synapse.weight
        arrays[f"bias_{index}"] = np.asarray(whole.neurons.bias) << whole.neurons.bias_exponent
        areas.append(
            {
                "neurons": {
                    "du": whole.neurons.du,
                    "dv": whole.neurons.dv,
                    "vth": whole.neurons.vth,
                },
                "settings": asdict(settings),
                "rules": {
                    "basal_dw": settings.basal_rule.equation(settings.basal_rule.dw),
                    "basal_dt": settings.basal_rule.equation(settings.basal_rule.dt),
                    "lateral_dw": settings.lateral_rule.equation(settings.lateral_rule.dw),
                },
            }
        )
    with atomic_path(folder / ARRAYS) as temporary:
        save_arrays(temporary, arrays)
    write_text(
        folder / DESCRIPTION,
        json.dumps(
            {"steps_of_a_window": window, "areas": areas, "rule": learning.record()}, indent=1
        ),
    )
    return [folder / ARRAYS, folder / DESCRIPTION]


def area_settings(
    area: AreaLearning, learning: Learning
) -> tuple[dict[str, np.ndarray], AreaSettings]:
    """Lateral weights in whole numbers, and the settings that go with them.

    Raises ValueError for windows that are too short.
    """
    epoch, decimation = epochs(learning.steps)
    scale = quantise(area.W_pred, WEIGHT_BITS)
    pred = 2 * scale.values
    retro = pred.T
    if area.W_retro is not None:
        retro = 2 * quantise(area.W_retro, WEIGHT_BITS).values
    counted = epoch * 2**decimation - QUIET
    shifts = [_shift(each, counted) for each in (pred, retro)]
    # u = (scale / counted)^2 z W_pred c with W_pred = step pred / 2, and A = pred 2 c >> shift.
    unit = (area.scale / counted) ** 2 * scale.scale / 4 * 2 ** shifts[0]
    settings = AreaSettings(
        epoch=epoch,
        decimation=decimation,
        apical_shift=shifts[0],
        retro_shift=shifts[1],
        margin=max(1, round(1 / unit)),
    )
    return {"W_pred": pred, "W_retro": np.ascontiguousarray(retro)}, settings


def epochs(steps: int) -> tuple[int, int]:
    """Epoch and decimation of the longest window of at most `steps` steps that the engine can count."""
    if steps <= LONGEST_EPOCH:
        return steps, 0
    return min(steps // 2, LONGEST_EPOCH), 1


def _shift(weights: np.ndarray, counted: int) -> int:
    """Brings a typical product with counts into 7 bits."""
    largest = 2 * counted * np.abs(weights).sum(1).max(initial=1) / TYPICAL_SHARE
    return min(2 * ALIGNMENT + 4, max(0, math.ceil(math.log2(max(largest, 1) / LARGEST_TRACE))))
