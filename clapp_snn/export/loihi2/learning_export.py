"""The learning areas of an exported network, in the settings of the chip's learning engine.

Weights that learn start within a quarter of their range, so that they have room to grow; between the even
numbers that they start from, learning uses all of them. Counts of a window stand for activity, z = scale
count / counted steps, so that the margin 1 of the score becomes a whole number. Learning rates of optimisers
have no counterpart: gains are those of `AreaSettings`, and can be changed in the file. Activity is an average
over a window, so that a window that is too long for the engine becomes a shorter one, with fewer spikes to
average. Biases stay as they are.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from clapp_snn.export.canonical import Network, Stage
from clapp_snn.export.canonical_layers import Dense
from clapp_snn.export.learning import AreaLearning, Learning
from clapp_snn.export.loihi2.arithmetic import ALIGNMENT, LARGEST_THRESHOLD, WEIGHT_BITS
from clapp_snn.export.loihi2.files import save_arrays
from clapp_snn.export.loihi2.layers import IntegerLIF
from clapp_snn.export.loihi2.learning_area import QUIET, AreaSettings, LoihiArea
from clapp_snn.export.loihi2.network import bias_registers
from clapp_snn.export.loihi2.soma_program import (
    FRACTION,
    LARGEST_STEP,
    SomaProgram,
    initial_noise,
)
from clapp_snn.export.loihi2.traces import LARGEST_TRACE, Rounding
from clapp_snn.export.loihi2.two_compartment import NO_MEMORY, decay_constant
from clapp_snn.export.quantise import quantise
from clapp_snn.files import atomic_path, write_text

ARRAYS, DESCRIPTION = "learning.npz", "learning.json"
START_BITS = WEIGHT_BITS - 2
"""Of weights before they learn: a quarter of the range."""
TYPICAL_SHARE = 64
"""A typical apical input is taken to be the largest possible one divided by this."""
TARGET_SHARE = 0.1
"""Of the counted steps, in which a neuron should spike."""
LONGEST_EPOCH = 7
"""Steps of a learning epoch: within one, only the last spike counts at its own time."""


@dataclass(frozen=True, eq=False)
class IntegerArea:
    """What one learning area starts from.

    Attributes:
        weight, W_pred, W_retro: even whole numbers.
        neurons: somata, at 0 when the first window begins.
        settings: constants.
        noise: of the somata.
        unit: weight that stands for a drive of 1 of the canonical network.
    """

    weight: Int64[np.ndarray, "post pre"]
    W_pred: Int64[np.ndarray, "post post"]
    W_retro: Int64[np.ndarray, "post post"]
    neurons: IntegerLIF
    settings: AreaSettings
    noise: Int64[np.ndarray, "post"]
    unit: float

    def area(self, rounding: Callable[[int], Rounding], noisy: bool = True) -> LoihiArea:
        """At rest; `rounding` of the three sets of synapses by number, somata rounding to the nearest if not
        `noisy`."""
        return LoihiArea(
            self.weight,
            self.W_pred,
            self.W_retro,
            self.neurons,
            self.settings,
            (rounding(0), rounding(1), rounding(2)),
            self.noise if noisy else None,
        )


def write_learning(folder: Path, network: Network, learning: Learning) -> list[Path]:
    """Write the initial weights of all areas and their settings; paths of the files.

    Raises ValueError as `integer_area`.
    """
    arrays: dict[str, np.ndarray] = {}
    areas: list[dict[str, Any]] = []
    for index, (stage, lateral) in enumerate(zip(network.stages, learning.areas, strict=True)):
        found = integer_area(stage, lateral, learning.steps, index)
        neurons, rule = found.neurons, found.settings
        arrays |= {
            f"basal_{index}": found.weight,
            f"W_pred_{index}": found.W_pred,
            f"W_retro_{index}": found.W_retro,
            f"bias_{index}": np.asarray(neurons.bias) << neurons.bias_exponent,
            f"noise_{index}": found.noise,
        }
        areas.append(
            {
                "neurons": {"du": neurons.du, "dv": neurons.dv, "vth": neurons.vth},
                "weight_of_unit_drive": found.unit,
                "settings": asdict(rule),
                "rules": {
                    "basal_dw": rule.basal_rule.equation(rule.basal_rule.dw),
                    "basal_dt": rule.basal_rule.equation(rule.basal_rule.dt),
                    "lateral_dw": rule.lateral_rule.equation(rule.lateral_rule.dw),
                },
            }
        )
    epoch, decimation = epochs(learning.steps)
    record = {
        "steps_of_a_window": epoch * 2**decimation,
        "areas": areas,
        "rule": learning.record(),
    }
    with atomic_path(folder / ARRAYS) as temporary:
        save_arrays(temporary, arrays)
    write_text(folder / DESCRIPTION, json.dumps(record, indent=1))
    return [folder / ARRAYS, folder / DESCRIPTION]


def integer_area(stage: Stage, lateral: AreaLearning, steps: int, index: int = 0) -> IntegerArea:
    """One area in whole numbers.

    Args:
        stage: basal weights and somata.
        lateral: W_pred and W_retro, and what a spike stands for.
        steps: of a window in the simulation.
        index: of the layer, for messages.

    Raises ValueError for layers that are not dense, windows that are too short, and what no register holds.
    """
    if not isinstance(stage.synapse, Dense) or stage.neurons.recurrent is not None:
        raise ValueError(
            f"Layer {index} is not a plain dense layer; on Loihi 2 only dense layers learn. Export "
            "without learning."
        )
    basal = quantise(stage.synapse.weight, START_BITS)
    unit = 2 / basal.scale
    vth = round(stage.neurons.threshold * unit)
    if vth > LARGEST_THRESHOLD:
        raise ValueError(
            f"Layer {index} has weights too small beside its threshold to learn on Loihi 2: {vth} is more "
            f"than {LARGEST_THRESHOLD}. Export without learning."
        )
    mantissa, exponent = bias_registers(stage.synapse.bias * unit * 2**ALIGNMENT)
    neurons = IntegerLIF(
        stage.neurons.shape,
        du=NO_MEMORY,
        dv=decay_constant(stage.neurons.beta),
        vth=vth,
        bias=mantissa,
        bias_exponent=exponent,
    )
    scale = quantise(lateral.W_pred, START_BITS)
    pred = 2 * scale.values
    retro = pred.T
    if lateral.W_retro is not None:
        retro = 2 * quantise(lateral.W_retro, START_BITS).values
    return IntegerArea(
        2 * basal.values,
        pred,
        np.ascontiguousarray(retro),
        neurons,
        _settings(pred, retro, scale.scale, lateral.scale, steps),
        initial_noise(len(pred), index),
        unit,
    )


def _settings(
    pred: np.ndarray, retro: np.ndarray, step: float, activity: float, steps: int
) -> AreaSettings:
    epoch, decimation = epochs(steps)
    window = epoch * 2**decimation
    counted = window - QUIET
    shifts = [_shift(each, counted) for each in (pred, retro)]
    # u = (activity / counted)^2 z W_pred c with W_pred = step pred / 2, and A = pred 2 c >> shift.
    unit = (activity / counted) ** 2 * step / 4 * 2 ** shifts[0]
    return AreaSettings(
        x1_tau=window / 2,
        epoch=epoch,
        decimation=decimation,
        apical_shift=shifts[0],
        retro_shift=shifts[1],
        margin=max(1, round(1 / unit)),
        soma=SomaProgram(
            target=max(1, round(TARGET_SHARE * counted)),
            count_bits=max(0, (counted // (LARGEST_STEP + 1)).bit_length()),
        ),
    )


def epochs(steps: int) -> tuple[int, int]:
    """Epoch and decimation of the longest window of at most `steps` steps whose epochs are short."""
    found = [
        (epoch * 2**decimation, -epoch, decimation)
        for epoch in range(1, LONGEST_EPOCH + 1)
        for decimation in range(LARGEST_TRACE.bit_length())
        if epoch * 2**decimation <= min(steps, LARGEST_TRACE)
    ]
    _, epoch, decimation = max(found)
    return -epoch, decimation


def _shift(weights: np.ndarray, counted: int) -> int:
    """Brings a typical product with counts into the range of steps of y1."""
    largest = 2 * counted * np.abs(weights).sum(1).max(initial=1) / TYPICAL_SHARE
    room = (LARGEST_STEP + 1) * 2**FRACTION
    return min(2 * ALIGNMENT + 4, max(0, math.ceil(math.log2(max(largest, 1) / room))))
