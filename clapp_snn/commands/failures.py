"""Expected failures as one line on stderr, for the command line and the examples."""

import sys
from collections.abc import Callable

from clapp_snn.native import NativeUnavailable
from clapp_snn.numerical_failures import ConvergenceError, DivergenceError
from clapp_snn.training.checkpoint import CheckpointError


class OutOfRange(Exception):
    """Measured numbers lie outside their accepted range."""


EXPECTED = (
    ValueError,
    OSError,
    ImportError,
    CheckpointError,
    ConvergenceError,
    DivergenceError,
    NativeUnavailable,
    OutOfRange,
)
INTERRUPTED = 130


def run_plainly(name: str, job: Callable[[], int | None]) -> int:
    """Exit status of `job` (None counts as 0); an expected failure is one line that begins with `name`."""
    try:
        return job() or 0
    except EXPECTED as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: stopped", file=sys.stderr)
        return INTERRUPTED
