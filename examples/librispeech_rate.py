"""CLAPP on speech: convolutions learn from what comes next, a GRU on top of them predicts; probe, report.

    python examples/librispeech_rate.py --width 0.125 --steps 150      # synthetic syllables, minutes
    python examples/librispeech_rate.py --data librispeech:datasets --download     # the paper's (a GPU)
    python examples/librispeech_rate.py --data librispeech:datasets --recurrence eprop

All options: --help. The same job as `clapp-snn train`, `probe`, `figures` and `report` in turn.
"""

import sys
from dataclasses import fields

from clapp_snn.commands.failures import run_plainly
from clapp_snn.commands.figures import draw_figures
from clapp_snn.commands.parsers import train_parser
from clapp_snn.commands.probe import probe
from clapp_snn.commands.train import train
from clapp_snn.report.html import write_report
from clapp_snn.training.config import TrainConfig


def main() -> None:
    parser = train_parser(__doc__)
    parser.set_defaults({"data": "utterances", "batch": 8, "group": 8})
    options = parser.parse_args()
    config = TrainConfig(**{field.name: options[field.name] for field in fields(TrainConfig)})

    result = train(config, download=options.download, resume=options.resume, quiet=options.quiet)
    if result.interrupted or not result.is_main:
        return
    probe(result.folder)
    draw_figures(result.folder)
    print(f"Report: {write_report(result.folder)}")


if __name__ == "__main__":
    sys.exit(run_plainly("librispeech_rate.py", main))
