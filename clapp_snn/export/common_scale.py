"""One scale for weights and biases of 8 bits and a threshold of 16, as the chips of SynSense have them."""

import numpy as np
from jaxtyping import Float64

from clapp_snn.export.quantise import largest_level, quantise, round_to

WEIGHT_BITS = 8
STATE_BITS = 16
LOWEST, HIGHEST = -(2 ** (STATE_BITS - 1)), 2 ** (STATE_BITS - 1) - 1
"""Voltages."""


def common_scale(
    index: int,
    weight: Float64[np.ndarray, "post *pre"],
    bias: Float64[np.ndarray, "post"],
    threshold: float,
) -> float:
    """The scale of a layer: searched for its weights, coarser where bias or threshold would not fit.

    Args:
        index: of the stage, for the error.
        weight, bias, threshold: of the layer.

    Raises ValueError if all weights would become 0.
    """
    scale = max(
        quantise(weight, WEIGHT_BITS).scale if weight.any() else 0.0,
        float(np.abs(bias).max()) / largest_level(WEIGHT_BITS),
        threshold / (HIGHEST - 1),
    )
    if weight.any() and not round_to(weight, scale, WEIGHT_BITS).any():
        raise ValueError(
            f"Weights of stage {index} are at most {np.abs(weight).max():.3g}, too small for 8 bits beside "
            f"a bias of {np.abs(bias).max():.3g} and a threshold of {threshold:.3g}: all would become 0."
        )
    return scale
