"""Rate-coded CLAPP on images: learn, probe every layer, draw, report.

    python examples/stl10_rate.py --width 0.125 --steps 2600         # embedded photographs, ten minutes
    python examples/stl10_rate.py --data stl10:datasets --download   # the paper's experiment (a GPU)
    python examples/stl10_rate.py --method clapp --data path/to/images --width 0.25
    torchrun --nproc-per-node 4 examples/stl10_rate.py --data stl10:datasets

Without --width and --steps a run has the paper's size, width 1 and 300 epochs or more: on the photographs
that is a day of two cores.

All options: --help. The same job as `clapp-snn train`, `probe`, `figures` and `report` in turn.
"""

import sys
from dataclasses import fields

from clapp_snn.commands.failures import run_plainly
from clapp_snn.commands.figures import draw_figures
from clapp_snn.commands.options import ProbeOptions
from clapp_snn.commands.parsers import train_parser
from clapp_snn.commands.probe import probe
from clapp_snn.commands.train import train
from clapp_snn.report.html import write_report
from clapp_snn.training.config import TrainConfig


def main() -> None:
    parser = train_parser(__doc__)
    options = parser.parse_args()
    config = TrainConfig(**{field.name: options[field.name] for field in fields(TrainConfig)})

    result = train(config, download=options.download, resume=options.resume, quiet=options.quiet)
    if result.interrupted or not result.is_main:
        return
    probe(result.folder, ProbeOptions(protocols=("fast", "few-shot")))
    draw_figures(result.folder)
    print(f"Report: {write_report(result.folder)}")


if __name__ == "__main__":
    sys.exit(run_plainly("stl10_rate.py", main))
