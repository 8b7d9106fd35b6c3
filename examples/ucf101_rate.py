"""CLAPP on video: learn from clips, read out every layer, draw, report.

    python examples/ucf101_rate.py --width 0.125 --steps 100           # embedded clips
    python examples/ucf101_rate.py --data ucf101:FOLDER                # the paper's experiment (a GPU)
    python examples/ucf101_rate.py --data clips:FOLDER --clip_encoder vgg5-overlap --clip_frames 20 \
        --clip_side 72 --width 0.125

All options: --help. The same job as `clapp-snn train`, `probe`, `figures`, `report` in turn; batch size and
learning rate are those of the paper's video experiments unless given.
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
    parser.set_defaults(data="clips", batch=8, learning_rate=1e-3)
    options = parser.parse_args()
    config = TrainConfig(**{field.name: options[field.name] for field in fields(TrainConfig)})

    result = train(config, download=options.download, resume=options.resume, quiet=options.quiet)
    if result.interrupted or not result.is_main:
        return
    probe(result.folder)
    draw_figures(result.folder)
    print(f"Report: {write_report(result.folder)}")


if __name__ == "__main__":
    sys.exit(run_plainly("ucf101_rate.py", main))
