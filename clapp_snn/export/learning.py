"""The learning rule of an exported network, as data: what a chip needs to go on learning, and what a file
remembers.

Everything is in the units of the areas: activity z, prediction zhat = W_pred c. Neurons of the canonical
network fire z / scale spikes a step on average, with the scale of their layer.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from clapp_snn.functional.objective import Retro

EQUATIONS = (
    "u = sum_i z_i (W_pred c)_i",
    "gamma = y [y u < 1], y = +1 after a fixation, -1 after a saccade",
    "dW_ji = eta gamma (W_pred c)_j [a_j > 0] x_i",
    "dW_retro: the same with the roles of both glances exchanged",
    "dW_pred_jk = eta gamma z_j c_k",
)
"""Eqs. 6-8 of Illing et al. 2021 (arXiv:2010.08262) for one layer, averaged over a window."""


@dataclass(frozen=True, eq=False)
class AreaLearning:
    """Lateral weights of one area.

    Attributes:
        W_pred: apical weights from the context.
        W_retro: None if tied to W_pred transposed, or absent.
        scale: activity z of a neuron that fires once a step.
    """

    W_pred: Float64[np.ndarray, "post post"]
    W_retro: Float64[np.ndarray, "post post"] | None
    scale: float


@dataclass(frozen=True, eq=False)
class Learning:
    """How a network learned, and goes on learning where the chip can.

    Attributes:
        areas: one a stage of the network, bottom up.
        retro: how the context side learns: "tied", "free" or "zero".
        rule: what turned averaged updates into changes: "adam" or "sgd".
        learning_rate: of that rule.
        steps: time steps of a window (one glance).
    """

    areas: tuple[AreaLearning, ...]
    retro: Retro
    rule: str
    learning_rate: float
    steps: int

    def record(self) -> dict[str, Any]:
        """Provenance for a file that cannot hold the rule itself; JSON can hold it."""
        return {
            "name": "CLAPP",
            "equations": list(EQUATIONS),
            "retro": self.retro,
            "rule": self.rule,
            "learning_rate": self.learning_rate,
            "steps_of_a_window": self.steps,
            "third_factor": "gamma, one number an area, broadcast at the end of a window",
            "scale_of_activity": [area.scale for area in self.areas],
        }
