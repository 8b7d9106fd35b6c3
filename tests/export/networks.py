"""Small canonical networks for the tests of exports."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import numpy as np

from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import LIF, Conv2d, Dense, Flatten, SumPool


def dense(beta: float = 0.9, recurrent: bool = False, seed: int = 0) -> Network:
    """12 -> 20 -> 8."""
    r = np.random.default_rng(seed)
    again = Dense(0.3 * r.normal(size=(8, 8)), 0.05 * r.normal(size=8)) if recurrent else None
    return Network(
        (12,),
        (
            Dense(0.5 * r.normal(size=(20, 12)), 0.1 * r.normal(size=20)),
            LIF((20,), beta, 1.0),
            Dense(0.5 * r.normal(size=(8, 20)), 0.1 * r.normal(size=8)),
            LIF((8,), beta, 0.75, again),
        ),
        name="dense",
        metadata={"origin": "test", "list": [1, 2.5, None]},
    )


def conv(beta: float = 0.9, recurrent: bool = False, seed: int = 0) -> Network:
    """2 x 8 x 8 -> 4 x 8 x 8, pooled -> 6 x 4 x 4 with stride and without padding -> 10."""
    r = np.random.default_rng(seed)
    again = Dense(0.3 * r.normal(size=(10, 10)), np.zeros(10)) if recurrent else None
    first = Conv2d(r.normal(size=(4, 2, 3, 3)), 0.1 * r.normal(size=4), (1, 1), (1, 1), (2, 8, 8))
    second = Conv2d(
        0.3 * r.normal(size=(6, 4, 2, 2)), 0.1 * r.normal(size=6), (2, 2), (0, 0), (4, 4, 4)
    )
    return Network(
        (2, 8, 8),
        (
            first,
            LIF((4, 8, 8), beta),
            SumPool(2, (4, 8, 8)),
            second,
            LIF((6, 2, 2), beta),
            Flatten((6, 2, 2)),
            Dense(r.normal(size=(10, 24)), 0.1 * r.normal(size=10)),
            LIF((10,), beta, 1.0, again),
        ),
        dt=0.5,
        name="conv",
    )


def spikes(network: Network, steps: int = 100, samples: int = 3, seed: int = 1) -> np.ndarray:
    """Random input."""
    r = np.random.default_rng(seed)
    return r.random((steps, samples, *network.input_shape)) < 0.3


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """TimeoutError if what is inside takes longer: importers of others may never end."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
