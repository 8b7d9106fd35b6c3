"""Networks for the tests of Loihi 2."""

import numpy as np

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense, Flatten, SumPool


def every_layer() -> Network:
    """Two convolutions, one behind a pool and with kernels that are not square, and a recurrent layer."""
    rng = np.random.default_rng(5)
    one = Conv2d(
        rng.normal(0, 0.4, (6, 2, 3, 3)), rng.normal(0, 0.05, 6), (1, 1), (1, 1), (2, 8, 6)
    )
    two = Conv2d(
        rng.normal(0, 0.3, (3, 6, 2, 2)), rng.normal(0, 0.05, 3), (1, 1), (0, 1), (6, 4, 3)
    )
    count = int(np.prod(two.output_shape))
    top = Dense(rng.normal(0, 0.4, (7, count)), rng.normal(0, 0.05, 7))
    back = Dense(rng.normal(0, 0.2, (7, 7)), np.zeros(7))
    layers = (
        one,
        LIF(one.output_shape),
        SumPool(2, one.output_shape),
        two,
        LIF(two.output_shape, 0.9, 1.5),
        Flatten(two.output_shape),
        top,
        LIF((7,), 0.95, recurrent=back),
    )
    return Network((2, 8, 6), layers)
