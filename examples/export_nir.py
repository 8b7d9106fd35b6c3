"""The digits network that comes with the package as a NIR file that other simulators run, spike for spike.

Run: python examples/export_nir.py [--out runs/export_nir] [--probe true]
"""

import sys
from pathlib import Path

from jsonargparse import auto_cli

from clapp_snn.commands.export import export
from clapp_snn.commands.export_options import ExportOptions
from clapp_snn.commands.failures import run_plainly
from clapp_snn.commands.verify import table, verify


def main(out: Path = Path("runs/export_nir"), probe: bool = False) -> None:
    """Export, report, verify.

    Args:
        out: folder for network, circuit, samples and report.
        probe: also read out the spike counts (some minutes).
    """
    result = export("lif_digits", ExportOptions(target="nir", out=out, steps=100, probe=probe))
    print(result.report)
    print(table(verify(result.folder / "network.nir")))
    print(f"\nReport: {result.folder / 'report.html'}")


if __name__ == "__main__":
    sys.exit(run_plainly("export_nir.py", lambda: auto_cli(main, as_positional=False)))
