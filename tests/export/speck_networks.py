"""Networks for the tests of Speck."""

import numpy as np

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense, Flatten, SumPool


def every_layer() -> Network:
    """Convolutions with padding and stride, two pools, dense layers on a map and on a list of neurons."""
    r = np.random.default_rng(7)
    one = Conv2d(
        r.normal(0.1, 0.4, (4, 2, 3, 3)), 0.02 * r.normal(size=4), (1, 1), (1, 1), (2, 16, 12)
    )
    two = Conv2d(r.normal(0, 0.3, (6, 4, 3, 3)), 0.05 * r.normal(size=6), (2, 1), (1, 0), (4, 8, 6))
    layers = (
        one,
        LIF((4, 16, 12)),
        SumPool(2, (4, 16, 12)),
        two,
        LIF((6, 4, 4), threshold=1.5),
        SumPool(2, (6, 4, 4)),
        Flatten((6, 2, 2)),
        Dense(r.normal(0, 0.4, (7, 24)), 0.1 * r.normal(size=7)),
        LIF((7,), threshold=2.0),
        Dense(r.normal(0, 0.6, (5, 7)), np.zeros(5)),
        LIF((5,)),
    )
    return Network((2, 16, 12), layers, dt=2.0, name="every_layer")
