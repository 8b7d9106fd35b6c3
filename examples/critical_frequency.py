"""Critical frequency: fast somatic trains start a dendritic plateau, all or none.

    python examples/critical_frequency.py --out figures/critical_frequency
    python examples/critical_frequency.py --dt 1

All options: --help. The same as `clapp-snn reproduce critical-frequency`.
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
    reproduce("critical-frequency", out, seed, dt)


if __name__ == "__main__":
    sys.exit(run_plainly("critical_frequency.py", lambda: auto_cli(main)))
