"""Networks for the tests of Xylo."""

import numpy as np

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Dense


def layered(gain: float = 1.0, recurrent: bool = True) -> Network:
    """16 -> 24 (recurrent) -> 20 (leaky) -> 8, with biases."""
    r = np.random.default_rng(4)

    def layer(post: int, pre: int) -> Dense:
        weight = gain * r.normal(0.08, 0.3, (post, pre))
        return Dense(weight, 0.03 * r.normal(size=post))

    own = Dense(gain * r.normal(0, 0.15, (24, 24)), np.zeros(24)) if recurrent else None
    layers = (
        layer(24, 16),
        LIF((24,), recurrent=own),
        layer(20, 24),
        LIF((20,), 0.9, 1.5),
        layer(8, 20),
        LIF((8,), threshold=0.8),
    )
    return Network((16,), layers, name="layered")
