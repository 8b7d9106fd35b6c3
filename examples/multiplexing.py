"""Multiplexing: events follow the somatic current, burst probability the dendritic one.

    python examples/multiplexing.py --out figures/multiplexing
    python examples/multiplexing.py --dt 1

All options: --help. The same as `clapp-snn reproduce multiplexing`.
"""

import sys
from pathlib import Path

from jsonargparse import auto_cli

from clapp_snn.commands.failures import run_plainly
from clapp_snn.commands.reproduce import reproduce


def main(out: Path = Path("runs/reproduce"), seed: int = 0, dt: float | None = None) -> None:
    """Run the protocol, print measured against expected numbers, and save figure and tables.

    Args:
        out: folder to write to.
        seed: of the random numbers.
        dt: time step, ms; the protocol's own where left out.
    """
    reproduce("multiplexing", out, seed, dt)


if __name__ == "__main__":
    sys.exit(run_plainly("multiplexing.py", lambda: auto_cli(main)))
