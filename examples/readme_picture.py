"""Draw the picture of the README from a finished run.

    python examples/readme_picture.py runs/demo

Writes docs/images/first_screen.png: the task on two embedded photographs, the circuit, and the accuracy of
a linear readout on every layer of the run. The photographs are shrunk to the 64x64 pixels of the network's
input.
"""

import sys
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from jsonargparse import auto_cli
from PIL import Image, ImageOps

from clapp_snn.commands.failures import run_plainly
from clapp_snn.commands.number_figures import layer_curves
from clapp_snn.commands.train import data_of
from clapp_snn.evaluation.probe_table import ProbeTable
from clapp_snn.figures import style
from clapp_snn.figures.first_screen import first_screen
from clapp_snn.methods import get_method
from clapp_snn.run_files import PROBE
from clapp_snn.stimuli.photographs import load_photograph
from clapp_snn.training.config import read_config

SIDE = 64


def shrunk(name: str) -> UInt8[np.ndarray, "row col 3"]:
    """The middle square of an embedded photograph at the size of the network's input."""
    return np.asarray(ImageOps.fit(Image.fromarray(load_photograph(name)), (SIDE, SIDE)))


def draw(
    run: Path,
    out: Path = Path("docs/images/first_screen.png"),
    protocol: str = "paper",
    seen: str = "cat",
    other: str = "coffee",
) -> None:
    """Write the picture, 1200 x 500 pixels.

    Args:
        run: folder of a run with probe.csv.
        out: file to write.
        protocol: whose accuracies are shown.
        seen: photograph of the fixation.
        other: photograph that the saccade lands on.
    """
    config, table = read_config(run), ProbeTable.read(run / PROBE)
    dataset = data_of(config)
    raw = table.raw(protocol)
    figure = first_screen(
        shrunk(seen),
        shrunk(other),
        layer_curves(table, protocol),
        pixels=None if raw is None else raw[1].accuracy,
        chance=dataset.chance,
        data=(
            f"{get_method(config.method).title}, width {config.width:g}, {config.steps} steps,\n"
            f"seed {config.seed}, {dataset.name}; 95 % bands"
        ),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    print(style.save(figure, out, dpi=100))


if __name__ == "__main__":
    sys.exit(run_plainly("readme_picture.py", lambda: auto_cli(draw)))
