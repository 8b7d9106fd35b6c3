"""Expected failures as one line on stderr, for the command line and the examples."""

import re
import sys
from collections.abc import Callable

import torch

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
NO_MEMORY = re.compile(r"out of memory|can't allocate memory", re.IGNORECASE)
REQUEST = re.compile(r"allocate ([\d.]+ \w+)")


def run_plainly(name: str, job: Callable[[], int | None]) -> int:
    """Exit status of `job` (None counts as 0); an expected failure is one line that begins with `name`."""
    try:
        return job() or 0
    except EXPECTED as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        print(f"{name}: {memory_advice(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: stopped", file=sys.stderr)
        return INTERRUPTED


def is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether memory is what was missing: on a CPU, torch has no class of its own for that."""
    known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return known or NO_MEMORY.search(str(error)) is not None


def memory_advice(error: MemoryError | RuntimeError) -> str:
    """One line of what could not be had and what to do."""
    asked = REQUEST.search(str(error))
    amount = f" ({asked[1]} asked for at once)" if asked else ""
    return (
        f"not enough memory{amount}; choose a smaller --batch or --width (streams: --units), or a machine "
        "with more memory."
    )
