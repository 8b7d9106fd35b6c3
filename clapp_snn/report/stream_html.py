"""`clapp-snn report` for a run of `clapp-snn stream`: one self-contained HTML page."""

import shlex
from pathlib import Path
from typing import NamedTuple

from clapp_snn.evaluation.area_accuracy import read_accuracies
from clapp_snn.files import write_text
from clapp_snn.methods import get_method
from clapp_snn.report.html import ends, page_style, page_template, read_index, read_pictures
from clapp_snn.run_files import ENVIRONMENT, METRICS, REPORT, STREAM_CONFIG, STREAM_PROBE
from clapp_snn.training.environment import read_environment
from clapp_snn.training.logbook import read_metrics
from clapp_snn.training.records import record_text
from clapp_snn.training.stream_build import method_of
from clapp_snn.training.stream_config import StreamConfig, read_stream_config

NEURONS = {
    "rate": "rate neurons",
    "event_burst": "event/burst units (L3)",
    "strict_burst": "strict burst neurons (L2)",
    "lif": "two-compartment LIF neurons (L0)",
}


class AreaProgress(NamedTuple):
    """Of one area, in the first and the last logged windows: hinge loss, share that learns, activity."""

    area: int
    loss: tuple[float, float]
    gate: tuple[float, float]
    activity: tuple[float, float]


class Progress(NamedTuple):
    """Windows in which the first and the last row were logged, seconds, and all areas."""

    first: int
    last: int
    seconds: float
    areas: list[AreaProgress]


def write_stream_report(run: str | Path) -> Path:
    """Write run/report.html from the files of the run and return its path.

    Parts that the run does not have yet are named, with the command that makes them.

    Raises FileNotFoundError where there is no run on a stream, ValueError for a damaged file; names it.
    """
    folder, config = Path(run), read_stream_config(run)
    text = page_template("stream_template.html").render(
        style=page_style(),
        title=f"{config.neuron} areas on {config.data}, {get_method(config.method).title}",
        purpose=purpose(config),
        run=str(folder),
        quoted=shlex.quote(str(folder)),
        config_path=shlex.quote(str(folder / STREAM_CONFIG)),
        config_text=record_text(config),
        accuracies=read_accuracies(folder / STREAM_PROBE),
        progress=read_stream_progress(folder / METRICS),
        pictures=read_pictures(folder, read_index(folder)),
        sessions=read_environment(folder) if (folder / ENVIRONMENT).exists() else [],
    )
    write_text(folder / REPORT, text)
    return folder / REPORT


def purpose(config: StreamConfig) -> str:
    """One sentence: what learned, from what."""
    if config.encoder == "dense":
        areas = f"{len(config.units)} dense areas of {', '.join(map(str, config.units))} units"
    else:
        areas = f"convolutional areas of {config.encoder} at width {config.width:g}"
    broken = "" if config.ablation == "none" else f" Ablated: {config.ablation}."
    rule = "Eqs. 6 and 8" if method_of(config).retro == "zero" else "Eqs. 6-8"
    return (
        f"{areas[0].upper()}{areas[1:]}, made of {NEURONS[config.neuron]}, learn from a stream of fixations "
        f"and saccades ({config.data}) by {rule}, one glance a window, without labels "
        f"({get_method(config.method).title}).{broken}"
    )


def read_stream_progress(path: Path) -> Progress | None:
    """How far learning came; None where nothing was logged. Raises ValueError for a damaged file."""
    table = read_metrics(path)
    if not len(table["step"]):
        return None
    try:
        count = sum(key.startswith("loss_") for key in table)
        areas = [
            AreaProgress(n, *(ends(table[f"{name}_{n}"]) for name in ("loss", "gate", "activity")))
            for n in range(1, count + 1)
        ]
        first, last = (int(table["step"][index]) for index in (0, -1))
        return Progress(first, last, float(table["seconds"][-1]), areas)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
