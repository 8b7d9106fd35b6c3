"""`clapp-snn figures`: draw everything a run has data for."""

from collections.abc import Callable, Iterator
from pathlib import Path

from clapp_snn.commands.drawing import Drawing, Run
from clapp_snn.commands.figure_index import Entry, update_index
from clapp_snn.commands.number_figures import (
    accuracy_figure,
    hinge_figure,
    learning_curve_figures,
    loss_figure,
)
from clapp_snn.commands.options import FigureOptions
from clapp_snn.commands.representation_figures import representation_figures
from clapp_snn.commands.train import data_of
from clapp_snn.evaluation.probe_table import ProbeTable
from clapp_snn.figures import style
from clapp_snn.methods import get_method
from clapp_snn.modalities.images import IMAGES
from clapp_snn.run_files import FIGURES, METRICS, PROBE, PROBE_CURVE, SCORES
from clapp_snn.training.config import read_config
from clapp_snn.training.logbook import read_metrics


def draw_figures(
    run: str | Path, options: FigureOptions | None = None, say: Callable[[str], None] = print
) -> list[Path]:
    """Draw what the run has data for into run/figures/ and return the files, in the order of the report.

    run/figures/index.json describes every figure. What is missing is said, one line
    each. Raises what opening the run, its data or its weights raises.
    """
    folder, config = Path(run), read_config(run)
    method = get_method(config.method, config.modality)
    opened = Run(folder, config, method, data_of(config), options or FigureOptions(), say)
    paths: list[Path] = []
    drawn: list[Entry] = []
    complete = False
    try:
        for drawing in _drawings(opened):
            paths.append(style.save(drawing.figure, folder / FIGURES / f"{drawing.name}.png"))
            drawn.append(Entry(paths[-1].name, drawing.alt, drawing.caption))
        complete = True
    finally:
        # What was drawn before a failure keeps its captions in the report.
        update_index(folder, drawn, complete=complete)
    return paths


def _drawings(run: Run) -> Iterator[Drawing]:
    if (run.folder / PROBE).exists():
        table = ProbeTable.read(run.folder / PROBE)
        for protocol in table.protocols:
            yield accuracy_figure(run, table, protocol)
    else:
        table = ProbeTable()
        run.say(f"No accuracy figure: no probe yet; run `clapp-snn probe {run.folder}`.")
    if (run.folder / PROBE_CURVE).exists():
        yield from learning_curve_figures(run, table)
    metrics = read_metrics(run.folder / METRICS)
    if len(metrics["step"]):
        yield loss_figure(run, metrics)
    else:
        run.say("No figure of losses: nothing has been learned yet.")
    if run.method.hinge and (run.folder / SCORES).exists():
        yield hinge_figure(run, metrics)
    if run.config.modality == IMAGES.name:
        yield from representation_figures(run)
